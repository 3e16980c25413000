// ONNX Runtime's turn in `make bench`, and whom tests/e2e/test_onnx.py asks: node ort.mjs MODEL.onnx. A line of JSON on standard
// input is a request, a line on standard output its answer:
//
//   {"do": "about"}                                  versions
//   {"do": "forward", "batch": 64, "rounds": 11}     microseconds a call, ink in memory to scores there, one thread
//   {"do": "scores", "ink": FILE, "n": 256}          the logits of n pictures, read as float32 (n, 28, 28)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import path from 'node:path';

const require = createRequire(import.meta.url);
const ort = require('onnxruntime-node');
// InferenceSession.run() is this call behind a promise and a turn of the event loop, microseconds that are not the network's.
const { binding, initOrt } = require(path.join(path.dirname(require.resolve('onnxruntime-node')), 'binding.js'));

const model = process.argv[2];
initOrt();
const session = new binding.InferenceSession();
session.loadModel(model, { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all' });

function run(ink, n) {
	const scores = new ort.Tensor('float32', new Float32Array(n * 10), [n, 10]);
	const feeds = { input: new ort.Tensor('float32', ink, [n, 1, 28, 28]) };
	return { call: () => session.run(feeds, { logits: scores }, {}), scores };
}

// The median of rounds of about 50 ms of calls, as `lenet bench` does it.
function forward({ batch, rounds }) {
	const { call } = run(Float32Array.from({ length: batch * 784 }, Math.random), batch);
	const time = n => {
		const began = performance.now();
		for (let i = 0; i < n; i++)
			call();
		return performance.now() - began;
	};
	let n = 1;
	time(100);
	while (time(n) < 50)
		n *= 2;
	const ms = Array.from({ length: rounds }, () => time(n)).sort((a, b) => a - b);
	return { us_per_call: ms[rounds >> 1] / n * 1e3 };
}

function scoresOf({ ink, n }) {
	const bytes = readFileSync(ink);
	const { call, scores } = run(new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + n * 784 * 4)), n);
	call();
	return { scores: Array.from(scores.data) };
}

const answers = {
	about: () => ({ onnxruntime: require('onnxruntime-node/package.json').version, node: process.versions.node }),
	forward,
	scores: scoresOf,
};

for await (const line of createInterface({ input: process.stdin })) {
	let reply;
	try {
		const request = JSON.parse(line);
		reply = answers[request.do](request);
	} catch (e) {
		reply = { failed: String(e) };
	}
	console.log(JSON.stringify(reply));
}

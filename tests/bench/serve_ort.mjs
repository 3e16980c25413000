// lenetd's place taken by Node.js and ONNX Runtime: POST /predict, multipart, a PNG. Usage: node serve_ort.mjs MODEL.onnx
import http from 'node:http';
import busboy from 'busboy';
import ort from 'onnxruntime-node';
import { PNG } from 'pngjs';

const session = await ort.InferenceSession.create(process.argv[2], {
	intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
});

async function predict(file) {
	const { data } = PNG.sync.read(file); // RGBA
	const ink = new Float32Array(784);
	for (let i = 0; i < 784; i++)
		ink[i] = data[4 * i] / 255;
	const { logits } = await session.run({ input: new ort.Tensor('float32', ink, [1, 1, 28, 28]) });
	const top = Math.max(...logits.data);
	const exps = Array.from(logits.data, x => Math.exp(x - top));
	const sum = exps.reduce((a, b) => a + b);
	const probabilities = exps.map(x => x / sum);
	const digit = exps.indexOf(1);
	return { model: 'relu', predictions: [{ digit, confidence: probabilities[digit], probabilities }] };
}

const server = http.createServer((request, response) => {
	const say = (status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
	const form = busboy({ headers: request.headers });
	form.on('file', (name, stream) => {
		const pieces = [];
		stream.on('data', piece => pieces.push(piece));
		stream.on('end', () => predict(Buffer.concat(pieces)).then(body => say(200, body), e => say(400, { error: String(e) })));
	});
	form.on('error', e => say(400, { error: String(e) }));
	request.pipe(form);
});
server.listen(0, '127.0.0.1', 1024, () => console.error(`listening on http://127.0.0.1:${server.address().port}`));

// What stands behind the page: the daemon under test, and a reverse proxy that serves it under a path prefix.
// Whatever is started here is ended here, by its handle.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createInterface } from 'node:readline';

const PATIENCE_MS = 30000; // a sanitised build on a busy machine is slow to start

// Resolves once the daemon says where it listens. port 0: any free one. flags: more of the daemon's.
export async function startDaemon(program, port = 0, flags = []) {
	const child = spawn(program, ['--listen', `127.0.0.1:${port}`, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
	const said = [];
	const origin = await new Promise((resolve, reject) => {
		const fail = why => reject(new Error(`${program}: ${why}\n${said.join('\n')}`));
		const timer = setTimeout(() => {
			child.kill('SIGKILL');
			fail('does not say where it listens');
		}, PATIENCE_MS);
		child.on('error', error => fail(error.message));
		child.on('exit', (code, signal) => { clearTimeout(timer); fail(`ended at once (${signal ?? code})`); });
		createInterface(child.stderr).on('line', line => {
			said.push(line);
			const found = line.match(/http:\/\/[\d.]+:\d+/);
			if (found) {
				clearTimeout(timer);
				resolve(found[0]);
			}
		});
	});
	return {
		origin,
		port: Number(new URL(origin).port),
		// What it said; throws if it did not end cleanly (a sanitiser's find, say).
		async stop() {
			const ended = child.exitCode ?? once(child, 'exit');
			child.kill('SIGTERM');
			const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
			await ended;
			clearTimeout(timer);
			if (child.exitCode !== 0)
				throw new Error(`the end was ${child.signalCode ?? child.exitCode}:\n${said.join('\n')}`);
		},
	};
}

// Passes `prefix`… on to upstream/…; anything else is a 404, and listed in `strays`. bodies: what was posted.
export async function startProxy(upstream, prefix) {
	const strays = [], bodies = [];
	const server = http.createServer((request, response) => {
		if (!request.url.startsWith(prefix)) {
			strays.push(request.url);
			response.writeHead(404).end();
			return;
		}
		const url = new URL(request.url.slice(prefix.length - 1), upstream);
		const { method, headers } = request;
		const onward = http.request(url, { method, headers: { ...headers, host: url.host } }, answer => {
			response.writeHead(answer.statusCode, answer.headers);
			answer.pipe(response);
		});
		onward.on('error', () => response.writeHead(502).end());
		const chunks = [];
		request.on('data', chunk => chunks.push(chunk));
		request.on('end', () => bodies.push(Buffer.concat(chunks)));
		request.pipe(onward);
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return {
		origin: `http://127.0.0.1:${server.address().port}`,
		strays,
		bodies,
		async stop() {
			server.close();
			server.closeAllConnections();
			await once(server, 'close');
		},
	};
}

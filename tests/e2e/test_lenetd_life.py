"""The daemon's limits, its start and its end, seen from outside.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_lenetd_life.py     (in the repository's root)
"""
import concurrent.futures
import contextlib
import http.client
import json
import math
import os
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from daemon import BOUNDARY, LENETD, PATIENCE, ROOT, Daemon, clean_environment, mnist, multipart, png, read_response


class Limits(unittest.TestCase):
    def closed(self, s):
        """Whether the daemon hangs up (and does not just let us wait)."""
        try:
            while s.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def drip(self, s, data):
        """Sends a byte now and then until the daemon hangs up."""
        end = time.monotonic() + PATIENCE
        s.settimeout(0.02)
        for i in range(10 ** 9):
            try:
                s.sendall(data[i:i + 1] or b'x')
                if s.recv(4096) == b'':
                    return True
            except TimeoutError:
                pass
            except OSError:
                return True
            if time.monotonic() > end:
                return False

    def test_slow_clients_are_closed(self):
        slow = {
            'headers': b'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ',
            'request line': b'GET /',
            'body': b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n',
        }
        with Daemon('--header-timeout-ms', '300', '--body-timeout-ms', '400', '--idle-timeout', '1') as d:
            for name, data in slow.items():
                with self.subTest(name), d.raw(data) as s:
                    self.assertTrue(self.drip(s, b''))
            with self.subTest('nothing at all'), d.raw() as s:
                self.assertTrue(self.closed(s))
            with self.subTest('idle'), d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') as s:
                read_response(s.makefile('rb'))
                self.assertTrue(self.closed(s))
            with self.subTest('second request line'), d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') as s:
                self.assertTrue(self.drip(s, b'GET /'))
            with self.subTest('answer not read'), d.raw() as s:
                with self.assertRaises(ConnectionError):  # and no TimeoutError
                    while True:
                        s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n' * 1000)
            self.assertEqual(d.ask('GET', '/healthz').status, 200)

    def test_each_phase_has_its_own_time(self):
        picture = png(mnist(1)[0])
        head = b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % len(picture)
        with Daemon('--header-timeout-ms', '300') as d, d.raw(head) as s:
            time.sleep(0.6)
            s.sendall(picture)
            self.assertEqual(read_response(s.makefile('rb'))[0], 200)
        with Daemon('--header-timeout-ms', '300', '--body-timeout-ms', '300') as d, d.raw() as s:
            stream = s.makefile('rb')
            for _ in range(2):
                s.sendall(head + picture)
                self.assertEqual(read_response(stream)[0], 200)
                time.sleep(0.6)

    def hold(self, d, n):
        """That many connections that have been answered and idle."""
        held = [d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') for _ in range(n)]
        for s in held:
            self.assertEqual(read_response(s.makefile('rb'))[0], 200)
        return held

    def test_connection_limit(self):
        """Beyond it whether the daemon lives can be asked, and nothing else."""
        picture = png(mnist(1)[0])
        with Daemon('--max-connections', '4', '--http-threads', '2') as d:
            held = self.hold(d, 4)
            for _ in range(50):  # more than there are connections at all
                for path in ('/healthz', '/readyz', '/v2/health/live'):
                    r = d.ask('GET', path)
                    self.assertEqual((r.status, r.getheader('Connection')), (200, 'close'))
                r = d.predict(picture)
                self.assertEqual((r.status, r.getheader('Connection'), r.getheader('Retry-After')), (503, 'close', '1'))
                self.assertIn('4 connections', r.json['error'])
            held[0].sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
            status, headers, body = read_response(held[0].makefile('rb'))
            self.assertEqual((status, headers.get('connection')), (200, None))
            self.assertIn(b'reason="no_connection"} 50\n', body)
            for s in held:
                s.close()
            end = time.monotonic() + PATIENCE
            while d.predict(picture).status == 503:
                self.assertLess(time.monotonic(), end)

    def test_who_waits_is_answered_in_the_end(self):
        """At the limit, too: connections that idle make room at once, those that are busy when they have been answered."""
        for busy in (b'', b'GET /readyz HTTP/1.1\r\nHost: x\r\n'):
            with self.subTest(busy=busy), Daemon('--max-connections', '4', '--http-threads', '2') as d, contextlib.ExitStack() as stack:
                held = [stack.enter_context(s) for s in self.hold(d, 4)]
                for _ in range(32):  # beyond the limit
                    stack.enter_context(d.raw())
                metrics = b''
                while b'connections_open 36\n' not in metrics:
                    held[0].sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
                    metrics = read_response(held[0].makefile('rb'))[2]
                for s in held:
                    s.sendall(busy)
                waiting = [stack.enter_context(d.raw(b'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')) for _ in range(20)]
                d.process.send_signal(signal.SIGTERM)
                if busy:
                    for s in held:
                        s.sendall(b'\r\n')
                for s in waiting:
                    self.assertEqual(read_response(s.makefile('rb'))[0], 503)
                self.assertEqual(d.process.wait(PATIENCE), 0)

    def test_full_queue(self):
        pictures = multipart(*[png(p) for p in mnist(8)])
        with Daemon('--batch-on-cpu', '--queue', '8', '--max-pictures', '8', '--max-batch', '1') as d:
            with concurrent.futures.ThreadPoolExecutor(32) as pool:
                answers = list(pool.map(lambda _: d.predict(pictures, f'multipart/form-data; boundary={BOUNDARY}'), range(200)))
            self.assertLessEqual({r.status for r in answers}, {200, 503})
            for r in answers:
                if r.status == 503:
                    self.assertEqual(r.getheader('Retry-After'), '1')
                    self.assertTrue(r.json['error'])
            self.assertEqual(d.predict(pictures, f'multipart/form-data; boundary={BOUNDARY}').status, 200)

    def test_clients_that_hang_up(self):
        """Between request and answer; a big request keeps the daemon's threads from it for a while, so that many do it at once."""
        pictures = [png(p) for p in mnist(16)]
        requests = [b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % len(p) + p for p in pictures]
        big = multipart(*pictures * 16)
        for flags in ((), ('--batch-on-cpu',)):
            with self.subTest(flags=flags), Daemon('--http-threads', '2', *flags) as d:
                want = [d.predict(p).body for p in pictures]
                for _ in range(20):
                    busy = [d.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=%s\r\n'
                                  b'Content-Length: %d\r\n\r\n' % (BOUNDARY.encode(), len(big)) + big) for _ in range(2)]
                    clients = [d.raw(r) for r in requests]
                    for s in clients[::2]:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))  # a reset
                        s.close()
                    for s, body in zip(clients[1::2], want[1::2]):
                        self.assertEqual(read_response(s.makefile('rb'))[::2], (200, body))
                        s.close()
                    for s in busy:
                        self.assertEqual(read_response(s.makefile('rb'))[0], 200)
                        s.close()
                self.assertEqual(d.stop(), 0)

    def test_buffer_limit(self):
        picture = png(mnist(1)[0])
        with Daemon('--max-body', '100000', '--max-buffer', '100001') as d:
            end = time.monotonic() + PATIENCE
            status = 0
            while status != 503 and time.monotonic() < end:  # until the half body is read before the whole one
                with d.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n' + b'x' * 90000):
                    r = d.predict(b'x' * 50000)
                    status = r.status
                    self.assertIn(status, (415, 503))
            self.assertEqual(status, 503)
            self.assertEqual(r.getheader('Retry-After'), '1')
            while d.predict(picture).status != 200 and time.monotonic() < end:  # until the daemon has seen it hang up
                pass
            self.assertEqual(d.predict(picture).status, 200)


class Life(unittest.TestCase):
    def begin(self, d, picture, sent):
        """A request that the daemon has seen begin, and so much of its body."""
        s = d.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n' % len(picture))
        self.assertEqual(s.recv(25, socket.MSG_WAITALL), b'HTTP/1.1 100 Continue\r\n\r\n')
        s.sendall(sent)
        return s

    def test_what_is_in_flight_is_answered(self):
        slow = '--batch-on-cpu', '--max-delay-us', '1000000', '--max-batch', '64'
        for number, flags in ((signal.SIGTERM, slow), (signal.SIGINT, slow), (signal.SIGTERM, ())):
            with self.subTest(number, flags=flags), Daemon(*flags) as d:
                picture = png(mnist(1)[0])
                queued = self.begin(d, picture, picture)  # waits for company
                halfway = self.begin(d, picture, picture[:50])
                idle = d.raw(b'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
                idle_stream = idle.makefile('rb')
                self.assertEqual(read_response(idle_stream)[0], 200)
                second = self.begin(d, picture, picture)
                d.process.send_signal(number)
                while 'in flight' not in d.text():
                    time.sleep(0.01)
                idle.sendall(b'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
                status, headers, _ = read_response(idle_stream)
                self.assertEqual((status, headers['connection'].lower()), (503, 'close'))
                with self.assertRaises(OSError):
                    d.raw().close()
                    for _ in range(100):  # the listening socket may have had it in its backlog
                        time.sleep(0.01)
                        d.raw().close()
                self.assertIsNone(d.process.poll())
                halfway.sendall(picture[50:])
                for s in (queued, second, halfway):
                    status, _, body = read_response(s.makefile('rb'))
                    self.assertEqual(status, 200, body)
                    s.close()
                idle.close()
                self.assertEqual(d.process.wait(PATIENCE), 0, d.text())
                self.assertRegex(d.text(), r'done: 3 pictures in [123] passes\n$')

    def test_a_second_signal_ends_it(self):
        with Daemon() as d:
            s = self.begin(d, b'x' * 100, b'x')
            d.process.send_signal(signal.SIGTERM)
            while 'in flight' not in d.text():
                time.sleep(0.01)
            self.assertIsNone(d.process.poll())
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(PATIENCE), -signal.SIGTERM)
            s.close()

    def test_a_drain_delay(self):
        """Unready at once, and whoever comes all the same is answered."""
        picture = png(mnist(1)[0])
        with Daemon('--drain-delay', '600000') as d, contextlib.closing(d.connect()) as old:
            self.assertEqual(d.ask('GET', '/readyz', connection=old).status, 200)
            d.process.send_signal(signal.SIGTERM)
            while 'unready' not in d.text():
                time.sleep(0.01)
            r = d.ask('GET', '/readyz', connection=old)
            self.assertEqual((r.status, r.getheader('Connection')), (503, 'close'))
            self.assertEqual(d.ask('GET', '/healthz').status, 200)
            r = d.predict(picture)
            self.assertEqual((r.status, r.getheader('Connection')), (200, 'close'))
            self.assertIsNone(d.process.poll())
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(PATIENCE), -signal.SIGTERM)
        with Daemon('--drain-delay', '1') as d:
            self.assertEqual(d.stop(), 0)
            self.assertIn('unready; still answering for 1 ms', d.text())

    def test_who_was_not_accepted_yet(self):
        """They connect, and half of them ask, while the daemon cannot look; the next that it sees is the signal."""
        ask = b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
        with Daemon('--http-threads', '2') as d:
            d.process.send_signal(signal.SIGSTOP)
            clients = [d.raw(ask if i % 2 else b'') for i in range(200)]
            d.process.send_signal(signal.SIGTERM)
            d.process.send_signal(signal.SIGCONT)
            while 'in flight' not in d.text():
                time.sleep(0.001)
            for s in clients[::2]:
                s.sendall(ask)
            for s in clients:
                self.assertEqual(read_response(s.makefile('rb'))[0], 200)
                s.close()
            self.assertEqual(d.process.wait(PATIENCE), 0, d.text())

    def test_a_load_and_a_signal(self):
        picture = png(mnist(1)[0])
        with Daemon() as d:
            def client(_):
                n = 0
                with contextlib.closing(d.connect()) as c:
                    while True:
                        try:
                            r = d.predict(picture, connection=c)
                        except (OSError, http.client.HTTPException):
                            return n  # between two requests the daemon may go
                        assert r.status == 200, r.body
                        n += 1
                        if r.getheader('Connection', '').lower() == 'close':
                            return n
            with concurrent.futures.ThreadPoolExecutor(32) as pool:
                clients = [pool.submit(client, i) for i in range(32)]
                while d.ask('GET', '/healthz').status != 200:
                    pass
                time.sleep(0.3)
                d.process.send_signal(signal.SIGTERM)
                self.assertGreater(sum(c.result(PATIENCE) for c in clients), 0)
            self.assertEqual(d.process.wait(PATIENCE), 0, d.text())

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as s:
                s.bind(('::1', 0))
        except OSError as e:
            self.skipTest(f'no IPv6 here: {e}')
        with Daemon(listen='[::1]:0') as d:
            self.assertEqual(d.ask('GET', '/healthz').status, 200)

    def test_environment(self):
        with Daemon('--max-body', '50000', LENETD_MAX_BODY='100', LENETD_MAX_PICTURES='1', LENETD_PORT='tcp://x') as d:
            self.assertIn('body 50000 bytes', d.text())
            self.assertIn('1 pictures a request', d.text())


class Start(unittest.TestCase):
    def fails(self, status, words, *flags, **env):
        r = subprocess.run([LENETD, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env=clean_environment(**env), timeout=PATIENCE)
        text = r.stderr.decode()
        self.assertEqual(r.returncode, status, (flags, text))
        self.assertIn(words, text)

    def test_wrong_usage(self):
        self.fails(2, '--nonsense', '--nonsense')
        self.fails(2, 'needs a value', '--model')
        self.fails(2, 'from 1 to 4096', '--max-batch', 'many')
        self.fails(2, 'ADDRESS:PORT', '--listen', '8080')
        self.fails(2, 'LENETD_QUEUE', LENETD_QUEUE='x')

    def test_help_and_version(self):
        for flag, words in (('--help', b'--listen ADDR:PORT'), ('--version', b'lenetd ')):
            r = subprocess.run([LENETD, flag], stdout=subprocess.PIPE, env=clean_environment(), timeout=PATIENCE, check=True)
            self.assertIn(words, r.stdout)

    def test_address_in_use(self):
        with socket.create_server(('127.0.0.1', 0)) as s:
            self.fails(1, 'in use', '--listen', '127.0.0.1:%d' % s.getsockname()[1])

    def test_address_of_nobody(self):
        self.fails(1, '--listen', '--listen', '192.0.2.1:0')

    def test_too_many_descriptors(self):
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if os.geteuid() == 0:
            self.skipTest('root may raise every limit')
        self.fails(1, 'ulimit', '--listen', '127.0.0.1:0', '--max-connections', str(min(hard, 65536)))

    def test_bad_models(self):
        with open(os.path.join(ROOT, 'models/relu.bin'), 'rb') as f:
            good = f.read()
        n = struct.unpack('<Q', good[:8])[0]
        header = json.loads(good[8:8 + n])

        def with_header(change):
            h = json.loads(json.dumps(header))
            change(h)
            text = json.dumps(h).encode()
            return struct.pack('<Q', len(text)) + text + good[8 + n:]

        at = 8 + n + header['c3.weight']['data_offsets'][0]
        nan = good[:at] + struct.pack('<f', float('nan')) + good[at + 4:]
        models = {
            'empty': b'',
            'text': b'this is no model at all',
            'truncated header': good[:100],
            'truncated': good[:-1000],
            'huge header': b'\xff' * 8 + good[8:],
            'wrong shape': with_header(lambda h: h['c3.weight'].update(shape=[16, 5, 5])),
            'missing tensor': with_header(lambda h: h.pop('f6.bias')),
            'unknown network': with_header(lambda h: h['__metadata__'].update(network='nonsense')),
            'wrong sum': with_header(lambda h: h['__metadata__'].update(sha256='0' * 64)),
            'NaN': nan,
        }
        for name, data in models.items():
            with self.subTest(name), tempfile.NamedTemporaryFile(suffix='.bin') as f:
                f.write(data)
                f.flush()
                self.fails(1, os.path.basename(f.name), '--listen', '127.0.0.1:0', '--model', f.name)
        self.fails(1, '/nowhere/x.bin', '--model', '/nowhere/x.bin')

    def test_the_network_as_published(self):
        """Its state dict after 400 steps; its answers are as sure as its distances say."""
        with open(os.path.join(ROOT, 'tests/golden/1998-after400.safetensors'), 'rb') as f:
            golden = f.read()
        start = 8 + struct.unpack('<Q', golden[:8])[0]
        header, data = json.loads(golden[8:start]), b''

        def take(name):
            begin, end = header[name]['data_offsets']
            return golden[start + begin:start + end]

        penalties = struct.unpack_from('<320f', take('penalties'))
        del header['penalties'], header['losses']
        for name in header.keys() - {'__metadata__'}:
            tensor = take(name)
            header[name]['data_offsets'] = [len(data), len(data) + len(tensor)]
            data += tensor
        text = json.dumps(header).encode()
        with tempfile.NamedTemporaryFile(suffix='.bin') as f:
            f.write(struct.pack('<Q', len(text)) + text + data)
            f.flush()
            with Daemon('--model', f.name, '--device', 'cpu', '--threshold', '0') as d:
                r = d.predict(multipart(*[png(p) for p in mnist(32)]), f'multipart/form-data; boundary={BOUNDARY}')
        self.assertEqual(r.status, 200, r.body)
        for i, p in enumerate(r.json['predictions']):
            y = penalties[10 * i:10 * i + 10]
            total = math.exp(-12) + sum(math.exp(-x) for x in y)
            for digit in range(10):
                self.assertAlmostEqual(p['probabilities'][digit], (math.exp(-y[digit]) + math.exp(-12) / 10) / total, 4)
            self.assertEqual(p['digit'], min(range(10), key=lambda k: y[k]))
            self.assertEqual(p['confidence'], p['probabilities'][p['digit']])
            self.assertAlmostEqual(sum(p['probabilities']), 1, 5)

    def test_a_model_file(self):
        with Daemon('--model', os.path.join(ROOT, 'models/best.bin')) as d, Daemon() as builtin:
            picture = png(mnist(1)[0])
            self.assertEqual(d.predict(picture).body, builtin.predict(picture).body)


if __name__ == '__main__':
    unittest.main()

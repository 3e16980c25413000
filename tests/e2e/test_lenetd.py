"""The daemon from outside: starts the binary that LENETD names on a free port, speaks HTTP to it, and ends it itself.

LENETD=build/release/lenetd python3 -m unittest -v tests/e2e/test_lenetd.py     (in the repository's root)
"""
import base64
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import zlib
import unittest

LENETD = os.environ.get('LENETD', 'build/release/lenetd')
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOUNDARY = 'xxBOUNDARYxx'
PATIENCE = 60  # seconds until a test gives up on an answer that should come; nothing is expected to be quick


def png(pixels, width=28, height=28):
    def chunk(name, data):
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    rows = b''.join(b'\0' + bytes(pixels[y * width:(y + 1) * width]) for y in range(height))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def mnist(n):
    with gzip.open(os.path.join(ROOT, 'tests/data/t10k-images-idx3-ubyte.gz')) as f:
        data = f.read(16 + n * 784)
    return [data[16 + i * 784:16 + (i + 1) * 784] for i in range(n)]


def multipart(*parts):
    """A body of (content, filename) pairs, or of contents that are files."""
    body = b''
    for part in parts:
        content, name = part if isinstance(part, tuple) else (part, 'x.png')
        filename = f'; filename="{name}"' if name else ''
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="img"{filename}\r\n\r\n'.encode() + content + b'\r\n'
    return body + f'--{BOUNDARY}--\r\n'.encode()


def clean_environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith('LENETD')}
    env.update(more)
    return env


class Daemon:
    """A lenetd of our own, up until stop() or the end of the with block."""

    def __init__(self, *flags, listen='127.0.0.1:0', program=LENETD, **env):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([program, '--listen', listen, *flags], stderr=self.log, env=clean_environment(**env))
        end = time.monotonic() + PATIENCE
        while not (found := re.search(r'listening on http://(\S+):(\d+), model (\S+) .*, engine (.*)', self.text())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError('the daemon does not come up: ' + self.text())
            time.sleep(0.01)
        self.host, self.port = found[1].strip('[]'), int(found[2])

    def text(self):
        self.log.seek(0)
        return self.log.read().decode()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def raw(self, data=b''):
        s = socket.create_connection((self.host, self.port), timeout=PATIENCE)
        s.sendall(data)
        return s

    def ask(self, method, path, body=None, content_type=None, headers=None, connection=None):
        """One request: the response, with its body as .body and, where that is JSON, parsed as .json."""
        c = connection or self.connect()
        headers = dict(headers or {})
        if content_type:
            headers['Content-Type'] = content_type
        c.request(method, path, body, headers, encode_chunked=headers.get('Transfer-Encoding') == 'chunked')
        r = c.getresponse()
        r.body = r.read()
        r.json = json.loads(r.body) if r.getheader('Content-Type') == 'application/json' and r.body else None
        if not connection:
            c.close()
        return r

    def predict(self, body, content_type='image/png', query='', **more):
        return self.ask('POST', '/predict' + query, body, content_type, **more)


def read_response(stream):
    """Status, headers and body of the next response on a raw connection."""
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().strip()):
        name, _, value = line.decode().partition(':')
        headers[name.lower()] = value.strip()
    return status, headers, stream.read(int(headers.get('content-length', 0)))


class OneDaemon(unittest.TestCase):
    """Tests that share a daemon with the default limits."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.pictures = mnist(32)
        cls.pngs = [png(p) for p in cls.pictures]

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        log = cls.daemon.text()
        cls.daemon.log.close()
        assert status == 0, f'the daemon ended with {status}: {log}'


class Predict(OneDaemon):
    def forms(self, i):
        image = base64.b64encode(self.pngs[i]).decode()
        return {
            'image/png': ('image/png', self.pngs[i]),
            'curl --data-binary': ('application/x-www-form-urlencoded', self.pngs[i]),
            'no type': (None, self.pngs[i]),
            'multipart': (f'multipart/form-data; boundary={BOUNDARY}', multipart(self.pngs[i])),
            'multipart, quoted': (f'multipart/form-data; boundary="{BOUNDARY}"', multipart((self.pngs[i], None))),
            'base64': ('application/json', json.dumps({'images': [image]}).encode()),
            'data URL': ('application/json', json.dumps({'images': ['data:image/png;base64,' + image]}).encode()),
            'pixels': ('application/json', json.dumps({'pixels': [list(self.pictures[i])]}).encode()),
        }

    def test_all_forms_give_the_same_answer(self):
        for i in range(4):
            bodies = {}
            for name, (content_type, body) in self.forms(i).items():
                r = self.daemon.predict(body, content_type, '?explain=1')
                self.assertEqual(r.status, 200, (name, r.body))
                bodies[name] = r.body
            self.assertEqual(len(set(bodies.values())), 1, bodies)
            prediction = json.loads(bodies['pixels'])['predictions'][0]
            self.assertEqual(prediction['input'], list(self.pictures[i]))
            self.assertEqual(len(prediction['probabilities']), 10)
            self.assertAlmostEqual(sum(prediction['probabilities']), 1, places=5)
            self.assertEqual(prediction['confidence'], max(prediction['probabilities']))
            self.assertEqual(prediction['digit'], prediction['probabilities'].index(prediction['confidence']))

    def test_the_first_picture_is_a_seven(self):
        r = self.daemon.predict(multipart(self.pngs[0]), f'multipart/form-data; boundary={BOUNDARY}')
        self.assertEqual(r.json['predictions'][0]['digit'], 7)

    def test_an_answer_does_not_depend_on_its_company(self):
        alone = [self.daemon.predict(p).json['predictions'][0] for p in self.pngs]
        r = self.daemon.predict(multipart(*self.pngs, *self.pngs, *self.pngs), f'multipart/form-data; boundary={BOUNDARY}')
        self.assertEqual(r.json['predictions'], alone * 3)

    def test_a_bad_picture_has_its_error_in_its_place(self):
        r = self.daemon.predict(multipart(self.pngs[0], (b'not a PNG', 'a.txt'), (b'a field', None), png([0] * 784), self.pngs[1]),
                                f'multipart/form-data; boundary={BOUNDARY}')
        self.assertEqual(r.status, 200)
        first, text, blank, last = r.json['predictions']
        self.assertIsNone(text['digit'])
        self.assertIn('not a PNG', text['error'])
        self.assertIsNone(blank['digit'])
        self.assertTrue(blank['reason'])
        self.assertEqual([first, last], [self.daemon.predict(p).json['predictions'][0] for p in self.pngs[:2]])

    def test_200_concurrent_clients(self):
        want = [self.daemon.predict(p).body for p in self.pngs]

        def client(i):
            c = self.daemon.connect()
            wrong = sum(self.daemon.predict(self.pngs[(i + k) % 32], connection=c).body != want[(i + k) % 32] for k in range(5))
            c.close()
            return wrong
        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            self.assertEqual(sum(pool.map(client, range(200))), 0)

    def test_curl(self):
        if not shutil.which('curl'):
            self.skipTest('curl is not installed')
        with tempfile.NamedTemporaryFile(suffix='.png') as f:
            f.write(self.pngs[0])
            f.flush()
            answers = {subprocess.run(['curl', '-sS', *form, f'http://127.0.0.1:{self.daemon.port}/predict'], check=True,
                                      stdout=subprocess.PIPE, timeout=PATIENCE).stdout
                       for form in (['-F', f'img=@{f.name}'], ['--data-binary', f'@{f.name}'],
                                    ['--data-binary', f'@{f.name}', '-H', 'Content-Type: image/png'])}
        self.assertEqual(answers, {self.daemon.predict(self.pngs[0]).body})


class BadInput(OneDaemon):
    def check(self, r, status, words):
        self.assertEqual(r.status, status, r.body)
        self.assertEqual(r.getheader('Content-Type'), 'application/json')
        self.assertIn(words, r.json['error'])
        self.assertEqual(self.daemon.predict(self.pngs[0]).status, 200)  # and it lives

    def test_bodies(self):
        form = f'multipart/form-data; boundary={BOUNDARY}'
        big = bytearray(self.pngs[0])
        big[16:24] = struct.pack('>II', 60000, 60000)
        big[29:33] = struct.pack('>I', zlib.crc32(big[12:29]))
        cases = [
            ('image/png', b'', 400, 'empty'),
            ('image/png', b'this is text', 415, 'not a PNG'),
            ('image/png', self.pngs[0][:100], 400, ''),
            ('image/png', bytes(big), 413, '60000'),
            ('image/png', png([0] * 784), 422, ''),
            ('image/jpeg', b'\xff\xd8\xff\xe0', 415, 'JPEG'),
            ('text/html', b'<html>', 415, 'image/png'),
            (form, b'', 400, 'empty'),
            (form, b'garbage', 400, 'boundary'),
            (form, multipart(self.pngs[0])[:-6], 400, 'cut off'),
            ('multipart/form-data', multipart(self.pngs[0]), 400, 'boundary'),
            (form, multipart((b'a field', None)), 400, 'none of the 1 parts'),
            (form, multipart(b'no picture'), 415, 'not a PNG'),
            ('application/json', b'{"images": ["', 400, 'malformed'),
            ('application/json', b'[' * 100000, 400, 'malformed'),
            ('application/json', b'{"pixels": [[1,2,3]]}', 400, '784'),
            ('application/json', b'{"images": ["@@@"]}', 400, 'base64'),
            ('application/json', b'{}', 400, 'must be'),
            ('application/json', b'{"pixels": [' + b'1,' * 1000000 + b'1]}', 413, 'more values'),
            (form, multipart(*[self.pngs[0]] * 257), 413, '256 pictures'),
        ]
        for content_type, body, status, words in cases:
            with self.subTest(content_type=content_type, body=body[:40]):
                self.check(self.daemon.predict(body, content_type), status, words)

    def test_routes_and_methods(self):
        self.check(self.daemon.ask('GET', '/nowhere'), 404, '/nowhere')
        self.check(self.daemon.ask('POST', '/nowhere', b'x' * 100000), 404, '/nowhere')
        for method in ('GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'):
            r = self.daemon.ask(method, '/predict', b'x' if method == 'PUT' else None)
            self.check(r, 405, method)
            self.assertEqual(r.getheader('Allow'), 'POST')
        r = self.daemon.ask('POST', '/', b'x')
        self.check(r, 405, 'POST')
        self.assertEqual(r.getheader('Allow'), 'GET, HEAD')

    def test_query(self):
        self.check(self.daemon.predict(self.pngs[0], query='?explian=1'), 400, 'explian')
        self.check(self.daemon.predict(self.pngs[0], query='?explain=7'), 400, 'explain=1')
        self.check(self.daemon.predict(self.pngs[0], query='?' + '&'.join('a=1' for _ in range(20))), 400, 'parameters')

    def test_no_length(self):
        with self.daemon.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\n\r\n') as s:
            self.assertEqual(read_response(s.makefile('rb'))[0], 411)

    def test_not_http(self):
        for data in (b'\0' * 1000, b'GET\r\n\r\n', b'GET / HTTP/1.1\r\n\r\n', b'POST /predict HTTP/1.1\r\nHost: x\r\n'
                     b'Content-Length: nonsense\r\n\r\n', b'GET / HTTP/1.1\r\nHost: x\r\nX: ' + b'x' * 100000 + b'\r\n\r\n'):
            with self.subTest(data=data[:30]), self.daemon.raw() as s:
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass  # it may hang up, too
            self.assertEqual(self.daemon.predict(self.pngs[0]).status, 200)

    def test_body_over_the_limit(self):
        big = b'x' * (9 << 20)
        self.check(self.daemon.predict(big), 413, '8388608 bytes')

        def chunks():
            for _ in range(9):
                yield b'x' * (1 << 20)
        self.check(self.daemon.predict(chunks(), headers={'Transfer-Encoding': 'chunked'}), 413, '8388608 bytes')

    def test_endless_chunked_body_is_cut(self):
        def chunks():
            for _ in range(1000):
                yield b'x' * (1 << 20)
        with contextlib.closing(self.daemon.connect()) as c, self.assertRaises(OSError):
            self.daemon.predict(chunks(), headers={'Transfer-Encoding': 'chunked'}, connection=c)
        self.assertEqual(self.daemon.predict(self.pngs[0]).status, 200)

    def test_oversized_length_is_refused_before_the_body(self):
        with self.daemon.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n') as s:
            status, _, body = read_response(s.makefile('rb'))
            self.assertEqual(status, 413)
            self.assertIn('8388608', json.loads(body)['error'])


class Protocol(OneDaemon):
    def head(self, more=''):
        return f'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(self.pngs[0])}\r\n{more}\r\n'.encode()

    def test_keep_alive(self):
        c = self.daemon.connect()
        for i in range(20):
            self.assertEqual(self.daemon.predict(self.pngs[i], connection=c).status, 200)
            self.assertEqual(self.daemon.ask('GET', '/nowhere', connection=c).status, 404)
            self.assertEqual(self.daemon.predict(b'text', connection=c).status, 415)
        c.close()

    def test_pipelining(self):
        with self.daemon.raw((self.head() + self.pngs[0]) * 10 + b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') as s:
            stream = s.makefile('rb')
            bodies = [read_response(stream) for _ in range(11)]
        self.assertEqual({status for status, _, _ in bodies}, {200})
        self.assertEqual({body for _, _, body in bodies[:10]}, {self.daemon.predict(self.pngs[0]).body})
        self.assertIn(b'live', bodies[10][2])

    def test_get_with_a_body_does_not_shift_what_follows(self):
        smuggled = b'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n'
        with self.daemon.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % len(smuggled) + smuggled +
                             b'GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') as s:
            stream = s.makefile('rb')
            self.assertIn(b'live', read_response(stream)[2])
            self.assertIn(b'ready', read_response(stream)[2])
            self.assertEqual(stream.read(), b'')

    def test_continue(self):
        with self.daemon.raw(self.head('Expect: 100-continue\r\n')) as s:
            stream = s.makefile('rb')
            self.assertEqual(read_response(stream)[0], 100)
            s.sendall(self.pngs[0])
            self.assertEqual(read_response(stream)[0], 200)

    def test_chunked(self):
        chunks = (self.pngs[0][i:i + 10] for i in range(0, len(self.pngs[0]), 10))
        r = self.daemon.predict(chunks, headers={'Transfer-Encoding': 'chunked'})
        self.assertEqual(r.body, self.daemon.predict(self.pngs[0]).body)

    def test_body_byte_by_byte(self):
        with self.daemon.raw(self.head()) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(self.pngs[0])):
                s.sendall(self.pngs[0][i:i + 1])
            self.assertEqual(read_response(s.makefile('rb'))[0], 200)

    def test_client_that_leaves(self):
        for cut in (0, 10, len(self.pngs[0])):
            self.daemon.raw(self.head() + self.pngs[0][:cut]).close()
        self.assertEqual(self.daemon.predict(self.pngs[0]).status, 200)

    def test_head(self):
        get = self.daemon.ask('GET', '/')
        head = self.daemon.ask('HEAD', '/')
        self.assertEqual((head.status, head.body), (200, b''))
        self.assertEqual(head.getheader('Content-Length'), str(len(get.body)))

    def test_probes(self):
        for path in ('/healthz', '/readyz'):
            r = self.daemon.ask('GET', path)
            self.assertEqual((r.status, r.getheader('Cache-Control')), (200, 'no-store'))
            self.assertTrue(r.json['status'])


class Page(OneDaemon):
    def test_files(self):
        for path, name, kind in (('/', 'index.html', 'text/html'), ('/app.js', 'app.js', 'text/javascript'),
                                 ('/style.css', 'style.css', 'text/css'), ('/icon.svg', 'icon.svg', 'image/svg+xml'),
                                 ('/favicon.ico', 'icon.svg', 'image/svg+xml')):
            with self.subTest(path=path), open(os.path.join(ROOT, 'web', name), 'rb') as f:
                r = self.daemon.ask('GET', path)
                self.assertEqual((r.status, r.body), (200, f.read()))
                self.assertTrue(r.getheader('Content-Type').startswith(kind))
                self.assertIn("default-src 'none'", r.getheader('Content-Security-Policy'))
                self.assertIn("connect-src 'self'", r.getheader('Content-Security-Policy'))
                self.assertEqual(r.getheader('X-Content-Type-Options'), 'nosniff')

    def test_not_modified(self):
        etag = self.daemon.ask('GET', '/').getheader('ETag')
        self.assertRegex(etag, '^"[0-9a-f]{32}"$')
        for known in (etag, f'"other", W/{etag}'):
            r = self.daemon.ask('GET', '/', headers={'If-None-Match': known})
            self.assertEqual((r.status, r.body, r.getheader('ETag')), (304, b'', etag))
        self.assertEqual(self.daemon.ask('GET', '/', headers={'If-None-Match': '"other"'}).status, 200)


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

    def test_connection_limit(self):
        with Daemon('--max-connections', '4', '--http-threads', '2') as d:
            held = [d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') for _ in range(4)]
            for s in held:
                self.assertEqual(read_response(s.makefile('rb'))[0], 200)
            waiting = d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            for s in held:
                s.close()
            try:
                self.assertEqual(read_response(waiting.makefile('rb'))[0], 200)
            except (IndexError, ConnectionError):
                pass  # hung up on: it may be
            waiting.close()
            self.assertEqual(d.ask('GET', '/healthz').status, 200)

    def test_full_queue(self):
        pictures = multipart(*[png(p) for p in mnist(8)])
        with Daemon('--queue', '8', '--max-pictures', '8', '--max-batch', '1') as d:
            with concurrent.futures.ThreadPoolExecutor(32) as pool:
                answers = list(pool.map(lambda _: d.predict(pictures, f'multipart/form-data; boundary={BOUNDARY}'), range(200)))
            self.assertLessEqual({r.status for r in answers}, {200, 503})
            for r in answers:
                if r.status == 503:
                    self.assertEqual(r.getheader('Retry-After'), '1')
                    self.assertTrue(r.json['error'])
            self.assertEqual(d.predict(pictures, f'multipart/form-data; boundary={BOUNDARY}').status, 200)

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
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number), Daemon('--max-delay-us', '1000000', '--max-batch', '64') as d:
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
            with Daemon('--model', f.name, '--device', 'cpu') as d:
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
        with Daemon('--model', os.path.join(ROOT, 'models/relu.bin')) as d, Daemon() as builtin:
            picture = png(mnist(1)[0])
            self.assertEqual(d.predict(picture).body, builtin.predict(picture).body)


if __name__ == '__main__':
    unittest.main()

"""What the daemon answers, right requests and wrong ones, seen from outside.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_lenetd.py     (in the repository's root)
"""
import base64
import concurrent.futures
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest
import zlib

from daemon import BOUNDARY, PATIENCE, ROOT, Daemon, mnist, multipart, png, read_response


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

    def test_every_format_is_read_and_turned_upright(self):
        files = {}
        for name in ('7.png', '7.jpg', '7.webp'):
            with open(os.path.join(ROOT, 'tests/data', name), 'rb') as f:
                files[name] = f.read()
        for name, content in files.items():
            encoded = base64.b64encode(content).decode()
            for content_type, body in (('image/png', content), (None, content),
                                       ('application/json', json.dumps({'images': [encoded]}).encode()),
                                       (f'multipart/form-data; boundary={BOUNDARY}', multipart(content))):
                r = self.daemon.predict(body, content_type)
                self.assertEqual((r.status, r.json['predictions'][0]['digit']), (200, 7), (name, content_type, r.body))
        r = self.daemon.predict(multipart(*files.values()), f'multipart/form-data; boundary={BOUNDARY}')
        self.assertEqual([p['digit'] for p in r.json['predictions']], [7, 7, 7])

    def test_decoding_stops_at_the_deadline(self):
        rows = zlib.compress(b'\0' * (6000 * 18001), 1)

        def chunk(name, data):
            return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        large = (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 6000, 6000, 8, 2, 0, 0, 0)) + chunk(b'IDAT', rows) +
                 chunk(b'IEND', b''))
        r = self.daemon.predict(large, headers={'X-Request-Timeout-Ms': '20'})
        self.assertEqual(r.status, 503, r.body)
        self.assertIn('could not be decoded in time', r.json['error'])
        self.assertEqual(self.daemon.predict(large).json['predictions'][0]['reason'], 'blank')

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
        self.assertIn('not those of a PNG, JPEG or WebP', text['error'])
        self.assertIsNone(blank['digit'])
        self.assertEqual(blank['reason'], 'blank')
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
            ('image/png', b'this is text', 415, 'not those of a PNG, JPEG or WebP'),
            ('image/png', self.pngs[0][:100], 400, ''),
            ('image/png', bytes(big), 413, '60000'),
            ('image/jpeg', b'\xff\xd8\xff\xe0', 400, 'damaged JPEG'),
            ('image/heic', b'....ftypheic....', 415, 'a HEIC: convert it to PNG, JPEG or WebP, as with: heif-convert'),
            (None, b'GIF89a', 415, 'a GIF: convert it'),
            ('text/html', b'<html>', 415, 'image/png'),
            (form, b'', 400, 'empty'),
            (form, b'garbage', 400, 'boundary'),
            (form, multipart(self.pngs[0])[:-6], 400, 'cut off'),
            ('multipart/form-data', multipart(self.pngs[0]), 400, 'boundary'),
            (form, multipart((b'a field', None)), 400, 'none of the 1 parts'),
            (form, multipart(b'no picture'), 415, 'not those of a PNG'),
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
        big = b'x' * (33 << 20)
        self.check(self.daemon.predict(big), 413, '33554432 bytes')

        def chunks():
            for _ in range(33):
                yield b'x' * (1 << 20)
        self.check(self.daemon.predict(chunks(), headers={'Transfer-Encoding': 'chunked'}), 413, '33554432 bytes')

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
            self.assertIn('33554432', json.loads(body)['error'])


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
        size = self.daemon.ask('HEAD', '/').getheader('Content-Length')
        for known in (etag, f'"other", W/{etag}', '*'):
            r = self.daemon.ask('GET', '/', headers={'If-None-Match': known})
            self.assertEqual((r.status, r.body, r.getheader('ETag'), r.getheader('Content-Length')), (304, b'', etag, size))
        self.assertEqual(self.daemon.ask('GET', '/', headers={'If-None-Match': '"other"'}).status, 200)


if __name__ == '__main__':
    unittest.main()

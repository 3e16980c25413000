"""Requests whose head can be read in two ways, is too large, or asks for more than there is.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_lenetd_heads.py     (in the repository's root)
"""
import gzip
import json
import unittest

from daemon import Daemon, mnist, png, read_response

PICTURE = png(mnist(1)[0])
NEXT = b'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n'


def head(method, target, *headers, version='1.1'):
    return '\r\n'.join([f'{method} {target} HTTP/{version}', *headers, '', '']).encode()


class Heads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon('--max-body', '100000', '--max-buffer', '200000', LENETD_HOST=None)

    @classmethod
    def tearDownClass(cls):
        assert cls.daemon.stop() == 0, cls.daemon.text()
        cls.daemon.log.close()

    def refused(self, data, status, word):
        """It is, with one answer, and what follows on the connection is not taken for a request."""
        with self.daemon.raw(data) as s:
            stream = s.makefile('rb')
            got, headers, body = read_response(stream)
            self.assertEqual(got, status, body)
            self.assertIn(word, json.loads(body)['error'])
            self.assertEqual(headers['connection'].lower(), 'close')
            try:
                self.assertEqual(stream.read(), b'')
            except ConnectionError:
                pass  # what was not read is there still

    def test_ambiguous_ones_are_refused(self):
        chunks = b'5\r\nhello\r\n0\r\n\r\n'
        long = b'2000\r\n' + b'x' * 0x2000 + b'\r\n0\r\n\r\n'
        for method, target in (('POST', '/predict'), ('GET', '/healthz')):
            for headers, body, status, word in (
                    (['Content-Length: 5', 'Transfer-Encoding: chunked'], long, 400, 'exclude each other'),
                    (['Transfer-Encoding: chunked', 'Content-Length: 5'], chunks, 400, 'exclude each other'),
                    (['Content-Length: 5', 'Content-Length: 50'], b'hello', 400, 'more than one Content-Length'),
                    (['Transfer-Encoding: gzip'], chunks, 501, 'chunked'),
                    (['Transfer-Encoding: chunked', 'Transfer-Encoding: gzip'], chunks, 501, 'chunked'),
                    (['Content-Length : 5'], b'hello', 400, 'space'),
                    (['Host: localhost'], b'', 400, 'more than one Host')):
                with self.subTest(method=method, headers=headers):
                    self.refused(head(method, target, 'Host: localhost', *headers) + body + NEXT, status, word)
            self.refused(head(method, target, 'Transfer-Encoding: chunked', version='1.0') + chunks + NEXT, 400, 'HTTP/1.0')
            self.refused(head(method, target, 'X: y') + NEXT, 400, 'no Host header')
        with self.daemon.raw(head('GET', '/healthz', 'X: y', version='1.0')) as s:
            self.assertEqual(read_response(s.makefile('rb'))[0], 200)

    def test_a_body_that_will_not_be_read_is_refused_at_once(self):
        self.refused(head('POST', '/predict', 'Host: localhost', 'Content-Length: 400001') + b'x', 413, '100000 bytes')

    def test_what_a_string_would_end_at(self):
        for target in ('/healthz%00', '/healthz%00/x', '/healthz?a=%00'):
            self.refused(head('GET', target, 'Host: localhost') + NEXT, 400, '%00')

    def ask(self, data):
        with self.daemon.raw(data) as s:
            status, _, body = read_response(s.makefile('rb'))
            return status, json.loads(body)

    def test_absolute_url(self):
        for target, host, status in (('http://localhost:8080/healthz', 'localhost', 200), ('HTTPS://127.0.0.1/healthz?a=b', 'localhost', 200),
                                     ('http://localhost/healthz', 'elsewhere.example', 200),  # Host does not count then
                                     ('http://elsewhere.example/healthz', 'localhost', 403), ('http:///healthz', 'localhost', 400),
                                     ('http://localhost/nowhere', 'localhost', 404), ('http://localhost:80:80/healthz', 'localhost', 400),
                                     ('http://user@localhost/healthz', 'localhost', 400)):
            with self.subTest(target=target, host=host):
                self.assertEqual(self.ask(head('GET', target, 'Host: ' + host))[0], status)
        length = f'Content-Length: {len(PICTURE)}'
        status, answer = self.ask(head('POST', 'http://localhost/predict?explain=1', 'Host: x', length) + PICTURE)
        self.assertEqual((status, len(answer['predictions'][0]['input'])), (200, 784))
        self.assertEqual(self.ask(head('POST', 'http://localhost/predict', 'Host: x', 'Origin: http://localhost', length) + PICTURE)[0], 200)
        self.assertEqual(self.ask(head('POST', 'http://localhost/predict', 'Host: x', 'Origin: http://x', length) + PICTURE)[0], 403)

    def test_compressed_bodies_are_refused(self):
        body = gzip.compress(b'{"pixels": []}')
        for path in ('/predict', '/v2/models/best/infer', '/v2/repository/index'):
            r = self.daemon.ask('POST', path, body, 'application/json', {'Content-Encoding': 'gzip', 'Host': 'localhost'})
            self.assertEqual(r.status, 415)
            self.assertIn('gzip', r.json['error'])
            self.assertEqual(r.headers['accept-encoding'], 'identity')
        self.assertEqual(self.daemon.predict(PICTURE, headers={'Content-Encoding': 'identity'}).status, 200)

    def test_large_heads_have_an_answer(self):
        """The sizes are those around where the library's memory ends; where even a refusal has no room in it, it hangs up."""
        def status(method, *headers):
            body = PICTURE if method == 'POST' else b''
            with self.daemon.raw(head(method, '/predict' if body else '/', 'Host: localhost', f'Content-Length: {len(body)}', *headers) + body) as s:
                line = s.makefile('rb').readline().split()
            return int(line[1]) if line else None
        for method in ('GET', 'POST'):
            for what, values in (('a cookie', [['Cookie: a=' + 'x' * n] for n in range(5000, 8700, 50)]),
                                 ('a header', [['X: ' + 'x' * n] for n in range(13000, 15800, 50)]),
                                 ('many headers', [['X: y'] * n for n in range(150, 250)])):
                found = [status(method, *headers) for headers in values]
                with self.subTest(what, method=method, found=found):
                    self.assertEqual((found[0], found[-1]), (200, 431))
                    self.assertLessEqual(found.count(None), 6)
                    self.assertEqual(found, sorted(found, key=lambda status: status or 431))

    def test_the_buffer_is_for_bodies_that_are_read(self):
        """Others take none of it, and wait for the rest of theirs as long as they like."""
        length = 'Content-Length: 90000'
        heads = [head('GET', '/healthz', 'Host: localhost', length), head('GET', '/', 'Host: localhost', length),
                 head('GET', '/metrics', 'Host: localhost', length), head('POST', '/nowhere', 'Host: localhost', length)]
        held = [self.daemon.raw(h + b'x' * 80000) for h in heads * 3]
        for _ in range(10):
            self.assertEqual(self.daemon.predict(PICTURE + b'x' * 90000).status, 200)
        for s in held:
            s.sendall(b'x' * 10000)
            self.assertIn(read_response(s.makefile('rb'))[0], (200, 404))
            s.close()


if __name__ == '__main__':
    unittest.main()

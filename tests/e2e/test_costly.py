"""Requests that cost much: what they do to others, in which order they are decoded, and what does not fit.

A PNG of 4096×4096 at 16 bits takes some tenths of a second to decode, a JPEG of 883 scans some seconds. What has to be over before they
are is thousands of times as quick.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_costly.py     (in the repository's root)
"""
import base64
import json
import re
import signal
import socket
import struct
import subprocess
import time
import unittest
import zlib

from daemon import BOUNDARY, LENETD, PATIENCE, Daemon, clean_environment, mnist, multipart, png, read_response

DIGIT = png(mnist(1)[0])
LONG = '600000'  # a deadline in ms that nothing here reaches
OTHER = '127.0.0.2'


def chunk(name, data):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def plain(side, depth=16, kind=2):
    """A PNG of one colour."""
    row = b'\4' + bytes(side * depth * (3 if kind == 2 else 1) // 8)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, depth, kind, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(row * side, 1)) + chunk(b'IEND', b''))


def many_scans(side):
    """A grey JPEG that adds nothing to each of its coefficients, bit by bit."""
    def segment(marker, data):
        return struct.pack('>BBH', 0xff, marker, 2 + len(data)) + data

    def scan(k, high, low):  # of runs of 16384 blocks, but for the first: each block's code of no difference
        n = side * side // 64
        return segment(0xda, bytes([1, 1, 0, k, k, high << 4 | low])) + bytes(n // 16384 * 15 // 8 if k else n // 8)
    tables = b''.join(segment(0xc4, bytes([place, 1] + [0] * 15 + [symbol])) for place, symbol in ((0x00, 0), (0x10, 0xe0)))
    return (b'\xff\xd8' + segment(0xdb, bytes([0] + [1] * 64)) + segment(0xc2, struct.pack('>BHHB', 8, side, side, 1) + bytes([1, 0x11, 0])) +
            tables + scan(0, 0, 0) + b''.join(scan(k, low + 1 if low < 13 else 0, low) for k in range(1, 64) for low in range(13, -1, -1)) +
            b'\xff\xd9')


COSTLY = plain(4096)
VERY_COSTLY = many_scans(4096)  # of --max-scans 1000
PHOTO = png([255] * 600 * 600, 600, 600)  # is left to a decoder, but takes a few milliseconds


def request(body, content_type='image/png', headers=''):
    return f'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n{headers}Content-Length: {len(body)}\r\n\r\n'.encode() + body


def gauge(daemon, name):
    return float(re.search(rf'^{name} (\S+)$', daemon.ask('GET', '/metrics').body.decode(), re.M)[1])


class Costly(unittest.TestCase):
    def daemon(self, *flags, **more):
        d = Daemon('--decode-threads', '1', '--deadline-ms', LONG, *flags, **more)
        self.addCleanup(d.__exit__)
        return d

    def send(self, d, body=COSTLY, address='127.0.0.1', **more):
        """A connection on which such a request waits."""
        s = socket.create_connection((d.host, d.port), timeout=PATIENCE, source_address=(address, 0))
        self.addCleanup(s.close)
        s.sendall(request(body, **more))
        return s

    def status(self, s):
        return read_response(s.makefile('rb'))[0]

    def await_gauge(self, d, name, value):
        end = time.monotonic() + PATIENCE
        while (found := gauge(d, name)) != value:
            self.assertLess(time.monotonic(), end, f'{name} is {found}')
            time.sleep(0.005)

    def occupy(self, d, n=1, **more):
        """n costly requests, of which the decoder has begun the first; the others wait in their order."""
        sent = [self.send(d, **more)]
        self.await_gauge(d, 'lenet_decode_threads_busy', 1)
        for i in range(1, n):
            sent.append(self.send(d, **more))
            self.await_gauge(d, 'lenet_decode_queue_depth', i)
        return sent

    def has_answer(self, s):
        s.setblocking(False)
        try:
            return len(s.recv(1, socket.MSG_PEEK)) > 0
        except BlockingIOError:
            return False
        finally:
            s.settimeout(PATIENCE)

    def test_others_are_answered_meanwhile(self):
        """On every HTTP thread: 40 connections wait for the decoder, and new ones are answered as well as old ones."""
        d = self.daemon('--http-threads', '2')
        old = d.connect()
        self.assertEqual(d.predict(DIGIT, connection=old).status, 200)
        waiting = self.occupy(d, 40)
        for _ in range(20):
            self.assertEqual(d.ask('GET', '/healthz').status, 200)
            self.assertEqual(d.predict(DIGIT).status, 200)
            self.assertEqual(d.predict(DIGIT, connection=old).status, 200)
        self.assertEqual(d.ask('GET', '/metrics', connection=old).status, 200)
        self.assertFalse(self.has_answer(waiting[-1]))  # all that came while it waits
        self.assertEqual(gauge(d, 'lenet_decode_threads_busy'), 1)
        old.close()
        d.process.send_signal(signal.SIGKILL)  # 40 seconds of work

    def test_all_forms_of_body(self):
        """What is costly is left to the decoder in every form; what is small is not."""
        d = self.daemon()
        form = f'multipart/form-data; boundary={BOUNDARY}'
        images = json.dumps({'images': [base64.b64encode(PHOTO).decode()]}).encode()
        tensor = b'{"inputs": [{"name": "input", "datatype": "UINT8", "shape": [1, 784], "data": [' + b', '.join([b'0'] * 784) + b']}]}'
        for path, body, kind, costly in (
                ('/predict', DIGIT, 'image/png', False), ('/predict', multipart(DIGIT), form, False),
                ('/v2/models/best/infer', tensor, 'application/json', False),
                ('/predict', PHOTO, 'image/png', True), ('/predict', multipart(DIGIT, PHOTO), form, True),
                ('/predict', images, 'application/json', True), ('/predict', DIGIT + bytes(70000), 'image/png', True),
                ('/predict', b'{' + b' ' * 70000 + b'}', 'application/json', True),
                ('/v2/models/best/infer', tensor + b' ' * 70000, 'application/json', True)):
            r = d.ask('POST', path, body, kind)
            self.assertIn(r.status, (200, 400, 200), r.body)
            self.assertEqual('wait;dur=' in r.getheader('Server-Timing'), costly, (path, body[:40], r.body))
        r = d.ask('POST', '/v2/repository/index', b'{' + b' ' * 70000 + b'}', 'application/json')
        self.assertEqual(r.status, 413)

    def test_the_answer_is_the_same(self):
        """A digit among much that is no picture, over both ways to the engine."""
        large = png([max(0, min(255, 2 * v)) for row in range(28) for _ in range(20) for v in mnist(1)[0][row * 28:row * 28 + 28] for _ in range(20)], 560, 560)
        for flags in ((), ('--batch-on-cpu',)):
            d = self.daemon(*flags)
            small = d.predict(DIGIT)
            form = f'multipart/form-data; boundary={BOUNDARY}'
            both = d.predict(multipart((bytes(70000), None), DIGIT), form)
            self.assertIn('wait;dur=', both.getheader('Server-Timing'))
            self.assertEqual(both.json, small.json)
            self.assertEqual(d.predict(large).json['predictions'][0]['digit'], 7)

    def test_an_address_does_not_delay_another(self):
        """The single request of an address goes before all but one of those that another one sent before it."""
        d = self.daemon()
        many = self.occupy(d, 12)
        single = self.send(d, PHOTO, OTHER)
        self.assertEqual(self.status(single), 200)
        answered = sum(self.has_answer(s) for s in many)
        self.assertLess(answered, 5)  # two by their turn; the test itself may be slow
        d.process.send_signal(signal.SIGKILL)

    def test_a_full_queue(self):
        """Who has most in it loses the last one; the answer is 503 with Retry-After."""
        d = self.daemon('--decode-queue', '3', '--max-scans', '1000')
        many = self.occupy(d, 4, body=VERY_COSTLY)
        status, headers, body = read_response(self.send(d).makefile('rb'))
        self.assertEqual((status, headers['retry-after']), (503, '1'))
        self.assertIn(b'waiting', body)
        other = self.send(d, PHOTO, OTHER)
        self.assertEqual(self.status(many[-1]), 503)
        for s in many[:-1]:  # under a sanitiser they would take minutes
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            s.close()
        self.assertEqual(self.status(other), 200)
        metrics = d.ask('GET', '/metrics').body
        self.assertIn(b'lenet_rejections_total{reason="decode_queue_full"} 2\n', metrics)
        self.assertIn(b'lenet_decode_queue_capacity 3\n', metrics)
        d.process.send_signal(signal.SIGKILL)

    def test_a_deadline_in_the_queue_and_in_the_decoder(self):
        d = self.daemon('--max-scans', '1000')
        self.occupy(d, 2, body=VERY_COSTLY)
        late = self.send(d, headers='X-Request-Timeout-Ms: 50\r\n')
        status, headers, body = read_response(late.makefile('rb'))
        self.assertEqual((status, headers['retry-after']), (503, '1'))
        self.assertIn(b'within 50 ms', body)
        d.process.send_signal(signal.SIGKILL)
        d = self.daemon()
        status, _, body = read_response(self.send(d, headers='X-Request-Timeout-Ms: 50\r\n').makefile('rb'))
        self.assertEqual(status, 503)
        self.assertIn(b'lenet_rejections_total{reason="late"} 1\n', d.ask('GET', '/metrics').body)

    def test_clients_that_leave(self):
        """The decoder stops, and what waited is dropped: it would take half a minute otherwise."""
        d = self.daemon()
        for s in self.occupy(d, 40):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            s.close()
        self.assertEqual(self.status(self.send(d, PHOTO)), 200)
        self.await_gauge(d, 'lenet_requests_unanswered_total', 40)
        self.await_gauge(d, 'lenet_decode_threads_busy', 0)
        decoded = float(re.search(r'^lenet_decode_duration_seconds_count (\d+)', d.ask('GET', '/metrics').body.decode(), re.M)[1])
        self.assertLess(decoded, 10)

    def test_memory(self):
        """Two decoders, and memory for one picture that is held whole at a time."""
        d = self.daemon('--decode-threads', '2', '--decode-memory', '180000000')
        images = json.dumps({'images': [base64.b64encode(COSTLY).decode()]}).encode()  # may hold the largest picture that is allowed
        for _ in range(3):
            self.send(d, images, content_type='application/json')
        self.await_gauge(d, 'lenet_decode_threads_busy', 2)
        reserved = gauge(d, 'lenet_decode_memory_bytes')
        self.assertGreater(reserved, 0)
        self.assertLessEqual(reserved, 180000000)
        self.assertEqual(d.ask('GET', '/healthz').status, 200)
        d.process.send_signal(signal.SIGKILL)

    def test_memory_that_is_not_enough(self):
        r = subprocess.run([LENETD, '--decode-memory', '1000000'], stderr=subprocess.PIPE, env=clean_environment(), timeout=PATIENCE)
        self.assertEqual(r.returncode, 2)
        self.assertIn(b'--decode-memory 1000000 is less than', r.stderr)

    def test_going_down_answers_what_waits(self):
        d = self.daemon()
        waiting = self.occupy(d, 3) + [self.send(d, PHOTO, OTHER)]
        d.process.send_signal(signal.SIGTERM)
        self.assertEqual([self.status(s) for s in waiting], [200] * 4)
        self.assertEqual(d.process.wait(PATIENCE), 0, d.text())

    def test_models_are_loaded_meanwhile(self):
        d = self.daemon()
        waiting = self.occupy(d, 2)
        d.process.send_signal(signal.SIGHUP)
        self.assertEqual(d.ask('POST', '/v2/repository/models/best/load').status, 200)
        self.assertEqual([self.status(s) for s in waiting], [200] * 2)

    def test_limits_are_printed(self):
        d = self.daemon('--decode-queue', '7')
        self.assertIn('1 decode threads (queue 7, 268435456 bytes)', d.text())


if __name__ == '__main__':
    unittest.main()

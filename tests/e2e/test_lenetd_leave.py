"""Clients that leave while their request waits, that have said all they had to say, or that do not wait for long.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_lenetd_leave.py     (in the repository's root)
"""
import signal
import socket
import struct
import unittest

from daemon import PATIENCE, Daemon, mnist, png, read_response

PICTURE = png(mnist(1)[0])
# Whoever comes waits a second for company, a daemon that goes down or not: long enough to see who leaves.
SLOW = '--batch-on-cpu', '--max-delay-us', '1000000', '--deadline-ms', '600000'


def request(version='1.1', *headers):
    lines = [f'POST /predict HTTP/{version}', 'Host: x', f'Content-Length: {len(PICTURE)}', *headers]
    return '\r\n'.join(lines).encode() + b'\r\n\r\n'


class Leave(unittest.TestCase):
    def queue(self, d):
        """A request that the daemon has begun to read."""
        s = d.raw(request('1.1', 'Expect: 100-continue'))
        self.assertEqual(s.recv(25, socket.MSG_WAITALL), b'HTTP/1.1 100 Continue\r\n\r\n')
        s.sendall(PICTURE)
        return s

    def end(self, d, done):
        self.assertEqual(d.stop(), 0, d.text())
        self.assertRegex(d.text(), f'done: {done}\n$')

    def test_a_client_that_closes_costs_no_pass(self):
        with Daemon(*SLOW) as d:
            self.queue(d).close()
            self.end(d, '0 pictures in 0 passes')

    def test_a_client_that_resets_costs_no_pass(self):
        with Daemon(*SLOW) as d:
            s = self.queue(d)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            s.close()
            self.end(d, '0 pictures in 0 passes')

    def test_those_who_stay_are_answered(self):
        with Daemon(*SLOW) as d:
            clients = [self.queue(d) for _ in range(6)]
            for s in clients[::2]:
                s.close()
            d.process.send_signal(signal.SIGTERM)
            for s in clients[1::2]:
                self.assertEqual(read_response(s.makefile('rb'))[0], 200)
                s.close()
            self.assertEqual(d.process.wait(PATIENCE), 0)
            self.assertIn('done: 3 pictures in', d.text())

    def test_a_half_closed_client_is_answered(self):
        """It has said all, and waits. Under HTTP/1.1 it is asked whether it is there."""
        for flags in ((), SLOW):
            for version in ('1.1', '1.0'):
                with self.subTest(flags=flags, version=version), Daemon(*flags) as d, d.raw(request(version) + PICTURE) as s:
                    s.shutdown(socket.SHUT_WR)
                    stream = s.makefile('rb')
                    status, _, body = read_response(stream)
                    if status == 100:
                        self.assertEqual(version, '1.1')
                        status, _, body = read_response(stream)
                    self.assertEqual(status, 200, body)
                    self.end(d, '1 pictures in 1 passes')

    def test_a_half_closed_client_that_leaves_costs_no_pass(self):
        with Daemon(*SLOW) as d, self.queue(d) as s:
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(s.recv(25, socket.MSG_WAITALL), b'HTTP/1.1 100 Continue\r\n\r\n')
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            s.close()
            self.end(d, '0 pictures in 0 passes')

    def test_connections_are_watched_one_request_after_the_other(self):
        with Daemon('--batch-on-cpu') as d:
            with d.raw() as s:
                stream = s.makefile('rb')
                for _ in range(50):
                    s.sendall(request() + PICTURE)
                    self.assertEqual(read_response(stream)[0], 200)
            self.assertEqual(d.predict(PICTURE).status, 200)


class Deadline(unittest.TestCase):
    def test_deadline_of_the_request(self):
        for flags in ((), ('--batch-on-cpu',)):
            with self.subTest(flags=flags), Daemon('--deadline-ms', '60000', *flags) as d:
                for name in ('X-Request-Timeout-Ms', 'X-Envoy-Expected-Rq-Timeout-Ms'):
                    r = d.predict(PICTURE, headers={name: '0'})
                    self.assertEqual((r.status, r.getheader('Retry-After')), (503, '1'))
                    self.assertIn('within 0 ms', r.json['error'])
                    for value in ('59999', '60001', '9' * 40):
                        self.assertEqual(d.predict(PICTURE, headers={name: value}).status, 200)
                    for value in ('-1', '1.5', '1s', ''):
                        r = d.predict(PICTURE, headers={name: value})
                        self.assertEqual(r.status, 400)
                        self.assertIn(name, r.json['error'])

    def test_it_is_the_queue_that_is_too_slow(self):
        with Daemon('--batch-on-cpu', '--max-delay-us', '300000') as d:
            r = d.predict(PICTURE, headers={'X-Request-Timeout-Ms': '1'})
            self.assertEqual(r.status, 503)
            self.assertIn('within 1 ms', r.json['error'])


if __name__ == '__main__':
    unittest.main()

"""What the daemon tells systemd: sd_notify(3)'s protocol, read by a socket of our own.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_notify.py     (in the repository's root)
"""
import contextlib
import os
import signal
import socket
import tempfile
import time
import unittest

from daemon import PATIENCE, Daemon


class Notify(unittest.TestCase):
    @contextlib.contextmanager
    def systemd(self, abstract=False):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.settimeout(PATIENCE)
            name = f'lenetd-test-{os.getpid()}' if abstract else os.path.join(folder, 'notify')
            s.bind('\0' + name if abstract else name)
            yield s, '@' + name if abstract else name

    def hear(self, s, first):
        """The next message, as a dict; its first variable has to be that one."""
        message = dict(line.split('=', 1) for line in s.recv(4096).decode().split('\n'))
        self.assertEqual(next(iter(message)), first)
        return message

    def test_a_life(self):
        for abstract in (False, True):
            with self.subTest(abstract=abstract), self.systemd(abstract) as (s, name), Daemon(NOTIFY_SOCKET=name) as d:
                ready = self.hear(s, 'READY')
                self.assertEqual(ready['READY'], '1')
                self.assertIn(f'http://127.0.0.1:{d.port}', ready['STATUS'])
                for _ in range(2):
                    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                    d.process.send_signal(signal.SIGHUP)
                    reloading = self.hear(s, 'RELOADING')
                    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                    self.assertEqual(reloading['RELOADING'], '1')
                    self.assertTrue(before <= int(reloading['MONOTONIC_USEC']) <= after)
                    self.assertEqual(self.hear(s, 'READY')['READY'], '1')
                d.process.send_signal(signal.SIGTERM)
                self.assertIn('SIGTERM', self.hear(s, 'STOPPING')['STATUS'])
                self.assertEqual(d.process.wait(PATIENCE), 0)

    def test_a_reload_that_failed(self):
        with self.systemd() as (s, name), tempfile.NamedTemporaryFile('w') as keys:
            keys.write('0123456789abcdef')
            keys.flush()
            with Daemon('--api-keys', keys.name, NOTIFY_SOCKET=name) as d:
                self.hear(s, 'READY')
                keys.truncate(3)
                d.process.send_signal(signal.SIGHUP)
                self.hear(s, 'RELOADING')
                self.assertRegex(self.hear(s, 'READY')['STATUS'], '1 failed.*line 1')

    def test_the_watchdog(self):
        for flags in ((), ('--batch-on-cpu',)):
            with self.subTest(flags=flags), self.systemd() as (s, name), \
                    Daemon(*flags, NOTIFY_SOCKET=name, WATCHDOG_USEC='200000') as d:
                self.hear(s, 'READY')
                for _ in range(3):
                    self.hear(s, 'WATCHDOG')
                self.assertEqual(d.stop(), 0)

    def test_no_watchdog(self):
        """Where it is meant for another process, or for none."""
        for env in ({}, {'WATCHDOG_USEC': '0'}, {'WATCHDOG_USEC': '1000', 'WATCHDOG_PID': '1'}):
            with self.subTest(env), self.systemd() as (s, name), Daemon(NOTIFY_SOCKET=name, **env) as d:
                self.hear(s, 'READY')
                time.sleep(0.1)
                d.process.send_signal(signal.SIGTERM)
                self.hear(s, 'STOPPING')

    def test_nobody_listens(self):
        for name in ('/nowhere/notify', 'nonsense', '@'):
            with self.subTest(name), Daemon(NOTIFY_SOCKET=name) as d:
                self.assertEqual(d.ask('GET', '/readyz').status, 200)
                self.assertEqual(d.stop(), 0)
                self.assertIn('NOTIFY_SOCKET=' + name, d.text())


if __name__ == '__main__':
    unittest.main()

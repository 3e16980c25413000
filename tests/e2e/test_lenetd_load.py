"""Models that do not come: on storage that stalls, or out of what is no file.

A lease (fcntl(2)) stalls whoever opens the file, for the 45 seconds that the kernel gives its holder.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_lenetd_load.py     (in the repository's root)
"""
import concurrent.futures
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from daemon import LENETD, PATIENCE, ROOT, Daemon, clean_environment, mnist, png

PICTURE = png(mnist(1)[0])
LOAD = '/v2/repository/models/m/load'


class Load(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, 'm.bin')
        shutil.copy(os.path.join(ROOT, 'models/relu.bin'), self.path)

    @contextlib.contextmanager
    def stalled(self):
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel asks for it back
        fd = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as e:
                self.skipTest(f'no leases on the file system of {self.path}: {e}')
            yield
        finally:
            os.close(fd)
            signal.signal(signal.SIGIO, before)

    def await_stall(self):
        """Until somebody waits for the lease."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with open('/proc/locks', encoding='ascii') as f:
                if any('BREAKING' in line and f':{os.stat(self.path).st_ino} ' in line for line in f):
                    return
            time.sleep(0.01)
        self.fail('nobody waits for the lease')

    def test_loads_that_hang(self):
        with Daemon('--model', self.path, '--http-threads', '2', '--deadline-ms', '500') as d, \
                concurrent.futures.ThreadPoolExecutor(40) as pool:
            with self.stalled():
                loads = [pool.submit(d.ask, 'POST', LOAD) for _ in range(36)]
                done, loads = concurrent.futures.wait(loads, PATIENCE, concurrent.futures.FIRST_COMPLETED)
                self.assertTrue(done)  # by now as many wait as may
                for load in done:
                    self.assertEqual(load.result().status, 503)
                    self.assertIn('waiting already', load.result().json['error'])
                self.await_stall()
                for _ in range(20):
                    self.assertEqual(d.ask('GET', '/healthz').status, 200)
                    self.assertEqual(d.ask('GET', '/readyz').status, 200)
                    self.assertEqual(d.predict(PICTURE).status, 200)
                d.process.send_signal(signal.SIGTERM)
                self.assertEqual(d.process.wait(PATIENCE), 0, d.text())
                self.assertIn('did not finish in time', d.text())
                for load in loads:
                    self.assertEqual(load.result(PATIENCE).status, 503)

    def test_a_reload_that_hangs(self):
        with Daemon('--model', self.path, '--deadline-ms', '500') as d, self.stalled():
            for _ in range(3):
                d.process.send_signal(signal.SIGHUP)
            self.await_stall()
            self.assertEqual(d.predict(PICTURE).status, 200)
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(PATIENCE), 0, d.text())
            self.assertIn('did not finish in time', d.text())

    def test_storage_that_comes_back(self):
        with Daemon('--model', self.path) as d, concurrent.futures.ThreadPoolExecutor(2) as pool:
            with self.stalled():
                loads = [pool.submit(d.ask, 'POST', LOAD) for _ in range(2)]
                self.await_stall()
            for load in loads:
                self.assertEqual(load.result(PATIENCE).status, 200)
            self.assertEqual(d.stop(), 0)
            self.assertNotIn('did not finish in time', d.text())

    def test_what_is_no_file(self):
        with Daemon('--model', self.path) as d:
            os.unlink(self.path)
            os.mkfifo(self.path)
            r = d.ask('POST', LOAD)
            self.assertEqual(r.status, 400)
            self.assertIn('not a regular file', r.json['error'])
            self.assertEqual(d.predict(PICTURE).status, 200)
            self.assertEqual(d.stop(), 0)
        r = subprocess.run([LENETD, '--listen', '127.0.0.1:0', '--model', self.path], stderr=subprocess.PIPE, env=clean_environment(),
                           timeout=PATIENCE, check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b'not a regular file', r.stderr)

    def test_a_load_needs_no_body(self):
        with Daemon('--model', self.path) as d, d.raw(f'POST {LOAD} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'.encode()) as s:
            self.assertTrue(s.makefile('rb').readline().startswith(b'HTTP/1.1 200 '))


if __name__ == '__main__':
    unittest.main()

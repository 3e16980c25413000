"""A GPU that fails while it serves: the daemon of this build over a pretended card (tests/e2e/lost_gpu.c), which computes as the
CPU does until the pass that the environment names. A lost card refuses every later pass, so any answer after that is the CPU's.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_lost_gpu.py     (in the repository's root, after make test)
"""
import concurrent.futures
import contextlib
import signal
import socket
import subprocess
import time
import unittest

from daemon import BOUNDARY, LENETD, PATIENCE, Daemon, clean_environment, mnist, multipart, png, read_response

LOST_GPU = LENETD + '-lost-gpu'
FORM = f'multipart/form-data; boundary={BOUNDARY}'
LOSS = 'lost cuda (pretended): pass {}: this card has fallen off the bus'


class LostGpu(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Requests of one picture and of many, and the answers of a daemon that has only the CPU."""
        cls.pngs = [png(p) for p in mnist(16)]
        cls.bodies = [(p, 'image/png') for p in cls.pngs[:7]] + [(multipart(*cls.pngs), FORM)]
        with Daemon('--device', 'cpu') as d:
            cls.answers = [d.predict(*b).body for b in cls.bodies]

    def daemon(self, *flags, **env):
        return Daemon(*flags, program=LOST_GPU, **env)

    def check_answer(self, d, i, **more):
        r = d.predict(*self.bodies[i], **more)
        self.assertEqual((r.status, r.body), (200, self.answers[i]))
        return r

    def check_ready(self, d, losses):
        r = d.ask('GET', '/readyz')
        self.assertEqual((r.status, r.json), (200, {'status': 'ready', 'engine_losses': losses}))

    def check_log(self, d, lost_pass, consequence):
        """The loss is told once, with what follows."""
        lines = [line for line in d.text().splitlines() if ' error ' in line]
        self.assertEqual(len(lines), 1, d.text())
        self.assertIn(f'{LOSS.format(lost_pass)}; {consequence}', lines[0])

    def check_kernels(self, d, engine, kernels):
        metadata = d.ask('GET', '/v2').json
        self.assertEqual((metadata['engine'], metadata['kernels']), (engine, kernels))
        self.assertIn(f'lenet_engine_info{{engine="{engine}",kernels="{kernels}"}} 1\n', d.ask('GET', '/metrics').body.decode())

    def await_text(self, d, words):
        end = time.monotonic() + PATIENCE
        while words not in d.text():
            self.assertLess(time.monotonic(), end, d.text())
            time.sleep(0.01)

    def begin(self, d):
        """A request that the daemon has seen begin; complete() sends its body and reads the answer."""
        s = d.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n' % len(self.pngs[0]))
        self.assertEqual(s.recv(25, socket.MSG_WAITALL), b'HTTP/1.1 100 Continue\r\n\r\n')
        return s

    def complete(self, s):
        s.sendall(self.pngs[0])
        status, _, body = read_response(s.makefile('rb'))
        self.assertEqual((status, body), (200, self.answers[0]))
        s.close()

    def load(self, d, n_clients, n_requests):
        """So many clients ask, one request after the other, and check each answer."""
        def client(k):
            with contextlib.closing(d.connect()) as c:
                for i in range(n_requests):
                    self.check_answer(d, (k + i) % len(self.bodies), connection=c)
        with concurrent.futures.ThreadPoolExecutor(n_clients) as pool:
            list(pool.map(client, range(n_clients)))

    def test_no_request_is_lost(self):
        # 8·40 requests with 920 pictures, at most 4 a pass: 230 passes or more, and the loss is among them.
        for policy, consequence in (('cpu', 'the CPU has taken over'),
                                    ('unready', 'the CPU has taken over, and /readyz')):
            with self.subTest(policy), self.daemon('--on-gpu-loss', policy, '--max-batch', '4', LOST_GPU_PASS='100') as d:
                self.check_ready(d, 0)
                self.load(d, n_clients=8, n_requests=40)
                self.check_log(d, 100, consequence)
                if policy == 'cpu':
                    self.check_ready(d, 1)
                else:
                    r = d.ask('GET', '/readyz')
                    self.assertEqual(r.status, 503)
                    self.assertIn(LOSS.format(100), r.json['error'])
                    self.assertEqual(d.ask('GET', '/healthz').status, 200)
                self.load(d, n_clients=2, n_requests=8)
                self.check_log(d, 100, consequence)
                self.assertEqual(d.stop(), 0)

    def test_exit_under_load(self):
        def client(d, k):
            with contextlib.closing(d.connect()) as c:
                for n in range(500):
                    try:
                        r = self.check_answer(d, (k + n) % len(self.bodies), connection=c)
                    except OSError:
                        return n  # between two requests the daemon may go; an answer that is cut off is another error
                    if r.getheader('Connection', '').lower() == 'close':
                        return n + 1
            raise AssertionError('the daemon goes on: ' + d.text())
        with self.daemon('--on-gpu-loss', 'exit', '--max-batch', '4', LOST_GPU_PASS='100') as d:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                n_answers = sum(pool.map(lambda k: client(d, k), range(8)))
            self.assertGreater(n_answers, 0)
            self.assertEqual(d.process.wait(PATIENCE), 1, d.text())
            self.check_log(d, 100, 'the CPU answers the requests in flight, then the daemon exits')
            self.assertEqual(d.text().count('GPU lost: answering requests in flight'), 1)

    def test_exit_answers_what_is_in_flight(self):
        with self.daemon('--on-gpu-loss', 'exit', '--max-batch', '4', LOST_GPU_PASS='3') as d:
            halfway = self.begin(d)
            idle = d.raw(b'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
            idle_stream = idle.makefile('rb')
            self.assertEqual(read_response(idle_stream)[0], 200)
            self.check_answer(d, 7)  # passes 2 to 5
            idle.sendall(b'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
            status, _, body = read_response(idle_stream)
            self.assertEqual(status, 503)
            self.assertIn(b'not ready: ', body)
            self.await_text(d, 'GPU lost: answering requests in flight')
            self.assertIsNone(d.process.poll())
            self.complete(halfway)
            self.assertEqual(d.process.wait(PATIENCE), 1, d.text())
            idle.close()

    def test_lost_before_the_first_request(self):
        with self.daemon(LOST_GPU_PASS='1') as d:  # in the warm-up
            self.check_ready(d, 1)
            self.check_answer(d, 7)
            self.check_log(d, 1, 'the CPU has taken over')
            self.assertEqual(d.stop(), 0)
        with self.daemon('--on-gpu-loss', 'exit', LOST_GPU_PASS='1') as d:
            self.assertEqual(d.process.wait(PATIENCE), 1, d.text())

    def test_exit_while_going_down(self):
        with self.daemon('--on-gpu-loss', 'exit', LOST_GPU_PASS='2') as d:
            halfway = self.begin(d)
            d.process.send_signal(signal.SIGTERM)
            self.await_text(d, 'SIGTERM: answering requests in flight')
            self.complete(halfway)
            self.assertEqual(d.process.wait(PATIENCE), 1, d.text())

    def test_a_failed_pass_is_no_loss(self):
        with self.daemon('--on-gpu-loss', 'exit', FAILED_GPU_PASS='2') as d:
            r = d.predict(*self.bodies[0])
            self.assertEqual(r.status, 500)
            self.assertIn('this card is out of sorts', r.json['error'])
            self.check_answer(d, 7)
            self.check_ready(d, 0)
            self.assertEqual(d.stop(), 0)
            self.assertNotIn('lost', d.text())

    def test_what_stands_by(self):
        with self.daemon() as d:
            self.assertRegex(d.text(), r'cuda \(pretended\): a GPU that works; own kernels, not cuDNN\'s: no cuDNN is pretended; '
                                       r'cpu \(.+\) stands by\n')
        with self.daemon('--device', 'cpu') as d:
            self.assertRegex(d.text(), r'cpu \(.+\): asked for\n')
            self.assertNotIn('stands by', d.text())

    def test_the_choice_reaches_the_engine(self):
        with self.daemon(GPU_CUDNN='1') as d:
            self.assertIn("cuda (pretended, cuDNN): a GPU that works; cuDNN's bits do not depend on the batch; cpu", d.text())
            self.assertIn('engine cuda (pretended, cuDNN)\n', d.text())
            self.check_kernels(d, 'cuda (pretended, cuDNN)', 'cudnn')
        with self.daemon('--kernels', 'own', GPU_CUDNN='1') as d:
            self.assertIn('cuda (pretended): a GPU that works; cpu', d.text())
            self.check_kernels(d, 'cuda (pretended)', 'own')
        with self.daemon('--device', 'cuda:1', LENETD_CUDNN='1', LENETD_TF32='1', GPU_CUDNN='1') as d:
            self.assertIn('cuda (pretended, cuDNN, TF32): asked for; cpu', d.text())
            self.assertIn(' warn  --cudnn and LENETD_CUDNN are the old names of --kernels cudnn', d.text())
        with self.daemon(LENETD_ISA='portable') as d:
            self.assertIn('cpu (portable): asked for\n', d.text())
            self.check_kernels(d, 'cpu (portable)', 'portable')
        for flags, words in ((('--tf32',), '--tf32 needs --kernels cudnn'),
                             (('--kernels', 'cudnn'), '--kernels cudnn: no cuDNN is pretended'),
                             (('--device', 'cpu', '--cudnn'), 'not with --device cpu'),
                             (('--device', 'cuda', '--isa', 'portable'), "for the CPU: not with --device cuda")):
            r = subprocess.run([LOST_GPU, *flags], stderr=subprocess.PIPE, env=clean_environment(), timeout=PATIENCE)
            self.assertEqual(r.returncode, 1)
            self.assertIn(words, r.stderr.decode())

    def test_nobody_else_sends_it_away(self):
        with self.daemon('--on-gpu-loss', 'exit') as d:
            d.process.send_signal(signal.SIGUSR1)  # what a loss wakes the main thread with
            self.check_answer(d, 0)
            self.assertEqual(d.stop(), 0)
            self.assertIn('SIGTERM: answering', d.text())


if __name__ == '__main__':
    unittest.main()

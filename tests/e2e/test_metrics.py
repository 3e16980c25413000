"""GET /metrics, the access log, and the ids that requests go by.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_metrics.py     (in the repository's root)
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from daemon import BOUNDARY, PATIENCE, ROOT, Daemon, mnist, multipart, png, read_response

FORM = f'multipart/form-data; boundary={BOUNDARY}'
TRACE = '0af7651916cd43dd8448eb211c80319c'
HELP = re.compile(r'# HELP ([a-z_:]+) (.+)')
TYPE = re.compile(r'# TYPE ([a-z_:]+) (counter|gauge|histogram)')
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? ([-+0-9.eEInf]+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """{(name, label, value, …): number}, from a text that has every family's help and type before its samples, once."""
    samples, types, helps = {}, {}, set()
    if not text.endswith('\n'):
        raise AssertionError('the last line has no end')
    for line in text.splitlines():
        if found := HELP.fullmatch(line):
            helps.add(found[1])
        elif found := TYPE.fullmatch(line):
            assert found[1] in helps and found[1] not in types, line
            types[found[1]] = family = found[2]
            name = found[1]
        elif found := SAMPLE.fullmatch(line):
            parts = ('', '_bucket', '_sum', '_count') if family == 'histogram' else ('',)
            assert found[1] in [name + part for part in parts], line
            key = (found[1], *sum(LABEL.findall(found[2] or ''), ()))
            assert key not in samples, line
            samples[key] = float(found[3])
        else:
            raise AssertionError('not understood: ' + line)
    return samples


def leave(daemon):
    """Begins a request, as it shows by the daemon's 100 Continue, and goes away."""
    with daemon.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n') as s:
        assert b' 100 ' in s.recv(100)


def check_histograms(test, samples):
    """Buckets grow, the last one is the count."""
    last = {}
    for (name, *labels), value in samples.items():
        if name.endswith('_bucket'):
            key = (name[:-7], *labels[:-2])
            bound = float(labels[-1])
            if key in last:
                test.assertLess(last[key][0], bound)
                test.assertLessEqual(last[key][1], value)
            last[key] = bound, value
    test.assertGreaterEqual(len(last), 4)
    for (name, *labels), (bound, value) in last.items():
        test.assertEqual(bound, float('inf'))
        test.assertEqual(samples[(name + '_count', *labels)], value)
        test.assertGreaterEqual(samples[(name + '_sum', *labels)], 0)


class Metrics(unittest.TestCase):
    """Known requests, and what they add to the counts. By both ways to the engine."""

    def scrape(self, daemon):
        r = daemon.ask('GET', '/metrics')
        self.assertEqual(r.status, 200)
        self.assertEqual(r.getheader('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8')
        samples = parse(r.body.decode())
        check_histograms(self, samples)
        return samples

    def check(self, capacity, *flags):
        pictures = mnist(3)
        with Daemon(*flags) as daemon:
            first = self.scrape(daemon)
            for _ in range(5):
                self.assertEqual(daemon.predict(png(pictures[0])).status, 200)
            self.assertEqual(daemon.predict(multipart(png(pictures[0]), b'no picture', png([0] * 784), png(pictures[1])), FORM).status, 200)
            self.assertEqual(daemon.predict(b'no picture').status, 415)
            self.assertEqual(daemon.predict(b'x' * 4000).status, 413)
            for i in range(7):
                self.assertEqual(daemon.ask('GET', f'/nowhere/{i}').status, 404)
            self.assertEqual(daemon.ask('GET', '/predict').status, 405)
            self.assertEqual(daemon.ask('HEAD', '/healthz').status, 200)
            last = self.scrape(daemon)

        def more(*key):
            return last.get(key, 0) - first.get(key, 0)

        def requests(route, method, code):
            return more('lenet_requests_total', 'route', route, 'method', method, 'code', str(code))
        self.assertEqual([requests('/predict', 'POST', code) for code in (200, 415, 413)], [6, 1, 1])
        self.assertEqual([requests('none', 'any', code) for code in (404, 405)], [7, 1])
        self.assertEqual(requests('/healthz', 'GET', 200), 1)
        self.assertEqual(requests('/metrics', 'GET', 200), 1)  # the first one: a scrape does not see itself
        self.assertFalse([key for key in last if any('nowhere' in part for part in key)])
        self.assertEqual(more('lenet_request_duration_seconds_count', 'route', '/predict', 'method', 'POST'), 8)
        self.assertEqual([more(f'lenet_{stage}_duration_seconds_count') for stage in ('decode', 'queue', 'compute')], [7, 6, 6])
        self.assertEqual((more('lenet_batch_size_count'), more('lenet_batch_size_sum')), (6, 7))
        self.assertEqual(more('lenet_predictions_total', 'digit', '7'), 6)
        self.assertEqual(more('lenet_predictions_total', 'digit', '2'), 1)
        self.assertEqual(more('lenet_predictions_total', 'digit', 'refused'), 1)
        reasons = ('blank', 'no_digit', 'several_digits', 'too_small', 'too_blurred')
        self.assertEqual([more('lenet_refused_total', 'reason', reason) for reason in reasons], [1, 0, 0, 0, 0])
        self.assertEqual(more('lenet_predictions_total', 'digit', 'unreadable'), 2)
        self.assertEqual(sum(more(*key) for key in last if key[0] == 'lenet_predictions_total'), 10)
        self.assertEqual(more('lenet_rejections_total', 'reason', 'body_too_large'), 1)
        self.assertEqual((last['lenet_queue_depth',], last['lenet_queue_capacity',]), (0, capacity))
        self.assertEqual(last['lenet_model_info', 'model', 'best', 'network', 'relu'], 1)
        self.assertEqual((last['lenet_ready',], last['lenet_engine_losses_total',], last['lenet_requests_unanswered_total',]), (1, 0, 0))

    def test_counts_add_up_directly(self):
        self.check(0, '--max-body', '3000')

    def test_counts_add_up_through_the_batcher(self):
        self.check(321, '--max-body', '3000', '--batch-on-cpu', '--queue', '321')

    def test_connections_and_clients_that_leave(self):
        with Daemon() as daemon:
            open_before = self.scrape(daemon)['lenet_connections_open',]
            with daemon.raw(), daemon.raw():
                end = time.monotonic() + PATIENCE
                while self.scrape(daemon)['lenet_connections_open',] != open_before + 2:
                    self.assertLess(time.monotonic(), end)
            leave(daemon)
            while self.scrape(daemon)['lenet_requests_unanswered_total',] != 1:
                self.assertLess(time.monotonic(), end)

    def test_models(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'm.bin')
            shutil.copy(os.path.join(ROOT, 'models/lab.bin'), path)
            with Daemon('--model', f'a={path}', '--model', os.path.join(ROOT, 'models/relu.bin')) as daemon:
                with open(path, 'w') as f:
                    f.write('damaged')
                daemon.process.send_signal(signal.SIGHUP)
                end = time.monotonic() + PATIENCE
                while self.scrape(daemon)['lenet_model_loads_total', 'model', 'relu'] != 2:
                    self.assertLess(time.monotonic(), end)
                samples = self.scrape(daemon)
        self.assertEqual([samples[f'lenet_model_{name}', 'model', 'a'] for name in ('loads_total', 'load_failures_total', 'last_load_successful')],
                         [1, 1, 0])
        self.assertEqual(samples['lenet_model_last_load_successful', 'model', 'relu'], 1)
        self.assertEqual(samples['lenet_model_info', 'model', 'a', 'network', 'sigmoid'], 1)

    def test_process(self):
        with Daemon() as daemon:
            samples = self.scrape(daemon)
            with open(f'/proc/{daemon.process.pid}/limits') as f:
                limit = int(re.search(r'Max open files +(\d+)', f.read())[1])
            self.assertEqual(samples['process_max_fds',], limit)
            self.assertAlmostEqual(samples['process_open_fds',], len(os.listdir(f'/proc/{daemon.process.pid}/fd')), delta=2)
            with open(f'/proc/{daemon.process.pid}/statm') as f:
                pages = int(f.read().split()[1])
            self.assertAlmostEqual(samples['process_resident_memory_bytes',] / (pages * os.sysconf('SC_PAGESIZE')), 1, delta=0.3)
            self.assertGreater(samples['process_cpu_seconds_total',], 0)
            self.assertLess(abs(samples['process_start_time_seconds',] - time.time()), PATIENCE)

    def test_promtool(self):
        promtool = shutil.which('promtool') or os.path.join(ROOT, 'build/tools/root/usr/bin/promtool')
        if not os.path.exists(promtool):
            self.skipTest('promtool is not there: tests/ops/tools "$PWD/build/tools" prometheus fetches it')
        with Daemon('--access-log', 'json', stdout=subprocess.DEVNULL) as daemon:
            daemon.predict(png(mnist(1)[0]))
            text = daemon.ask('GET', '/metrics').body
        result = subprocess.run([promtool, 'check', 'metrics'], input=text, capture_output=True, timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, b''))


class Ids(unittest.TestCase):
    """What a request is called: in its answer, and in its line of the log."""

    def run_daemon(self, form, ask):
        """What ask(daemon) returns, and the lines of the access log."""
        with tempfile.TemporaryFile() as out:
            with Daemon('--access-log', form, stdout=out) as daemon:
                result = ask(daemon)
            out.seek(0)
            return result, out.read().decode('ascii').splitlines()

    def test_json(self):
        picture = png(mnist(1)[0])

        def ask(daemon):
            c = daemon.connect()
            answers = [
                daemon.predict(picture, connection=c, query='?explain=1', headers={
                    'X-Request-Id': 'from-the-client/1', 'traceparent': f'00-{TRACE}-b7ad6b7169203331-01'}),
                daemon.ask('GET', '/%22%0a%5c%7f/secret?key=hunter2', connection=c, headers={'X-Request-Id': 'not "sane"', 'traceparent': 'x'}),
                daemon.ask('HEAD', '/healthz', connection=c),
                daemon.predict(b'', connection=c),
            ]
            c.close()
            return answers
        answers, lines = self.run_daemon('json', ask)
        lines = [json.loads(line) for line in lines]
        self.assertEqual([a.getheader('X-Request-Id') for a in answers], [line['request_id'] for line in lines])
        self.assertEqual([a.status for a in answers], [line['status'] for line in lines])
        self.assertEqual([len(a.body) for a in answers], [line['bytes_out'] for line in lines])
        self.assertEqual([line['bytes_in'] for line in lines], [len(picture), 0, 0, 0])
        self.assertEqual([(line['method'], line['path']) for line in lines],
                         [('POST', '/predict'), ('GET', '/%22%0A%5C%7F/secret'), ('HEAD', '/healthz'), ('POST', '/predict')])
        self.assertNotIn('hunter2', str(lines))
        self.assertEqual(lines[0]['request_id'], 'from-the-client/1')
        self.assertEqual([line.get('trace_id') for line in lines], [TRACE, None, None, None])
        for line in lines[1:]:
            self.assertRegex(line['request_id'], '^[0-9a-f]{32}$')
        self.assertEqual(len({line['request_id'] for line in lines}), 4)
        self.assertEqual((lines[0]['model'], lines[0]['pictures'], lines[0]['client']), ('best', 1, '127.0.0.1'))
        for line in lines:
            self.assertRegex(line['time'], r'^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$')
            self.assertGreaterEqual(line['duration_ms'], line.get('decode_ms', 0) + line.get('compute_ms', 0) - 0.002)

        timing = dict(re.fullmatch(r'(\w+);dur=(\d+\.\d{3})', part).groups() for part in answers[0].getheader('Server-Timing').split(', '))
        self.assertEqual(list(timing), ['decode', 'queue', 'compute'])
        for name, value in timing.items():
            self.assertAlmostEqual(float(value), lines[0][name + '_ms'], delta=0.0011)
        self.assertIsNone(answers[1].getheader('Server-Timing'))

    def test_text(self):
        answer, lines = self.run_daemon('text', lambda daemon: daemon.predict(png(mnist(1)[0])))
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r'^\S+Z 127\.0\.0\.1 POST /predict 200 in=\d+ out=\d+ ms=[\d.]+ decode=[\d.]+ queue=[\d.]+ '
                                   r'compute=[\d.]+ model=best pictures=1 id=' + answer.getheader('X-Request-Id') + '$')

    def test_refusals_have_ids_too(self):
        with Daemon('--max-body', '1000') as daemon:
            self.assertTrue(daemon.predict(b'x' * 2000).getheader('X-Request-Id'))
            with daemon.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\nContent-Length: 9999\r\n'
                            b'Expect: 100-continue\r\n\r\n') as s:
                status, headers, _ = read_response(s.makefile('rb'))
                self.assertEqual((status, headers['x-request-id']), (413, 'mine'))

    def test_off_by_default(self):
        with tempfile.TemporaryFile() as out:
            with Daemon(stdout=out) as daemon:
                daemon.predict(png(mnist(1)[0]))
            out.seek(0)
            self.assertEqual(out.read(), b'')

    def test_a_client_that_leaves_has_a_line(self):
        def ask(daemon):
            leave(daemon)
            end = time.monotonic() + PATIENCE
            while b'unanswered_total 1' not in daemon.ask('GET', '/metrics').body:
                self.assertLess(time.monotonic(), end)
        lines = self.run_daemon('json', ask)[1]
        lines = [json.loads(line) for line in lines if '/predict' in line]
        self.assertEqual([(line['status'], line['bytes_in']) for line in lines], [(None, 0)])

    def test_a_client_that_leaves_the_queue_has_no_status(self):
        picture = png(mnist(1)[0])
        flags = '--batch-on-cpu', '--max-delay-us', '1000000', '--access-log', 'json'
        with tempfile.TemporaryFile() as out, Daemon(*flags, stdout=out) as daemon:
            def await_metric(name):
                end = time.monotonic() + PATIENCE
                while not (counts := parse(daemon.ask('GET', '/metrics').body.decode()))[name,]:
                    self.assertLess(time.monotonic(), end)
                return counts
            with daemon.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % len(picture) + picture):
                await_metric('lenet_queue_depth')
            counts = await_metric('lenet_requests_unanswered_total')
            self.assertNotIn('/predict', [label for key in counts for label in key])
            daemon.stop()
            out.seek(0)
            lines = [json.loads(line) for line in out if b'/predict' in line]
            self.assertEqual([(line['status'], line['bytes_out']) for line in lines], [(None, 0)])

    def test_a_reader_that_is_gone_is_spoken_of_once(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        with Daemon('--access-log', 'text', stdout=write_end) as daemon:
            os.close(write_end)
            for n in range(1, 6):  # each line has a write of its own
                daemon.ask('GET', '/healthz')
                end = time.monotonic() + PATIENCE
                while parse(daemon.ask('GET', '/metrics').body.decode())['lenet_access_log_dropped_total',] < 2 * n:
                    self.assertLess(time.monotonic(), end)
            self.assertEqual(daemon.stop(), 0)
            said = re.findall(r'(\d+) lines dropped', daemon.text())
            self.assertEqual(len(said), 2, daemon.text())  # when it began, and at the end
            self.assertGreaterEqual(sum(map(int, said)), 10)

    def test_a_reader_that_does_not_read_stops_nobody(self):
        read_end, write_end = os.pipe()
        try:
            with Daemon('--access-log', 'json', '--log-level', 'info', stdout=write_end) as daemon:
                os.close(write_end)
                write_end = None
                c = daemon.connect()
                for _ in range(4000):  # more than the pipe and the buffers hold
                    self.assertEqual(daemon.ask('GET', '/healthz', connection=c).status, 200)
                c.close()
                dropped = parse(daemon.ask('GET', '/metrics').body.decode())['lenet_access_log_dropped_total',]
                self.assertGreater(dropped, 0)
                self.assertEqual(daemon.stop(), 0)
                self.assertIn('lines dropped', daemon.text())
        finally:
            os.close(read_end)
            if write_end is not None:
                os.close(write_end)

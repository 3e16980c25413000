"""What check.py, bench.py and tests/bench stand on: finding the bundle, building for this machine's GPU, running commands within
the time that there is, a peer in a process of its own, a lenetd of our own, load upon it, and the table of what came out."""
import argparse
import contextlib
import datetime
import glob
import http.client
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUNDLE = os.path.join(ROOT, 'build/gpu-bundle')
BUILD = 'build/gpu'  # beside the other variants, so that no ordinary build is disturbed
RESULTS = os.path.join(ROOT, BUILD, 'results')
LEAST_S = 5  # with less time left nothing is begun
SHOWN = 1500  # characters of a failed command's output; all of it goes to a file

# What has lenet and lenetd compute on an engine, as TEST_ENGINE names it. "auto" is what they choose by themselves.
FLAGS = {
    'cpu': ['--device', 'cpu'],
    'cuda': ['--device', 'cuda', '--kernels', 'own'],
    'cudnn': ['--device', 'cuda', '--kernels', 'cudnn'],
    'tf32': ['--device', 'cuda', '--kernels', 'cudnn', '--tf32'],
    'auto': [],
}


class Failed(Exception):
    """A part that cannot go on: the message is for the table."""


class Skipped(Exception):
    """A part that cannot be done here, and why."""


class Report:
    """Rows of (name, result, figure), printed as they come and once more, together, at the end. Where a path is given, each row is
    also written to PATH.txt at once, so that a script that is killed leaves the rows so far; and what a failed command said to
    PATH-failed.log."""

    def __init__(self, title, limit_s, path=None):
        self.title, self.limit_s, self.rows, self.began = title, limit_s, [], time.monotonic()
        self.table = self.failures = None
        if path:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.table = open(f'{path}.txt', 'w', buffering=1)  # line by line
            self.failures = open(f'{path}-failed.log', 'w', buffering=1)
            self.write(f'{title}, {datetime.datetime.now():%Y-%m-%d %H:%M}, at most {limit_s} s. '
                       'The last line counts the rows; without it the run was cut short.')

    def write(self, line):
        if self.table:
            self.table.write(line.rstrip() + '\n')

    def left_s(self):
        return self.limit_s - (time.monotonic() - self.began)

    def time_for(self, at_most_s):
        """Seconds that a step may take. Skipped: the time is over."""
        left_s = self.left_s()
        if left_s < LEAST_S:
            raise Skipped(f'the {self.limit_s} s were over: --limit gives more')
        return min(at_most_s, left_s)

    def add(self, name, result, figure=''):
        self.rows.append((name, result, figure))
        print(f'{result:8} {name}: {figure}', flush=True)
        self.write(f'{name:40}  {result:8} {figure}')

    def keep_output(self, command, out):
        """All that a failed command said."""
        if self.failures:
            self.failures.write(f'== {" ".join(command)}\n{out}\n')

    @contextlib.contextmanager
    def part(self, name):
        """Whatever goes wrong inside is a row of the table, and the next part has its turn."""
        print(f'-- {name} ({self.left_s():.0f} s left)', flush=True)
        try:
            yield
        except Skipped as e:
            self.add(name, 'SKIPPED', str(e))
        except Failed as e:
            self.add(name, 'FAIL', str(e))
        except Exception as e:  # our own mistake must not cost the parts that follow
            traceback.print_exc(limit=-2, file=sys.stdout)
            self.add(name, 'FAIL', f'{type(e).__name__}: {e}')

    def close(self):
        """Prints the table; the exit status."""
        width = max(len(name) for name, _, _ in self.rows)
        print(f'\n{self.title}')
        for name, result, figure in self.rows:
            print(f'{name:{width}}  {result:8} {figure}'.rstrip())
        count = {result: sum(r == result for _, r, _ in self.rows) for result in ('FAIL', 'SKIPPED')}
        done = len(self.rows) - sum(count.values())
        counts = f'{done} done, {count["FAIL"]} failed, {count["SKIPPED"]} skipped, {time.monotonic() - self.began:.0f} s'
        print(counts)
        self.write(counts)
        for f in (self.table, self.failures):
            if f:
                f.close()
        return 1 if count['FAIL'] or not done else 0


def arguments(description, limit_s):
    """The parser of what check.py and bench.py both take."""
    def seconds(text):
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise argparse.ArgumentTypeError(f'"{text}" is not accepted: give a whole number of seconds from 1')
        return int(text)
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--device', choices=('cuda', 'cpu'), default='cuda', help='cpu: only to try this script')
    parser.add_argument('--short', action='store_true', help='less of everything: only to try this script')
    parser.add_argument('--limit', type=seconds, metavar='SECONDS',
                        help=f'of the whole run, the build included; what does not fit is skipped ({limit_s})')
    parser.add_argument('--out', metavar='DIR', help=f'where table, figures and logs are put ({os.path.relpath(RESULTS, ROOT)})')
    return parser


def say_output(text):
    print('\n'.join('   | ' + line for line in text[-SHOWN:].splitlines()), flush=True)


def run(report, command, timeout_s, env=None, statuses=(0,), each_line=None):
    """Its standard output and error together; each_line takes every line as it comes. Failed: another exit status, or too late."""
    timeout_s = report.time_for(timeout_s)
    lines = []

    def read(stream):
        for line in stream:
            lines.append(line)
            if each_line:
                each_line(line.rstrip('\n'))
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors='replace', start_new_session=True) as process:
        reader = threading.Thread(target=read, args=(process.stdout,))
        reader.start()
        reader.join(timeout_s)
        late = reader.is_alive()
        if late:
            os.killpg(process.pid, signal.SIGKILL)
            reader.join()
    out = ''.join(lines)
    if late:
        say_output(out)
        report.keep_output(command, out)
        raise Failed(f'{os.path.basename(command[0])}: not done after {timeout_s:.0f} s')
    if process.returncode not in statuses:
        say_output(out)
        report.keep_output(command, out)
        last = (out.strip().splitlines() or ['it says nothing'])[-1]
        raise Failed(f'{os.path.basename(command[0])}: exit status {process.returncode}: {last}')
    return out


def has_bundle():
    return os.path.isdir(os.path.join(BUNDLE, 'lib'))


def cudnn_folders():
    """Where pip's packages keep cuDNN and the libraries that it loads: (include, libraries); empty where there are none."""
    spec = importlib.util.find_spec('nvidia')
    places = list(spec.submodule_search_locations) if spec else []
    return ([d for p in places for d in glob.glob(f'{p}/cudnn/include')], [d for p in places for d in sorted(glob.glob(f'{p}/*/lib'))])


def environment():
    """What builds and runs our own programs: the bundle's pkg-config first, cuDNN to be found. Not for other programs: the
    libraries of the bundle are known to our binaries by rpath, and to nobody else."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(('LENETD', 'MAKE', 'MFLAGS'))}
    path = env.get('PATH', os.defpath).split(os.pathsep) + ['/usr/local/cuda/bin']
    if has_bundle():
        for tool in glob.glob(f'{BUNDLE}/bin/*') + glob.glob(f'{BUNDLE}/fallback/*') + [f'{BUNDLE}/lib/wrk']:
            os.chmod(tool, 0o755)  # whatever carried the folder
        path = [f'{BUNDLE}/bin', *path, f'{BUNDLE}/fallback']
    env['PATH'] = os.pathsep.join(path)
    _, libraries = cudnn_folders()
    if libraries:
        env['LD_LIBRARY_PATH'] = os.pathsep.join([*libraries, *filter(None, [env.get('LD_LIBRARY_PATH')])])
    return env


def tool(name, env):
    return shutil.which(name, path=env['PATH'])


def ask_card(query):
    """One line of nvidia-smi, or an empty string."""
    try:
        out = subprocess.run(['nvidia-smi', f'--query-gpu={query}', '--format=csv,noheader'], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        out = ''
    return out.splitlines()[0].strip() if out.strip() else ''


def make(report, device, env, *targets):
    """Builds what of them is not built yet, on all processors, for this machine's GPU alone; `device` cpu builds without CUDA. Returns
    make's settings."""
    program = tool('make', env)
    if not program:
        raise Failed('there is no make: neither on this machine nor in build/gpu-bundle (make gpu-bundle puts one there)')
    settings = ['CUDA=0']
    if device == 'cuda':
        capability = ask_card('compute_cap').replace('.', '')
        if not capability:
            raise Failed('nvidia-smi names no card, so there is nothing to build for')
        settings = ['CUDA=1', f'CUDA_ARCHS={capability}', *(f'CUDNN_H={d}/cudnn.h' for d in cudnn_folders()[0][:1])]
    # pkg-config decides at once what would else be said by the compiler, file by file
    if subprocess.run([tool('pkg-config', env) or 'false', '--exists', 'libmicrohttpd', 'gnutls', 'libcjson', 'libpng', 'libdeflate', 'libjpeg',
                       'libwebp', 'nettle', 'zlib'], env=env).returncode:
        raise Failed('the libraries are missing: make gpu-bundle, on a machine with a network, fills build/gpu-bundle')
    run(report, [program, f'-j{os.cpu_count()}', f'B={BUILD}', *settings, *targets], report.limit_s, env)
    return settings


def build(report, device, env):
    """What both scripts run."""
    began = time.monotonic()
    settings = make(report, device, env, 'all', f'{BUILD}/gpu-tests')
    report.add('build', 'ok', f'{" ".join(settings)}, {time.monotonic() - began:.0f} s')


def mnist_folder():
    for folder in (f'{BUNDLE}/data', f'{ROOT}/data'):
        if any(os.path.exists(f'{folder}/train-images-idx3-ubyte{packed}') for packed in ('', '.gz')):
            return folder
    raise Skipped('no MNIST: make gpu-bundle or lenet fetch gets it')


def find_torch():
    """A python3 that has PyTorch."""
    look = 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'
    for python in (sys.executable, 'python3', '/usr/bin/python3'):
        if subprocess.run([python, '-c', look], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise Skipped('no python3 here has PyTorch: nothing is compared with it')


class Peer:
    """Another's program in a process of its own, kept waiting between its turns: a line of JSON is a request, a line its reply. It
    computes only when it is asked. log: its standard error is appended to it."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log, self.process = name, command, log, None

    def ask(self, report, timeout_s=120, **request):
        timeout_s = report.time_for(timeout_s)
        if not self.process:
            with open(self.log, 'a') as log:
                self.process = subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                                bufsize=0)
        line = b''
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request).encode() + b'\n')
            if select.select([self.process.stdout], [], [], timeout_s)[0]:
                line = self.process.stdout.readline()
        reply = json.loads(line or '{}')
        if not reply:
            reply = {'failed': f'no answer within {timeout_s:.0f} s, or it ended: {self.log} has its last words'}
        if 'skipped' in reply:
            raise Skipped(reply['skipped'])
        if 'failed' in reply:
            self.close()  # after an error of CUDA's only a new process can be trusted
            raise Failed(f'{self.name}: {reply["failed"]}')
        return reply

    def close(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


class Daemon:
    """A lenetd of our own on a free port, up until the end of the with block. It refuses no digit, as `lenet eval` does not."""

    def __init__(self, report, env, *flags, program='lenetd'):
        end = time.monotonic() + report.time_for(60)
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([f'{ROOT}/{BUILD}/{program}', '--listen', '127.0.0.1:0', '--threshold', '0', *flags],
                                        stderr=self.log, env=env)
        while not (found := re.search(r'listening on http://([\d.]+):(\d+), model .*, engine (.*)', self.text())):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise Failed('lenetd does not come up: ' + (self.text().strip().splitlines() or ['it says nothing'])[-1])
            time.sleep(0.01)
        self.host, self.port, self.engine = found[1], int(found[2]), found[3]

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors='replace')

    def stop(self):
        """Its exit status, after a SIGTERM."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def pictures_a_pass(self):
        """Pictures a pass, on the average, of one that has stopped."""
        found = re.search(r'done: (\d+) pictures in (\d+) passes', self.text())
        if not found or found[2] == '0':
            raise Failed('lenetd did not say how many passes it made')
        return int(found[1]) / int(found[2])

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def predict(connection, body, content_type):
    """The digits of one request's pictures."""
    connection.request('POST', '/predict', body, {'Content-Type': content_type})
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        raise Failed(f'lenetd answers {response.status}: {answer}')
    return [p['digit'] for p in answer['predictions']]


def micros(text):
    """wrk's "1.23ms" in microseconds."""
    number, unit = re.fullmatch(r'([\d.]+)(us|ms|s|m)', text).groups()
    return float(number) * {'us': 1, 'ms': 1e3, 's': 1e6, 'm': 6e7}[unit]


def load(report, env, daemon, connections, seconds, check=False, n_threads=4, before=()):
    """wrk with so many connections, each posting tests/data/7.png again and again. check: that each answer is a 7, too. before: a
    command that runs another, as taskset does."""
    if not tool('wrk', env):
        raise Skipped('there is no wrk: make gpu-bundle brings one')
    threads = min(connections, n_threads)
    out = run(report, [*before, tool('wrk', env), f'-t{threads}', f'-c{connections}', f'-d{seconds}s', '--timeout', '10s', '--latency',
                       '-s', 'tests/gpu/post.lua', f'http://{daemon.host}:{daemon.port}/predict'], seconds + 30,
              {**env, 'CHECK_ANSWERS': '1'} if check else env)
    errors = re.findall(r'(?:Non-2xx|Socket errors).*', out)
    if errors or (check and 'wrong answers: 0\n' not in out):
        say_output(out)
        raise Failed(f'{connections} connections: {"; ".join(errors) or "wrong answers"}')
    return {
        'connections': connections,
        'requests_per_s': float(re.search(r'Requests/sec:\s*([\d.]+)', out)[1]),
        'p50_us': micros(re.search(r'^ +50% +(\S+)', out, re.M)[1]),
        'p99_us': micros(re.search(r'^ +99% +(\S+)', out, re.M)[1]),
        'mean_us': micros(re.search(r'^ +Latency +(\S+)', out, re.M)[1]),
        'max_us': micros(re.search(r'^ +Latency +\S+ +\S+ +(\S+)', out, re.M)[1]),
    }

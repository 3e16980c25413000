"""`make test-gpu`: builds for this machine's GPU and tests all that needs one; docs/gpu.md says what the table means.

    python3 tests/gpu/check.py --out DIR                own kernels and cuDNN, what tells most first
    python3 tests/gpu/check.py --sanitizers             the same tests under compute-sanitizer, and nothing else
    python3 tests/gpu/check.py --device cpu --short     the same steps on the CPU engine: tries this script, shows nothing of a GPU
"""
import concurrent.futures
import contextlib
import gzip
import json
import os
import re
import sys
import tempfile
import threading
import time

import rig

SUITE = ('engine_', 'gpu_bits', 'gpu_layers', 'gpu_training')
OPENINGS = ('gpu_opens',)  # apart: nobody knows how long a thousand of them take on a new card
# Under compute-sanitizer, which costs a factor of ten to a hundred: each kernel with several sizes, each kind of call.
SHORT_SUITE = ('gpu_', 'engine_golden_step0', 'engine_refuses')
SHORTEST_SUITE = ('gpu_bits', 'gpu_layers', 'gpu_training_matches')
SANITIZERS = (
    ('memcheck', 'cuda', SHORT_SUITE), ('racecheck', 'cuda', SHORTEST_SUITE), ('initcheck', 'cuda', SHORT_SUITE),
    ('synccheck', 'cuda', SHORTEST_SUITE), ('memcheck', 'cudnn', SHORT_SUITE),
)
N_DIGITS = 2000  # test pictures that lenetd is asked for
N_CLIENTS = 16
LIMIT_S, SANITIZERS_LIMIT_S = 250, 250


def test_environment(env, engine, short):
    env = {**env, 'TEST_ENGINE': engine}
    return {**env, 'TEST_SHORT': '1'} if short else env


def test_rows(report, engine):
    """Returns a function that takes gpu-tests' lines and adds a row for each test as it ends: its figures, and why it failed."""
    notes = []

    def take(line):
        row = re.fullmatch(r'(ok  |FAIL|skip) (\w+)', line)
        if not row:
            notes.append(line.strip())
            return
        result = {'ok  ': 'ok', 'FAIL': 'FAIL', 'skip': 'SKIPPED'}[row[1]]
        figures = [n.removeprefix('figure: ') for n in notes if n.startswith('figure: ')]
        others = [n for n in notes if not n.startswith('figure: ')]
        report.add(f'{engine}: {row[2]}', result, '; '.join(figures + (others[:2] if result != 'ok' else [])))
        notes.clear()
    return take


def check_engine(report, env, engine, suite, timeout_s, short):
    """Tests of gpu-tests by their names, on one engine."""
    out = rig.run(report, [f'{rig.BUILD}/gpu-tests', *suite], timeout_s, test_environment(env, engine, short), (0, 1),
                  test_rows(report, engine))
    if not re.search(r'^\d+ passed, \d+ failed, \d+ skipped$', out, re.M):
        raise rig.Failed('gpu-tests ended before its last test')


def right_answers(report, env, engine):
    """What `lenet eval` says of the built-in model."""
    return json.loads(rig.run(report, [f'{rig.BUILD}/lenet', 'eval', '--json', '--data', 'tests/data', *rig.FLAGS[engine]], 60, env))


def check_eval(report, env, engine):
    answer, reference = right_answers(report, env, engine), right_answers(report, env, 'cpu')
    same = answer['right'] == reference['right']
    report.add(f'{engine}: lenet eval', 'ok' if same or engine == 'tf32' else 'FAIL',
               f'{answer["right"]} of {answer["pictures"]} right, {reference["right"]} on the CPU')


def check_train(report, env, engine, folder):
    """Two runs of one recipe write the same file."""
    files = []
    for i in range(2):
        out = os.path.join(folder, f'{engine}-{i}.bin')
        rig.run(report, [f'{rig.BUILD}/lenet', 'train', 'models/lab.json', '--epochs', '2', '--data', 'tests/data', '-o', out,
                         *rig.FLAGS[engine]], 90, env)
        with open(out, 'rb') as f:
            files.append(f.read())
    same = files[0] == files[1]
    report.add(f'{engine}: lenet train twice', 'ok' if same else 'FAIL', f'{"the same" if same else "not the same"} {len(files[0])} bytes')


def check_sanitizer(report, env, tool, engine, suite):
    program = rig.tool('compute-sanitizer', env)
    if not program:
        raise rig.Skipped('there is no compute-sanitizer: it comes with the CUDA toolkit')
    out = rig.run(report, [program, '--tool', tool, '--error-exitcode', '9', f'{rig.BUILD}/gpu-tests', *suite], 60,
                  test_environment(env, engine, True), statuses=(0, 1, 9))
    summary = re.findall(r'={9} (\w+ SUMMARY: .*)', out)
    tests = re.search(r'^(\d+) passed, (\d+) failed, (\d+) skipped$', out, re.M)
    if not summary or not tests:
        rig.say_output(out)
        raise rig.Failed('it ended before the last test')
    clean = bool(re.search(r'SUMMARY: 0 (errors|hazards)', summary[-1])) and tests[2] == '0'
    if not clean:
        rig.say_output('\n'.join(line for line in out.splitlines() if line.startswith('='))[:rig.SHOWN])
    report.add(f'{engine}: {tool}', 'ok' if clean else 'FAIL', f'{summary[-1]}; {tests[0]}')


def read_test_set():
    with gzip.open(f'{rig.ROOT}/tests/data/t10k-images-idx3-ubyte.gz') as f:
        pixels = f.read()[16:]
    with gzip.open(f'{rig.ROOT}/tests/data/t10k-labels-idx1-ubyte.gz') as f:
        labels = f.read()[8:]
    return pixels, labels


def ask_digits(daemon, pixels):
    """The digits of the first N_DIGITS test pictures, over N_CLIENTS connections, in requests of 1 to 8 pictures."""
    pieces, at = [], 0
    while at < N_DIGITS:
        n = min(1 + len(pieces) % 8, N_DIGITS - at)
        pieces.append((at, n))
        at += n

    def ask(share):
        found = {}
        with contextlib.closing(daemon.connect()) as connection:
            for at, n in share:
                body = json.dumps({'pixels': [list(pixels[i * 784:(i + 1) * 784]) for i in range(at, at + n)]})
                for i, digit in enumerate(rig.predict(connection, body, 'application/json')):
                    found[at + i] = digit
        return found
    found = {}
    with concurrent.futures.ThreadPoolExecutor(N_CLIENTS) as pool:
        for part in pool.map(ask, [pieces[i::N_CLIENTS] for i in range(N_CLIENTS)]):
            found.update(part)
    return [found[i] for i in range(N_DIGITS)]


def right_digits(report, env, labels):
    """What the CPU answers for the first N_DIGITS test pictures."""
    want = list(labels[:N_DIGITS])
    for mistake in right_answers(report, env, 'cpu')['mistakes']:
        if mistake['picture'] < N_DIGITS:
            want[mistake['picture']] = mistake['answer']
    return want


def check_daemon(report, env, engine):
    pixels, labels = read_test_set()
    want = right_digits(report, env, labels)
    with rig.Daemon(report, env, *rig.FLAGS[engine]) as daemon, open(f'{rig.ROOT}/tests/data/7.png', 'rb') as picture:
        seven = rig.predict(daemon.connect(), picture.read(), 'image/png')
        got = ask_digits(daemon, pixels)
        status = daemon.stop()
        pictures_a_pass = daemon.pictures_a_pass()
    differ = sum(a != b for a, b in zip(got, want))
    fine = seven == [7] and differ == 0 and status == 0
    report.add(f'{engine}: lenetd', 'ok' if fine else 'FAIL',
               f'{daemon.engine}: 7.png is {seven}, {differ} of {N_DIGITS} test digits differ from the CPU\'s, '
               f'{pictures_a_pass:.1f} pictures a pass, exit status {status}')


def check_load(report, env, engine, short):
    with rig.Daemon(report, env, *rig.FLAGS[engine]) as daemon:
        figures = rig.load(report, env, daemon, 64, 1 if short else 5, check=True)
        status = daemon.stop()
        if status:
            raise rig.Failed(f'lenetd ended with {status}')
        pictures_a_pass = daemon.pictures_a_pass()
    report.add(f'{engine}: lenetd under wrk', 'ok',
               f'64 connections: every answer a 7, {figures["requests_per_s"]:.0f} requests/s, {pictures_a_pass:.1f} pictures a pass')


def check_choice(report, env, device):
    """The one row where lenetd chooses its engine by itself; where a card is to be tested, it has to choose that."""
    with rig.Daemon(report, env, *rig.FLAGS['auto']) as daemon:
        lines = [line.split(' ', 2)[-1].strip() for line in daemon.text().splitlines()]
    why = lines[:next((i for i, line in enumerate(lines) if line.startswith('limits:')), 0)]
    fine = device == 'cpu' or daemon.engine.startswith('cuda')
    report.add('auto: lenetd', 'ok' if fine else 'FAIL', f'chose {daemon.engine}, and its log says: {"; ".join(why) or "nothing"}')


def ask_through_a_loss(daemon, fifo, pixels, want):
    """N_CLIENTS ask without a pause while the card is taken away, and on: the number of answers, of those that came after it, and of
    wrong ones. An answer that does not come raises."""
    over, lost = threading.Event(), threading.Event()

    def client(k):
        n = n_after = n_wrong = 0
        with contextlib.closing(daemon.connect()) as connection:
            while not over.is_set():
                i, n_after = (k + n * N_CLIENTS) % N_DIGITS, n_after + lost.is_set()
                body = json.dumps({'pixels': [list(pixels[i * 784:(i + 1) * 784])]})
                n_wrong += rig.predict(connection, body, 'application/json') != [want[i]]
                n += 1
        return n, n_after, n_wrong
    with concurrent.futures.ThreadPoolExecutor(N_CLIENTS) as pool:
        clients = [pool.submit(client, k) for k in range(N_CLIENTS)]
        try:
            time.sleep(1)
            with open(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), 'wb') as f:
                f.write(b'x')
            lost.set()
            time.sleep(1)
        finally:
            over.set()
        return [sum(counts) for counts in zip(*(c.result() for c in clients))]


def check_loss(report, env, engine, folder):
    pixels, labels = read_test_set()
    want = right_digits(report, env, labels)
    rig.make(report, 'cuda', env, f'{rig.BUILD}/lenetd-lost-card')
    fifo = os.path.join(folder, f'{engine}.fifo')
    os.mkfifo(fifo)
    with rig.Daemon(report, {**env, 'LOST_CARD': fifo}, *rig.FLAGS[engine], program='lenetd-lost-card') as daemon:
        n, n_after, n_wrong = ask_through_a_loss(daemon, fifo, pixels, want)
        with contextlib.closing(daemon.connect()) as connection:
            connection.request('GET', '/readyz')
            ready = json.loads(connection.getresponse().read())
        status = daemon.stop()
    fine = ready.get('engine_losses') == 1 and n_wrong == 0 and n_after > 0 and status == 0
    report.add(f'{engine}: the card lost in mid-load', 'ok' if fine else 'FAIL',
               f'{n} requests, all answered, {n_after} of them after it, {n_wrong} wrong, /readyz {ready}, exit status {status}')


def sanitizer_parts(report, env, args):
    for tool, engine, suite in SANITIZERS:
        engine = engine if args.device == 'cuda' else 'cpu'
        yield f'{engine}: {tool}', lambda tool=tool, engine=engine, suite=suite: check_sanitizer(report, env, tool, engine, suite)


def engine_parts(report, env, args, folder):
    """(name, function): what tells most comes first, and what may take long last."""
    engines = ('cuda', 'cudnn') if args.device == 'cuda' else ('cpu',)

    def each(name, check, *arguments):
        return [(f'{engine}: {name}', lambda engine=engine: check(report, env, engine, *arguments)) for engine in engines]
    return [
        *each('tests', check_engine, SUITE, 60, args.short),
        *each('lenetd', check_daemon),
        *each('lenetd under wrk', check_load, args.short),
        ('auto: lenetd', lambda: check_choice(report, env, args.device)),
        *each('lenet eval', check_eval),
        *each('lenet train twice', check_train, folder),
        *(each('the card lost in mid-load', check_loss, folder) if args.device == 'cuda' else []),
        *([('tf32: lenet eval', lambda: check_eval(report, env, 'tf32'))] if args.device == 'cuda' else []),
        *each('openings', check_engine, OPENINGS, 120, args.short),
    ]


def main():
    parser = rig.arguments('Tests all that needs a GPU.', LIMIT_S)
    parser.add_argument('--sanitizers', action='store_true', help=f'run the tests under compute-sanitizer instead ({SANITIZERS_LIMIT_S} s)')
    args = parser.parse_args()
    name, limit_s = ('test-gpu-sanitizers', SANITIZERS_LIMIT_S) if args.sanitizers else ('test-gpu', LIMIT_S)
    report = rig.Report(name, args.limit or limit_s, os.path.join(args.out or rig.RESULTS, name))
    env = rig.environment()
    built = False
    with report.part('build'):
        rig.build(report, args.device, env)
        built = True
    if built:
        with tempfile.TemporaryDirectory() as folder:
            for name, check in sanitizer_parts(report, env, args) if args.sanitizers else engine_parts(report, env, args, folder):
                with report.part(name):
                    check()
    return report.close()


if __name__ == '__main__':
    sys.exit(main())

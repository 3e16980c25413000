"""`make test-gpu`: builds for this machine's GPU and tests all that needs one; docs/gpu.md says what the table means.

    python3 tests/gpu/check.py                          our own kernels, then cuDNN
    python3 tests/gpu/check.py --device cpu --short     the same steps on the CPU engine: tries this script, shows nothing of a GPU
"""
import argparse
import concurrent.futures
import gzip
import json
import os
import re
import sys
import tempfile

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


def flags_of(engine):
    return {'cpu': ['--device', 'cpu'], 'cuda': ['--device', 'cuda'], 'cudnn': ['--device', 'cuda', '--cudnn'],
            'tf32': ['--device', 'cuda', '--cudnn', '--tf32']}[engine]


def test_environment(env, engine, short):
    env = {**env, 'TEST_ENGINE': engine}
    return {**env, 'TEST_SHORT': '1'} if short else env


def add_tests(report, engine, out):
    """A row a test. That cuDNN gives a picture other bits in other company is its nature, and no failure of ours."""
    notes = []
    for line in out.splitlines():
        row = re.fullmatch(r'(ok  |FAIL|skip) (\w+)', line)
        if row:
            result = {'ok  ': 'ok', 'FAIL': 'FAIL', 'skip': 'SKIPPED'}[row[1]]
            if result == 'FAIL' and engine == 'cudnn' and '_bits' in row[2]:
                result = 'DIFFERS'
            figures = [n.removeprefix('figure: ') for n in notes if n.startswith('figure: ')]
            others = [n for n in notes if not n.startswith('figure: ')]
            report.add(f'{engine}: {row[2]}', result, '; '.join(figures + (others[:2] if result != 'ok' else [])))
            notes = []
        else:
            notes.append(line.strip())


def check_engine(report, env, engine, suite, short):
    """Tests of gpu-tests by their names, on one engine."""
    try:
        out = rig.run(report, [f'{rig.BUILD}/gpu-tests', *suite], 180, test_environment(env, engine, short), statuses=(0, 1))
    except rig.Failed as e:
        add_tests(report, engine, e.output)  # what came before
        raise
    add_tests(report, engine, out)
    if not re.search(r'^\d+ passed, \d+ failed, \d+ skipped$', out, re.M):
        raise rig.Failed('gpu-tests ended before its last test')


def right_answers(report, env, engine):
    """What `lenet eval` says of the built-in model."""
    return json.loads(rig.run(report, [f'{rig.BUILD}/lenet', 'eval', '--json', '--data', 'tests/data', *flags_of(engine)], 60, env))


def check_eval(report, env, engine, reference):
    answer = right_answers(report, env, engine)
    same = answer['right'] == reference['right']
    report.add(f'{engine}: lenet eval', 'ok' if same or engine == 'tf32' else 'FAIL',
               f'{answer["right"]} of {answer["pictures"]} right, {reference["right"]} on the CPU')


def check_train(report, env, engine, folder):
    """Two runs of one recipe write the same file."""
    files = []
    for i in range(2):
        out = os.path.join(folder, f'{engine}-{i}.bin')
        rig.run(report, [f'{rig.BUILD}/lenet', 'train', 'models/lab.json', '--epochs', '2', '--data', 'tests/data', '-o', out,
                         *flags_of(engine)], 90, env)
        with open(out, 'rb') as f:
            files.append(f.read())
    same = files[0] == files[1]
    result = 'ok' if same else 'DIFFERS' if engine == 'cudnn' else 'FAIL'
    report.add(f'{engine}: lenet train twice', result, f'{"the same" if same else "not the same"} {len(files[0])} bytes')


def check_sanitizer(report, env, tool, engine, suite):
    program = rig.tool('compute-sanitizer', env)
    if not program:
        raise rig.Skipped('there is no compute-sanitizer: it comes with the CUDA toolkit')
    out = rig.run(report, [program, '--tool', tool, '--error-exitcode', '9', f'{rig.BUILD}/gpu-tests', *suite], 80,
                  test_environment(env, engine, True), statuses=(0, 1, 9))
    summary = re.findall(r'={9} (\w+ SUMMARY: .*)', out)
    tests = re.search(r'^(\d+) passed, (\d+) failed, (\d+) skipped$', out, re.M)
    if not summary or not tests:
        rig.say_output(out)
        raise rig.Failed('it ended before the last test')
    clean = bool(re.search(r'SUMMARY: 0 (errors|hazards)', summary[-1])) and (tests[2] == '0' or engine == 'cudnn')
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
    """The digits of the first N_DIGITS test pictures: 16 connections, requests of 1 to 8 pictures."""
    pieces, at = [], 0
    while at < N_DIGITS:
        n = min(1 + len(pieces) % 8, N_DIGITS - at)
        pieces.append((at, n))
        at += n

    def ask(share):
        connection, found = daemon.connect(), {}
        for at, n in share:
            body = json.dumps({'pixels': [list(pixels[i * 784:(i + 1) * 784]) for i in range(at, at + n)]})
            for i, digit in enumerate(rig.predict(connection, body, 'application/json')):
                found[at + i] = digit
        connection.close()
        return found
    found = {}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for part in pool.map(ask, [pieces[i::16] for i in range(16)]):
            found.update(part)
    return [found[i] for i in range(N_DIGITS)]


def check_daemon(report, env, engine, reference):
    flags = flags_of(engine)
    known = rig.run(report, [f'{rig.BUILD}/lenetd', '--help'], 10, env)
    if '--cudnn' in flags and '--cudnn' not in known:
        raise rig.Skipped('this lenetd has no --cudnn')
    pixels, labels = read_test_set()
    want = list(labels[:N_DIGITS])
    for mistake in reference['mistakes']:
        if mistake['picture'] < N_DIGITS:
            want[mistake['picture']] = mistake['answer']
    with rig.Daemon(env, *flags) as daemon, open(f'{rig.ROOT}/tests/data/7.png', 'rb') as picture:
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
    with rig.Daemon(env, *flags_of(engine)) as daemon:
        figures = rig.load(report, env, daemon, 64, 1 if short else 5, check=True)
        status = daemon.stop()
        if status:
            raise rig.Failed(f'lenetd ended with {status}')
        pictures_a_pass = daemon.pictures_a_pass()
    report.add(f'{engine}: lenetd under wrk', 'ok',
               f'64 connections: every answer a 7, {figures["requests_per_s"]:.0f} requests/s, {pictures_a_pass:.1f} pictures a pass')


def main():
    parser = argparse.ArgumentParser(description='Tests all that needs a GPU.')
    parser.add_argument('--device', choices=('cuda', 'cpu'), default='cuda', help='cpu: only to try this script')
    parser.add_argument('--short', action='store_true', help='less of everything: only to try this script')
    args = parser.parse_args()
    engines = ('cuda', 'cudnn') if args.device == 'cuda' else ('cpu',)
    report, env = rig.Report('make test-gpu'), rig.environment()
    built = False
    with report.part('build'):
        rig.build(report, args.device, env)
        built = True
    if not built:
        return report.close()
    reference = None
    with report.part('cpu: lenet eval'):
        reference = right_answers(report, env, 'cpu')
    with tempfile.TemporaryDirectory() as folder:
        for engine in engines:
            with report.part(f'{engine}: tests'):
                check_engine(report, env, engine, SUITE, args.short)
            with report.part(f'{engine}: lenet train twice'):
                check_train(report, env, engine, folder)
            if reference:
                with report.part(f'{engine}: lenet eval'):
                    check_eval(report, env, engine, reference)
                with report.part(f'{engine}: lenetd'):
                    check_daemon(report, env, engine, reference)
            with report.part(f'{engine}: lenetd under wrk'):
                check_load(report, env, engine, args.short)
    if args.device == 'cuda' and reference:
        with report.part('tf32: lenet eval'):
            check_eval(report, env, 'tf32', reference)
    with report.part(f'{engines[0]}: openings'):
        check_engine(report, env, engines[0], OPENINGS, args.short)
    for tool, engine, suite in SANITIZERS:
        with report.part(f'{engine}: {tool}'):
            check_sanitizer(report, env, tool, engine if args.device == 'cuda' else 'cpu', suite)
    for engine in engines[1:]:
        with report.part(f'{engine}: openings'):
            check_engine(report, env, engine, OPENINGS, args.short)
    return report.close()


if __name__ == '__main__':
    sys.exit(main())

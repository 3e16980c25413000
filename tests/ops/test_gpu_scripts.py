"""`make test-gpu`, `make bench-gpu` and `make gpu-bundle`: what they do within their time, on a card that is none (pretended_card.py)."""
import json
import os
import re
import signal
import sys
import tempfile
import time
import unittest
from unittest import mock

import tools
from daemon import PATIENCE
from pretended_card import Card

sys.path.insert(0, tools.path('tests/gpu'))
import rig

ROW = re.compile(r'(.+?) {2,}(ok|FAIL|SKIPPED|met|NOT MET|tried) *(.*)')


def rows(table):
    """{name: (result, figure)} of a table, in its order."""
    return {match[1]: match.groups()[1:] for match in map(ROW.fullmatch, table.splitlines()) if match}


def a_card(test):
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    return Card(folder.name)


class Whole(unittest.TestCase):
    """One run of everything, as docs/gpu.md has it."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.card = Card(folder.name)
        cls.done = {script: cls.card.run(script) for script in ('check', 'bench')}

    def assert_order(self, table, *names):
        found = list(table)
        places = [found.index(name) for name in names]
        self.assertEqual(places, sorted(places), found)

    def test_the_tests(self):
        status, said = self.done['check']
        table = rows(self.card.read('out/test-gpu.txt'))
        self.assertEqual((status, {result for result, _ in table.values()}), (0, {'ok'}), said)
        lost = [f'{engine}: the card lost in mid-load' for engine in ('cuda', 'cudnn')]
        self.assert_order(table, 'build', 'cuda: gpu_bits_at_every_place', 'cudnn: gpu_bits_at_every_place', 'cuda: lenetd',
                          'cudnn: lenetd', 'cuda: lenetd under wrk', 'cudnn: lenetd under wrk', 'auto: lenetd', *lost,
                          'cuda: gpu_opens_and_closes_without_growth')
        self.assertEqual([name for name in table if re.search('memcheck|racecheck', name)], [])  # these are apart
        self.assertIn('chose cuda (pretended', table['auto: lenetd'][1])
        for name in lost:
            self.assertRegex(table[name][1], r"all answered, [1-9]\d* of them after it, 0 wrong, .*'engine_losses': 1")

    def test_the_measurements(self):
        status, said = self.done['bench']
        table = rows(self.card.read('out/bench-gpu.txt'))
        self.assertEqual(status, 0, said)
        wanted = {name.removeprefix('wanted: '): result for name, (result, _) in table.items() if name.startswith('wanted: ')}
        self.assertEqual({result for name, (result, _) in table.items() if not name.startswith('wanted: ')}, {'ok'}, said)
        self.assertLessEqual({
            'batch 1 in 15 us: own kernels': 'met',  # 14.1
            'batch 1024 at 15 M/s: own kernels': 'NOT MET',  # 13.1
            'batch 1 in 45 us: cuDNN': 'met',  # 44.1
            'batch 1024 at 6 M/s: cuDNN': 'NOT MET',  # 5.95
            'ten epochs in 0.10 of the time of PyTorch eager': 'met',  # 0.45 s of 5
            'ten epochs in 0.33 of the time of PyTorch graphs': 'met',  # 0.45 s of 1.5
            'relu: 99.0 % within 0.5 s': 'met',  # 99.1 % in 0.45 s
        }.items(), wanted.items())
        self.assert_order(table, 'forward, batch 1', 'forward, batch 1024', 'train: cuDNN', 'lenetd, 64 connections: cuDNN',
                          'forward, batch 16384', 'lenetd, 1 connections: cuDNN', 'forward, batch 65536', 'forward, batch 2',
                          'lenetd, 256 connections: CPU')
        with open(self.card.path('out/gpu-pretended-card.json')) as f:
            figures = json.load(f)
        for batch in (1, 16, 64, 1024, 16384, 65536):
            self.assertEqual(list(figures['forward_us'][str(batch)]), ['own kernels', 'cuDNN', 'PyTorch eager', 'PyTorch graphs'])
        self.assertEqual(list(figures['train_step_us']), ['own kernels', 'cuDNN'])

    def test_every_row_but_one_says_what_computes(self):
        calls = self.card.calls('lenetd') + self.card.calls('lenet')
        chosen = [call for call in calls if not re.search('--device (cpu|cuda --kernels (own|cudnn))', call)]
        self.assertEqual(chosen, ['--listen 127.0.0.1:0 --threshold 0'])

    def test_a_graph_that_cannot_be_captured_is_tried_once(self):
        asked = [json.loads(call) for call in self.card.calls('peer')]
        graphs = [request['copies_in_graph'] for request in asked if request['do'] == 'forward' and request['graph']]
        self.assertEqual(graphs[:2], [True, False])
        self.assertEqual(set(graphs[1:]), {False})
        self.assertIn('a graph with copies: not here', self.card.read('out/peer.log'))

    def test_both_build_the_same_for_this_card_on_all_processors(self):
        first, *_, last = self.card.calls('make')
        self.assertEqual(first, last)
        for word in (f'-j{os.cpu_count()}', 'CUDA=1', 'CUDA_ARCHS=90'):
            self.assertIn(word, first.split())


class Parts(unittest.TestCase):
    def test_sanitizers_are_apart(self):
        card = a_card(self)
        status, said = card.run('check', '--sanitizers')
        self.assertEqual(status, 0, said)
        self.assertEqual(list(rows(card.read('out/test-gpu-sanitizers.txt'))), [
            'build', 'cuda: memcheck', 'cuda: racecheck', 'cuda: initcheck', 'cuda: synccheck', 'cudnn: memcheck'])

    def test_one_that_is_killed_leaves_the_rows_so_far(self):
        card = a_card(self)
        open(card.path('hang'), 'w').close()
        names = ['build', 'cuda: gpu_bits_at_every_place', 'cudnn: engine_golden_step0', 'cudnn: gpu_bits_at_every_place']
        with card.start('check') as process:
            end = time.monotonic() + PATIENCE
            while not os.path.exists(card.path('hangs')) or not card.read('hangs') or names[-1] not in card.read('out/test-gpu.txt'):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.02)
            process.kill()
            os.kill(int(card.read('hangs')), signal.SIGKILL)
        table = card.read('out/test-gpu.txt')
        self.assertEqual(list(rows(table)), names)
        self.assertEqual(rows(table)[names[-1]], ('FAIL', 'test_gpu.c:1: failed: n_differ == 0'))  # of cuDNN as of all others
        self.assertNotRegex(table, r'(?m)^\d+ done')


class Time(unittest.TestCase):
    def setUp(self):
        for patch in (mock.patch.object(rig, 'LEAST_S', 0), mock.patch('builtins.print')):
            patch.start()
            self.addCleanup(patch.stop)

    def test_what_has_no_time_is_a_row(self):
        with tempfile.TemporaryDirectory() as folder:
            report = rig.Report('a run', 0.3, os.path.join(folder, 'out/a-run'))
            for name in ('cut', 'not begun'):
                with report.part(name):
                    rig.run(report, ['sh', '-c', 'echo begun; exec sleep 600'], 600)
            report.add('another', 'ok')
            self.assertEqual(report.close(), 1)
            with open(os.path.join(folder, 'out/a-run.txt')) as f:
                table = f.read()
            with open(os.path.join(folder, 'out/a-run-failed.log')) as f:
                self.assertEqual(f.read(), '== sh -c echo begun; exec sleep 600\nbegun\n\n')
        found = rows(table)
        self.assertRegex(found['cut'][1], '^sh: not done after')
        self.assertEqual(found['not begun'], ('SKIPPED', 'the 0.3 s were over: --limit gives more'))
        self.assertRegex(table, r'(?m)^1 done, 1 failed, 1 skipped, \d+ s$')

    def test_limit(self):
        for script, limit_s in (('check', 250), ('bench', 320)):
            script = tools.path(f'tests/gpu/{script}.py')
            self.assertIn(f'({limit_s})', tools.check(self, sys.executable, script, '--help'))
            for text in ('0', '-1', '1.5', 'soon'):
                done = tools.run(sys.executable, script, f'--limit={text}')
                self.assertEqual(done.returncode, 2)
                self.assertIn(f'"{text}" is not accepted: give a whole number of seconds from 1', done.stdout)


class Bundle(unittest.TestCase):
    def test_no_kernel_is_built_for_it(self):
        for settings in (('CUDA=0',), ('CUDA=1', 'NVCC=/bin/false', 'CUDA_ARCHS=75')):
            said = tools.check(self, 'make', '-n', 'gpu-bundle', *settings, cwd=tools.ROOT)
            self.assertIn('tests/gpu/bundle.py', said)
            self.assertEqual(re.findall(r'\S+\.cu\b', said), [])

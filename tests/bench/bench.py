"""`make bench`: lenet and lenetd on this machine's CPU, beside what a user would take instead; docs/bench.md says what is measured
and how. Ends in a table, and leaves the figures in build/bench.json.

    python3 tests/bench/bench.py             all of it: minutes, and wants a quiet machine
    python3 tests/bench/bench.py --short     every step once and briefly: tries this script, its figures show nothing
"""
import argparse
import array
import datetime
import gzip
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'gpu'))
import rig
import compute
import pictures
import servers
import serving

LIMIT_S = 3600
N_SCORES = 256
SCORES_APART = 1e-3  # PyTorch's and ONNX Runtime's, of the trained network: more, and they compute something else
OUT = os.path.join(rig.ROOT, 'build/bench.json')


class Bench:
    """What the parts share: settings, the report, the wishes and the peers."""

    def __init__(self, args, folder):
        self.build, self.short, self.folder = args.build, args.short, folder
        self.model, self.onnx = 'models/relu.bin', os.path.join(folder, 'relu.onnx')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('LENETD')}
        self.n_cpus = len(servers.CPUS)
        self.report = rig.Report('make bench', LIMIT_S)
        self.python = rig.find_torch()
        self.figures, self.wishes, self.peers = {}, [], {}

    def lenet(self, *arguments):
        return rig.run(self.report, [f'{self.build}/lenet', *arguments], 300, self.env)

    def data(self):
        """The folder of the pictures to train on."""
        if self.short:
            return 'tests/data'
        try:
            return rig.mnist_folder()
        except rig.Skipped:
            self.lenet('fetch')
            return 'data'

    def peer(self, name):
        if name not in self.peers:
            raise rig.Skipped('it did not start')
        return self.peers[name]

    def take_turns(self, name, contestants, measure):
        """{contestant: [what measure gave, a round each]}: in turn, round by round, so that what changes with time touches all alike.
        One that fails or is skipped is a row of the table, and is out."""
        out = {c: [] for c in contestants}
        for _ in range(1 if self.short else 3):
            for c in list(out):
                try:
                    out[c].append(measure(c))
                except (rig.Failed, rig.Skipped) as e:
                    del out[c]
                    self.report.add(f'{name}: {c}', 'FAIL' if isinstance(e, rig.Failed) else 'SKIPPED', str(e))
        return out

    @staticmethod
    def median_ratio(these, those):
        """Round by round, since the machine was the same within one."""
        return statistics.median(a / b for a, b in zip(these, those))

    def want(self, name, figure, wanted, met):
        self.wishes.append({'name': name, 'figure': figure, 'wanted': wanted,
                            'result': 'tried' if self.short else 'met' if met else 'NOT MET'})

    def want_times(self, name, ratios, peer, times):
        """ratios: {peer: how many times as quick lenet is}."""
        if peer in ratios:
            self.want(f'{name}, against {peer}', f'{ratios[peer]:.1f} times', f'>= {times}', ratios[peer] >= times)

    def describe(self):
        """The machine and the versions: without them a figure says nothing."""
        with open('/proc/cpuinfo') as f:
            model = re.search(r'model name\s*: (.*)', f.read())
        commit = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=rig.ROOT, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True).stdout.strip()
        self.figures['machine'] = {'date': datetime.date.today().isoformat(), 'cpu': model[1] if model else platform.machine(),
                                   'n_cpus': self.n_cpus, 'kernel': platform.release(), 'commit': commit or 'none',
                                   'load before': round(os.getloadavg()[0], 2), 'short': self.short}
        self.report.add('machine', 'ok', ', '.join(f'{k} {v}' for k, v in self.figures['machine'].items()))

    def meet_peers(self):
        """Starts them, and sees that all compute one network."""
        self.lenet('export', '--model', self.model, '--onnx', self.onnx)
        ink, scores = os.path.join(self.folder, 'ink'), []
        with gzip.open(os.path.join(rig.ROOT, 'tests/data/t10k-images-idx3-ubyte.gz')) as pictures, open(ink, 'wb') as f:
            array.array('f', [p / 255 for p in pictures.read(16 + N_SCORES * 784)[16:]]).tofile(f)
        for name, command in ((compute.TORCH, [self.python, 'tests/bench/torch_peer.py', '--model', self.model, '--data', self.data()]),
                              (compute.ORT, ['node', 'tests/bench/ort.mjs', self.onnx])):
            with self.report.part(name):
                peer = rig.Peer(name, command, os.path.join(self.folder, f'{name}.log'))
                self.figures[name] = peer.ask(self.report, do='about')
                scores.append(peer.ask(self.report, do='scores', ink=ink, n=N_SCORES, frozen=True)['scores'])
                self.peers[name] = peer
                self.report.add(name, 'ok', ', '.join(f'{k} {v}' for k, v in self.figures[name].items() if v))
        if len(scores) == 2:
            apart = max(abs(a - b) for a, b in zip(*scores))
            self.report.add('one network', 'ok' if apart < SCORES_APART else 'FAIL', f'scores of the two at most {apart:.1e} apart')

    def save(self):
        with open(OUT, 'w') as f:
            json.dump({**self.figures, 'wanted': self.wishes}, f, indent='\t')
            f.write('\n')

    def close(self):
        """Prints the tables; the exit status, which a wish that is not met does not change."""
        self.report.add('figures', 'ok', os.path.relpath(OUT, rig.ROOT))
        status = self.report.close()
        print('\n| wanted | figure | at | |\n| --- | --- | --- | --- |')
        for wish in self.wishes:
            print(f'| {wish["name"]} | {wish["figure"]} | {wish["wanted"]} | {wish["result"]} |')
        return status

    def run(self):
        try:
            for name, part in (('machine', self.describe), ('peers', self.meet_peers), *compute.parts(self), *pictures.parts(self),
                               *serving.parts(self)):
                with self.report.part(name):
                    part()
                self.save()  # now, too: whatever ends this run early, what was measured is kept
        finally:
            for peer in self.peers.values():
                peer.close()
        return self.close()


def main():
    parser = argparse.ArgumentParser(description='Measures lenet beside its peers on the CPU.')
    parser.add_argument('--build', default='build/release', help='where lenet, lenetd, bench-bare and bench-pictures are (build/release)')
    parser.add_argument('--short', action='store_true', help='less of everything: only to try this script')
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192) if most > 0 else 8192, most))  # sockets on both sides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing that was started is left
    with tempfile.TemporaryDirectory() as folder:
        return Bench(args, folder).run()


if __name__ == '__main__':
    sys.exit(main())

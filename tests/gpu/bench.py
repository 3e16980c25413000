"""`make bench-gpu`: builds for this machine's GPU and measures lenet beside PyTorch on the same card, and lenetd beside itself on
the CPU; docs/gpu.md says what is measured and how. Ends in a table, and leaves the figures in tests/bench/gpu-CARD.json.

    python3 tests/gpu/bench.py                          all of it
    python3 tests/gpu/bench.py --device cpu --short     the same steps on the CPU: tries this script, shows nothing of a GPU
"""
import argparse
import csv
import datetime
import json
import os
import re
import resource
import statistics
import sys
import tempfile

import rig

OURS, CUDNN, EAGER, GRAPHS = 'lenet', 'lenet --cudnn', 'PyTorch eager', 'PyTorch graphs'
LOG = os.path.join(rig.ROOT, rig.BUILD, 'peer.log')
CONTESTANTS = (OURS, CUDNN, EAGER, GRAPHS)
N_BATCHES = 13  # 1, 2, 4 … 4096
CONNECTIONS = (1, 16, 64, 256, 512, 1000)


def by_contestant(turns):
    out = {}
    for _, contestant, figure in turns:
        out.setdefault(contestant, []).append(figure)
    return out


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.env = args, folder, rig.environment()
        self.report = rig.Report('make bench-gpu')
        self.peer = None
        self.figures = {}

    def contestants(self):
        """Those that there can be here."""
        return [c for c in CONTESTANTS if (c != CUDNN or self.args.device == 'cuda') and (self.peer or c in (OURS, CUDNN))]

    def flags(self, contestant):
        return ['--device', self.args.device] + (['--cudnn'] if contestant == CUDNN else [])

    def lenet(self, *arguments, timeout_s=120):
        return rig.run(self.report, [f'{rig.BUILD}/lenet', *arguments], timeout_s, self.env)

    def take_turns(self, name, measure, rounds):
        """[(round, contestant, what measure gave)]: in turn, round by round, so that what changes with time touches all alike. One
        that fails or is skipped is a row, and has no more turns."""
        done, gone = [], set()
        for i in rounds:
            for contestant in self.contestants():
                if contestant in gone:
                    continue
                try:
                    done.append((i, contestant, measure(contestant, i)))
                except (rig.Failed, rig.Skipped) as e:
                    gone.add(contestant)
                    self.report.add(f'{name}: {contestant}', 'FAIL' if isinstance(e, rig.Failed) else 'SKIPPED', str(e))
        return done

    def rounds(self):
        return range(1 if self.args.short else 3)

    def want(self, name, figure, met):
        tried = self.args.device == 'cpu' or self.args.short
        self.report.add(f'wanted: {name}', 'tried' if tried else 'met' if met else 'NOT MET', figure)

    def train_lenet(self, recipe, contestant, *more):
        """Seconds from the first step to the last evaluation, and the test accuracy of every epoch."""
        out = os.path.join(self.folder, 'trained.bin')
        said = self.lenet('train', recipe, '--data', rig.mnist_folder(), '-o', out, *self.flags(contestant), *more)
        seconds = re.search(r'steps in ([\d.]+) s, from the first step to the last evaluation', said)
        with open(os.path.join(self.folder, 'trained.epochs.csv')) as f:
            accuracies = [float(row['test_accuracy']) for row in csv.DictReader(f)]
        return {'seconds': float(seconds[1]), 'accuracies': accuracies}

    def train(self):
        epochs = 1 if self.args.short else 10

        def measure(contestant, _):
            if contestant in (OURS, CUDNN):
                return self.train_lenet('models/lab.json', contestant, '--epochs', str(epochs))
            return self.peer.ask(self.report, do='train', graph=contestant == GRAPHS, epochs=epochs)
        runs = by_contestant(self.take_turns('train', measure, self.rounds()))
        seconds = {c: statistics.median(r['seconds'] for r in rs) for c, rs in runs.items()}
        self.figures['train'] = {'recipe': 'models/lab.json', 'epochs': epochs, 'runs': runs, 'seconds': seconds}
        for c, rs in runs.items():
            accuracies = ' '.join(f'{100 * a:.2f}' for a in rs[-1]['accuracies'])
            self.report.add(f'train: {c}', 'ok', f'{seconds[c]:.3f} s, median of {len(rs)}; test accuracy {accuracies}')
        if OURS in seconds:
            self.want('10 epochs under 2 s', f'{seconds[OURS]:.3f} s', seconds[OURS] < 2)
            for peer, share in ((EAGER, 1 / 10), (GRAPHS, 1 / 3)):
                if peer in seconds:
                    ratio = seconds[OURS] / seconds[peer]
                    self.want(f'{share:.2f} of the time of {peer}', f'{ratio:.3f}', ratio <= share)

    def forward_us(self, contestant, batch):
        """Microseconds a call of `batch` pictures, from ink in the host's memory to scores there: copies are in it."""
        if contestant in (OURS, CUDNN):
            said = json.loads(self.lenet('bench', '--json', '--batch', str(batch), *self.flags(contestant)))
            return said['us_per_image'] * batch
        request = {'do': 'forward', 'batch': batch, 'graph': contestant == GRAPHS, 'rounds': 3 if self.args.short else 11}
        try:
            return self.peer.ask(self.report, **request)['us_per_call']
        except rig.Failed as e:
            if contestant != GRAPHS:
                raise
            print(f'   with the copies in the graph: {e}; once more without', flush=True)
            return self.peer.ask(self.report, **request, copies_in_graph=False)['us_per_call']

    def batch_1(self):
        runs = by_contestant(self.take_turns('batch 1', lambda c, _: self.forward_us(c, 1), self.rounds()))
        us = {c: statistics.median(r) for c, r in runs.items()}
        cpu = json.loads(self.lenet('bench', '--json', '--batch', '1', '--device', 'cpu'))
        us_cpu = cpu['us_per_image']
        self.figures['batch_1_us'] = {**us, 'lenet on the CPU': us_cpu, 'cpu': cpu['engine']}
        self.report.add('batch 1, host to host', 'ok',
                        ', '.join(f'{c} {t:.1f} us' for c, t in us.items()) + f'; lenet on the {cpu["engine"]} {us_cpu:.1f} us')
        if OURS in us:
            self.want('batch 1 in 25 us', f'{us[OURS]:.1f} us', us[OURS] <= 25)
            for peer in (EAGER, GRAPHS):
                if peer in us:
                    self.want(f'batch 1 below {peer}', f'{us[OURS] / us[peer]:.3f} of it', us[OURS] < us[peer])

    def forward(self):
        rates = self.figures['images_per_s'] = {}
        batches = [2**k for k in ((0, 6) if self.args.short else range(N_BATCHES))]
        for batch, c, us in self.take_turns('forward', self.forward_us, batches):
            rates.setdefault(batch, {})[c] = batch / us * 1e6
        for batch, row in rates.items():
            self.report.add(f'forward, batch {batch}', 'ok', ', '.join(f'{c} {r / 1e6:.4f}' for c, r in row.items()) + ' M/s')
        if OURS in rates.get(1024, {}):
            self.want('10 M pictures/s, batch 1024', f'{rates[1024][OURS] / 1e6:.2f} M/s', rates[1024][OURS] >= 1e7)

    def relu(self):
        runs = [self.train_lenet('tests/gpu/relu-99.json', OURS, '--seed', str(seed)) for seed in range(1, 2 if self.args.short else 4)]
        self.figures['relu_99'] = {'recipe': 'tests/gpu/relu-99.json', 'runs': runs}
        seconds = max(r['seconds'] for r in runs)
        accuracy = min(r['accuracies'][-1] for r in runs)
        said = ', '.join(f'{100 * r["accuracies"][-1]:.2f} % in {r["seconds"]:.3f} s' for r in runs)
        self.report.add('relu, each seed', 'ok', said)
        self.want('relu: 99.0 % in under 1 s', f'the worst {100 * accuracy:.2f} %, {seconds:.3f} s', accuracy >= 0.99 and seconds < 1)

    def serve(self, device, connections):
        with rig.Daemon(self.env, '--device', device) as daemon:
            rig.load(self.report, self.env, daemon, connections, 1)  # warms
            figures = rig.load(self.report, self.env, daemon, connections, 1 if self.args.short else 4)
            status = daemon.stop()
            if status:
                raise rig.Failed(f'lenetd ended with {status}')
            return {**figures, 'engine': daemon.engine, 'pictures_a_pass': daemon.pictures_a_pass()}

    def lenetd(self):
        rows = self.figures['lenetd'] = []
        devices = ('cuda', 'cpu') if self.args.device == 'cuda' else ('cpu',)
        for connections in CONNECTIONS[::5] if self.args.short else CONNECTIONS:
            for device in devices:
                with self.report.part(f'lenetd, {device}, {connections} connections'):
                    row = self.serve(device, connections)
                    rows.append({'device': device, **row})
                    self.report.add(f'lenetd, {device}, {connections} connections', 'ok',
                                    f'{row["requests_per_s"]:.0f} requests/s, p50 {row["p50_us"]:.0f} us, p99 {row["p99_us"]:.0f} us, '
                                    f'{row["pictures_a_pass"]:.1f} pictures a pass')
        p50 = {row['device']: row['p50_us'] for row in rows if row['connections'] == 1}
        if len(p50) == 2:
            more = p50['cuda'] - p50['cpu']
            self.want("p50 at 1 connection within 60 us of the CPU's", f'{more:+.0f} us', more <= 60)
        on_gpu = [row for row in rows if row['device'] == 'cuda']
        if len(on_gpu) > 1:
            self.want('pictures a pass and throughput grow',
                      ', '.join(f'{r["connections"]}: {r["pictures_a_pass"]:.1f}' for r in on_gpu),
                      on_gpu[-1]['pictures_a_pass'] > on_gpu[0]['pictures_a_pass'] and
                      on_gpu[-1]['requests_per_s'] > on_gpu[0]['requests_per_s'])

    def describe(self):
        """The machine and the versions: without them a figure says nothing."""
        nvcc = rig.tool('nvcc', self.env)
        release = re.search(r'release ([\d.]+)', rig.run(self.report, [nvcc, '--version'], 20)) if nvcc else None
        with open('/proc/cpuinfo') as f:
            model = re.search(r'model name\s*: (.*)', f.read())
        self.figures.update({
            'date': datetime.date.today().isoformat(),
            'card': rig.ask_card('name') or 'none', 'driver': rig.ask_card('driver_version') or 'none',
            'nvcc': release[1] if release else 'none', 'cpu': model[1] if model else 'unknown', 'n_cpus': os.cpu_count(),
        })
        self.report.add('machine', 'ok', ', '.join(f'{k} {self.figures[k]}' for k in ('card', 'driver', 'nvcc', 'cpu', 'n_cpus')))

    def meet_peer(self):
        command = [rig.find_torch(), 'tests/gpu/peer.py', '--device', self.args.device, '--data', rig.mnist_folder()]
        peer = rig.Peer('PyTorch', command, LOG)
        self.figures['peer'] = peer.ask(self.report, do='about')
        self.peer = peer
        self.report.add('PyTorch', 'ok', ', '.join(f'{k} {v}' for k, v in self.figures['peer'].items()))

    def save(self):
        name = re.sub(r'[^a-z0-9]+', '-', self.figures.get('card', 'none').lower()).strip('-')
        if self.args.device == 'cpu':
            name = 'tried-on-the-cpu'
        os.makedirs(self.args.out, exist_ok=True)
        path = os.path.join(self.args.out, f'gpu-{name}.json')
        with open(path, 'w') as f:
            json.dump(self.figures, f, indent='\t')
            f.write('\n')
        return path

    def run(self):
        built = False
        with self.report.part('build'):
            rig.build(self.report, self.args.device, self.env)
            built = True
        if not built:
            return self.report.close()
        path = None
        for name, part in (('machine', self.describe), ('PyTorch', self.meet_peer), ('train', self.train), ('batch 1', self.batch_1),
                           ('relu', self.relu), ('forward', self.forward), ('lenetd', self.lenetd)):
            with self.report.part(name):
                part()
            path = self.save()  # now, too: whatever ends this run early, what was measured is kept
        if self.peer:
            self.peer.close()
        self.report.add('figures', 'ok', path)
        return self.report.close()


def main():
    parser = argparse.ArgumentParser(description='Measures all that needs a GPU.')
    parser.add_argument('--device', choices=('cuda', 'cpu'), default='cuda', help='cpu: only to try this script')
    parser.add_argument('--short', action='store_true', help='less of everything: only to try this script')
    parser.add_argument('--out', metavar='DIR', help='where the figures are put (tests/bench)')
    args = parser.parse_args()
    args.out = args.out or os.path.join(rig.ROOT, 'tests/bench' if args.device == 'cuda' else rig.BUILD)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192) if most > 0 else 8192, most))  # wrk's sockets
    with tempfile.TemporaryDirectory() as folder:
        return Bench(args, folder).run()


if __name__ == '__main__':
    sys.exit(main())

"""`make bench-gpu`: builds for this machine's GPU and measures lenet beside PyTorch on the same card, and lenetd beside itself on
the CPU; docs/gpu.md says what is measured and how. Ends in a table, and leaves the figures in gpu-CARD.json.

    python3 tests/gpu/bench.py --out DIR                all of it, what tells most first
    python3 tests/gpu/bench.py --device cpu --short     the same steps on the CPU: tries this script, shows nothing of a GPU
"""
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

OWN, CUDNN, CPU, EAGER, GRAPHS = 'own kernels', 'cuDNN', 'CPU', 'PyTorch eager', 'PyTorch graphs'
ENGINES = {OWN: 'cuda', CUDNN: 'cudnn', CPU: 'cpu'}  # ours, as rig.FLAGS names them
FIRST_BATCHES, NEXT_BATCHES = (1, 1024), (16, 64, 16384)
REST_OF_BATCHES = [2**k for k in range(16, -1, -1) if 2**k not in FIRST_BATCHES + NEXT_BATCHES]
REST_OF_CONNECTIONS = (512, 16, 256)
LIMIT_S = 320
# What is wanted of a forward pass: most microseconds at batch 1, host to host; fewest pictures a second at batch 1024.
WANTED_US = {OWN: 15, CUDNN: 45}
WANTED_RATE = {OWN: 15e6, CUDNN: 6e6}
WANTED_SHARE = {EAGER: 1 / 10, GRAPHS: 1 / 3}  # of a peer's time for ten epochs, at most


def by_contestant(turns):
    out = {}
    for _, contestant, figure in turns:
        out.setdefault(contestant, []).append(figure)
    return out


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.env = args, folder, rig.environment()
        self.report = rig.Report('bench-gpu', args.limit or LIMIT_S, os.path.join(args.out, 'bench-gpu'))
        self.peer = None
        self.graph_ways = [True, False]  # the peer's, with the copies in the graph and without: those that have not failed
        self.figures = {}

    def ours(self):
        return [OWN, CUDNN] if self.args.device == 'cuda' else [CPU]

    def contestants(self):
        return self.ours() + ([EAGER, GRAPHS] if self.peer else [])

    def flags(self, contestant):
        return rig.FLAGS[ENGINES[contestant]]

    def add(self, name, figure, result='ok'):
        """A row; the figures so far are in their file with it."""
        self.report.add(name, result, figure)
        self.save()

    def lenet(self, *arguments, timeout_s=30):
        return rig.run(self.report, [f'{rig.BUILD}/lenet', *arguments], timeout_s, self.env)

    def take_turns(self, name, measure, rounds, contestants):
        """[(round, contestant, what measure gave)]: in turn, round by round, so that what changes with time touches all alike. One
        that fails or is skipped is a row, and has no more turns."""
        done, gone = [], set()
        for i in rounds:
            for contestant in contestants:
                if contestant in gone:
                    continue
                try:
                    done.append((i, contestant, measure(contestant, i)))
                except (rig.Failed, rig.Skipped) as e:
                    gone.add(contestant)
                    self.add(f'{name}: {contestant}', str(e), 'FAIL' if isinstance(e, rig.Failed) else 'SKIPPED')
        return done

    def rounds(self):
        return range(1 if self.args.short else 3)

    def want(self, name, figure, met):
        tried = self.args.device == 'cpu' or self.args.short
        self.add(f'wanted: {name}', figure, 'tried' if tried else 'met' if met else 'NOT MET')

    def train_lenet(self, recipe, contestant, *more):
        """Seconds from the first step to the last evaluation, and the test accuracy of every epoch."""
        out = os.path.join(self.folder, 'trained.bin')
        said = self.lenet('train', recipe, '--data', rig.mnist_folder(), '-o', out, *self.flags(contestant), *more, timeout_s=60)
        seconds = re.search(r'steps in ([\d.]+) s, from the first step to the last evaluation', said)
        with open(os.path.join(self.folder, 'trained.epochs.csv')) as f:
            accuracies = [float(row['test_accuracy']) for row in csv.DictReader(f)]
        return {'seconds': float(seconds[1]), 'accuracies': accuracies}

    def train(self):
        epochs = 1 if self.args.short else 10

        def measure(contestant, _):
            if contestant in ENGINES:
                return self.train_lenet('models/lab.json', contestant, '--epochs', str(epochs))
            return self.peer.ask(self.report, 60, do='train', graph=contestant == GRAPHS, epochs=epochs)
        runs = by_contestant(self.take_turns('train', measure, self.rounds(), self.contestants()))
        seconds = {c: statistics.median(r['seconds'] for r in rs) for c, rs in runs.items()}
        self.figures['train'] = {'recipe': 'models/lab.json', 'epochs': epochs, 'runs': runs, 'seconds': seconds}
        for c, rs in runs.items():
            accuracies = ' '.join(f'{100 * a:.2f}' for a in rs[-1]['accuracies'])
            self.add(f'train: {c}', f'{seconds[c]:.3f} s, median of {len(rs)}; test accuracy {accuracies}')
        for peer, share in WANTED_SHARE.items():
            if OWN in seconds and peer in seconds:
                ratio = seconds[OWN] / seconds[peer]
                self.want(f'ten epochs in {share:.2f} of the time of {peer}', f'{ratio:.3f}', ratio <= share)

    def bench_us(self, contestant, *more):
        """What `lenet bench` says, of a picture."""
        return json.loads(self.lenet('bench', '--json', *self.flags(contestant), *more))['us_per_image']

    def train_steps(self):
        steps = self.figures['train_step_us'] = {}
        for c in self.ours():
            steps[c] = 64 * self.bench_us(c, '--train', '--network', 'sigmoid', '--batch', '64')
            self.add(f'a training step of 64: {c}', f'{steps[c]:.1f} us')

    def forward_us(self, contestant, batch):
        """Microseconds a call of `batch` pictures, from ink in the host's memory to scores there: copies are in it."""
        if contestant in ENGINES:
            return self.bench_us(contestant, '--batch', str(batch)) * batch
        request = {'do': 'forward', 'batch': batch, 'graph': contestant == GRAPHS, 'rounds': 3 if self.args.short else 11}
        ways = self.graph_ways if contestant == GRAPHS else [True]
        if not ways:
            raise rig.Skipped('no graph could be captured before: not tried again')
        try:
            return self.peer.ask(self.report, 30, **request, copies_in_graph=ways[0])['us_per_call']
        except rig.Failed as e:
            if contestant == GRAPHS:
                ways.pop(0)
            if contestant != GRAPHS or not ways:
                raise
            print(f'   with the copies in the graph: {e}; from here on without', flush=True)
            return self.forward_us(contestant, batch)

    def forward(self, batches, contestants):
        all_us = self.figures.setdefault('forward_us', {})
        for batch in batches:
            us = all_us.setdefault(batch, {})
            turns = self.take_turns(f'forward, batch {batch}', self.forward_us, (batch,), contestants)
            us.update((c, t) for _, c, t in turns)
            if turns:
                self.add(f'forward, batch {batch}', ', '.join(f'{c} {t:.1f} us, {batch / t:.4f} M/s' for c, t in us.items()))

    def forward_ours(self):
        self.forward(FIRST_BATCHES, self.ours())
        us = self.figures['forward_us']
        for c in WANTED_US:
            if c in us[1]:
                self.want(f'batch 1 in {WANTED_US[c]} us: {c}', f'{us[1][c]:.1f} us', us[1][c] <= WANTED_US[c])
            if c in us[1024]:
                rate = 1024 / us[1024][c] * 1e6
                self.want(f'batch 1024 at {WANTED_RATE[c] / 1e6:.0f} M/s: {c}', f'{rate / 1e6:.2f} M/s', rate >= WANTED_RATE[c])

    def forward_peers(self):
        if not self.peer:
            raise rig.Skipped('there is no PyTorch to compare with')
        self.forward(FIRST_BATCHES, [EAGER, GRAPHS])
        us = self.figures['forward_us'][1]
        for peer in (EAGER, GRAPHS):
            if OWN in us and peer in us:
                self.want(f'batch 1 below {peer}', f'{us[OWN] / us[peer]:.3f} of it', us[OWN] < us[peer])

    def forward_rest(self):
        self.forward(() if self.args.short else REST_OF_BATCHES, self.contestants())

    def forward_cpu(self):
        us = self.figures['batch_1_us_cpu'] = self.bench_us(CPU, '--batch', '1')
        self.add('batch 1 on the CPU', f'{us:.1f} us')

    def relu(self):
        runs = self.figures['relu_99'] = {'recipe': 'tests/gpu/relu-99.json', 'runs': []}
        for seed in range(1, 2 if self.args.short else 4):
            runs['runs'].append(self.train_lenet('tests/gpu/relu-99.json', self.ours()[0], '--seed', str(seed)))
        seconds = max(r['seconds'] for r in runs['runs'])
        accuracy = min(r['accuracies'][-1] for r in runs['runs'])
        self.add('relu, each seed', ', '.join(f'{100 * r["accuracies"][-1]:.2f} % in {r["seconds"]:.3f} s' for r in runs['runs']))
        self.want('relu: 99.0 % within 0.5 s', f'the worst {100 * accuracy:.2f} %, {seconds:.3f} s', accuracy >= 0.99 and seconds <= 0.5)

    def serve(self, contestant, connections):
        with rig.Daemon(self.report, self.env, *self.flags(contestant)) as daemon:
            rig.load(self.report, self.env, daemon, connections, 1)  # warms
            figures = rig.load(self.report, self.env, daemon, connections, 1 if self.args.short else 3)
            status = daemon.stop()
            if status:
                raise rig.Failed(f'lenetd ended with {status}')
            return {**figures, 'engine': daemon.engine, 'pictures_a_pass': daemon.pictures_a_pass()}

    def lenetd(self, *all_connections):
        rows = self.figures.setdefault('lenetd', [])
        for connections in all_connections:
            for c in (CUDNN, OWN, CPU) if self.args.device == 'cuda' else (CPU,):
                name = f'lenetd, {connections} connections: {c}'
                with self.report.part(name):
                    row = self.serve(c, connections)
                    rows.append({'contestant': c, **row})
                    self.add(name, f'{row["requests_per_s"]:.0f} requests/s, p50 {row["p50_us"]:.0f} us, p99 {row["p99_us"]:.0f} us, '
                                   f'{row["pictures_a_pass"]:.1f} pictures a pass')

    def lenetd_grows(self):
        self.lenetd(1, 1000)
        rows = {(row['contestant'], row['connections']): row for row in self.figures['lenetd']}
        for c in (CUDNN, OWN):
            one, many, cpu = rows.get((c, 1)), rows.get((c, 1000)), rows.get((CPU, 1))
            if one and cpu and c == OWN:
                more = one['p50_us'] - cpu['p50_us']
                self.want(f"lenetd: p50 at 1 connection within 60 us of the CPU's: {c}", f'{more:+.0f} us', more <= 60)
            if one and many:
                self.want(f'lenetd: 1000 connections share passes and are quicker than 1: {c}',
                          f'{one["pictures_a_pass"]:.1f} and {many["pictures_a_pass"]:.1f} pictures a pass',
                          many['pictures_a_pass'] > one['pictures_a_pass'] and many['requests_per_s'] > one['requests_per_s'])

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
        self.add('machine', ', '.join(f'{k} {self.figures[k]}' for k in ('card', 'driver', 'nvcc', 'cpu', 'n_cpus')))

    def meet_peer(self):
        command = [rig.find_torch(), 'tests/gpu/peer.py', '--device', self.args.device, '--data', rig.mnist_folder()]
        log = os.path.join(self.args.out, 'peer.log')
        open(log, 'w').close()
        peer = rig.Peer('PyTorch', command, log)
        self.figures['peer'] = peer.ask(self.report, do='about')
        self.peer = peer
        self.add('PyTorch', ', '.join(f'{k} {v}' for k, v in self.figures['peer'].items()))

    def save(self):
        """In one move: whatever ends this run, the file is whole."""
        name = re.sub(r'[^a-z0-9]+', '-', self.figures.get('card', 'none').lower()).strip('-')
        if self.args.device == 'cpu':
            name = 'tried-on-the-cpu'
        path = os.path.join(self.args.out, f'gpu-{name}.json')
        with open(path + '.new', 'w') as f:
            json.dump(self.figures, f, indent='\t')
            f.write('\n')
        os.rename(path + '.new', path)
        return path

    def parts(self):
        """What tells most comes first, long tails last."""
        return (('machine', self.describe), ('forward, ours', self.forward_ours), ('PyTorch', self.meet_peer), ('train', self.train),
                ('relu', self.relu), ('lenetd', lambda: self.lenetd(64)), ('training steps', self.train_steps),
                ('forward, the peers', self.forward_peers),
                ('forward, more batches', lambda: self.forward(NEXT_BATCHES[1:2] if self.args.short else NEXT_BATCHES, self.contestants())),
                ('lenetd, 1 and 1000', self.lenetd_grows), ('batch 1 on the CPU', self.forward_cpu),
                ('forward, the rest', self.forward_rest),
                ('lenetd, the rest', lambda: self.lenetd(*(() if self.args.short else REST_OF_CONNECTIONS))))

    def run(self):
        built = False
        with self.report.part('build'):
            rig.build(self.report, self.args.device, self.env)
            built = True
        if not built:
            return self.report.close()
        for name, part in self.parts():
            with self.report.part(name):
                part()
        if self.peer:
            self.peer.close()
        self.report.add('figures', 'ok', self.save())
        return self.report.close()


def main():
    args = rig.arguments('Measures all that needs a GPU.', LIMIT_S).parse_args()
    args.out = args.out or rig.RESULTS
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192) if most > 0 else 8192, most))  # wrk's sockets
    with tempfile.TemporaryDirectory() as folder:
        return Bench(args, folder).run()


if __name__ == '__main__':
    sys.exit(main())

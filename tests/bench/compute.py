"""The network alone: forward and training beside PyTorch and ONNX Runtime, and what more pictures and threads cost."""
import csv
import json
import os
import re
import statistics

OURS, ORT, TORCH = 'lenet', 'ONNX Runtime', 'PyTorch'
# contestant: (threads, frozen TorchScript)
TORCHES = {'PyTorch eager, 1 thread': (1, False), 'PyTorch eager, 2 threads': (2, False),
           'PyTorch frozen, 1 thread': (1, True), 'PyTorch frozen, 2 threads': (2, True)}
BATCHES = [2**k for k in range(13)]
LIMIT_US = {1: 6.0, 64: 4.6}  # a picture
TIMES_ORT = {1: 4, 64: 2}
PEAK_SHARE = 0.7  # at batch 64
TIMES_TORCH = {1: 4, 2: 7}  # in training, lenet with so many threads beside PyTorch with one


def ours(bench, batch, threads=1, *more):
    """What `lenet bench` says, with the peak that it measures beside."""
    return json.loads(bench.lenet('bench', '--json', '--device', 'cpu', '--batch', str(batch), '--threads', str(threads), *more))


def forward(bench, batch):
    peaks, shares = [], []

    def us_a_picture(contestant):
        if contestant == OURS:
            said = ours(bench, batch)
            peaks.append(said['peak_gflops'])
            shares.append(said['peak_share'])
            return said['us_per_image']
        request = {'do': 'forward', 'batch': batch, 'rounds': 3 if bench.short else 11}
        if contestant != ORT:
            request['threads'], request['frozen'] = TORCHES[contestant]
        return bench.peer(ORT if contestant == ORT else TORCH).ask(bench.report, **request)['us_per_call'] / batch
    runs = bench.take_turns(f'forward, batch {batch}', [OURS, ORT, *TORCHES], us_a_picture)
    us = {c: statistics.median(r) for c, r in runs.items()}
    times = {c: bench.median_ratio(r, runs[OURS]) for c, r in runs.items()}
    peak, share = statistics.median(peaks), statistics.median(shares)
    bench.figures[f'forward_{batch}'] = {'runs': runs, 'us_a_picture': us, 'times_ours': times, 'peak_gflops': peak, 'peak_share': share}
    for c in us:
        bench.report.add(f'forward, batch {batch}: {c}', 'ok', f'{us[c]:.2f} us a picture, {times[c]:.2f} times ours')
    bench.report.add(f'forward, batch {batch}: peak', 'ok', f'{peak:.0f} GFLOP/s measured, of which lenet has {100 * share:.0f} %')
    bench.want(f'forward, batch {batch}', f'{us[OURS]:.2f} us a picture', f'<= {LIMIT_US[batch]}', us[OURS] <= LIMIT_US[batch])
    if batch == 64:
        bench.want('forward, batch 64, of the peak', f'{100 * share:.0f} %', f'>= {100 * PEAK_SHARE:.0f} %', share >= PEAK_SHARE)
    bench.want_times(f'forward, batch {batch}', times, ORT, TIMES_ORT[batch])


def train_ours(bench, threads):
    out = os.path.join(bench.folder, 'trained.bin')
    said = bench.lenet('train', 'models/lab.json', '--epochs', '1', '--threads', str(threads), '--device', 'cpu', '--data', bench.data(),
                       '-o', out)
    with open(os.path.join(bench.folder, 'trained.epochs.csv')) as f:
        accuracy = float(next(csv.DictReader(f))['test_accuracy'])
    found = re.search(r'steps in ([\d.]+) s, from the first step to the last evaluation', said)
    return {'seconds': float(found[1]), 'accuracy': accuracy}


def train(bench):
    """An epoch of models/lab.json, and the evaluation after it."""
    def measure(contestant):
        name, threads = contestant.rsplit(', ', 1)
        if name == OURS:
            return train_ours(bench, int(threads[0]))
        said = bench.peer(TORCH).ask(bench.report, 600, do='train', threads=int(threads[0]), epochs=1)
        return {'seconds': said['seconds'], 'accuracy': said['accuracies'][0]}
    contestants = [f'{name}, {threads}' for name in (OURS, TORCH) for threads in ('1 thread', '2 threads')]
    runs = bench.take_turns('an epoch', contestants, measure)
    seconds = {c: [run['seconds'] for run in r] for c, r in runs.items()}
    bench.figures['epoch'] = {'recipe': 'models/lab.json', 'data': bench.data(), 'runs': runs}
    for c, r in runs.items():
        bench.report.add(f'an epoch: {c}', 'ok', f'{statistics.median(seconds[c]):.3f} s, test accuracy {100 * r[-1]["accuracy"]:.2f} %')
    for threads, times in TIMES_TORCH.items():
        mine = f'{OURS}, {threads} thread{"s" if threads > 1 else ""}'
        if mine in seconds and f'{TORCH}, 1 thread' in seconds:
            bench.want_times(f'an epoch, {threads} threads' if threads > 1 else 'an epoch, 1 thread',
                             {TORCH: bench.median_ratio(seconds[f'{TORCH}, 1 thread'], seconds[mine])}, TORCH, times)


def growth(bench):
    """Ours alone, a round of each."""
    rows = {'batch': {b: ours(bench, b)['us_per_image'] for b in (BATCHES[::6] if bench.short else BATCHES)}}
    threads = range(1, min(bench.n_cpus, 16) + 1)
    rows['threads, forward, batch 1024'] = {t: ours(bench, 1024, t)['us_per_image'] for t in threads}
    rows['threads, training, batch 64'] = {t: ours(bench, 64, t, '--train')['us_per_image'] for t in threads}
    bench.figures['growth_us_a_picture'] = rows
    for name, row in rows.items():
        bench.report.add(f'us a picture by {name}', 'ok', ', '.join(f'{n}: {us:.2f}' for n, us in row.items()))


def parts(bench):
    for batch in (1, 64):
        yield f'forward, batch {batch}', lambda batch=batch: forward(bench, batch)
    yield 'an epoch', lambda: train(bench)
    yield 'growth', lambda: growth(bench)

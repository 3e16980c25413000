"""PyTorch's turn in `make bench-gpu`: the networks and the recipe of models/lab.json, as fast as plain PyTorch and its CUDA
graphs do them, in full FP32. A line of JSON on standard input is a request, a line on standard output its answer:

    {"do": "about"}                                                          versions
    {"do": "train", "graph": false, "epochs": 10}                            seconds, and the test accuracy of every epoch
    {"do": "forward", "graph": true, "batch": 64, "copies_in_graph": true}   microseconds a call, host to host

What is measured against is to be strong: data and its order lie on the device, the loss is read once an epoch, the optimiser
is the fused one, cuDNN may try its algorithms beforehand, graphs are captured before the clock starts; in training a graph
holds a whole step, choosing its pictures included, and another one the whole evaluation.
"""
import argparse
import gzip
import json
import os
import statistics
import sys
import time
import traceback

import torch
import torch.nn.functional as F

BATCH, TEST_BATCH, RATE, MOMENTUM = 64, 1024, 0.01, 0.9
MEAN, STD = 0.1307, 0.3081


class LeNet(torch.nn.Module):
    """Takes (n, 1, 28, 28) with a frame of `padding` still to come, or (n, 1, 32, 32) and no padding."""

    def __init__(self, network, padding):
        super().__init__()
        self.squash = {'sigmoid': torch.sigmoid, 'relu': F.relu}[network]
        self.last = {'sigmoid': torch.tanh, 'relu': F.relu}[network]
        self.c1 = torch.nn.Conv2d(1, 6, 5, padding=padding)
        self.c3 = torch.nn.Conv2d(6, 16, 5)
        self.c5 = torch.nn.Linear(400, 120)
        self.f6 = torch.nn.Linear(120, 84)
        self.output = torch.nn.Linear(84, 10)

    def forward(self, x):
        x = self.squash(F.max_pool2d(self.c1(x), 2))
        x = self.squash(F.max_pool2d(self.c3(x), 2))
        return self.output(self.last(self.f6(self.c5(x.flatten(1)))))


def read_idx(folder, name, skip):
    path = os.path.join(folder, name)
    with gzip.open(path + '.gz') if os.path.exists(path + '.gz') else open(path, 'rb') as f:
        return torch.frombuffer(bytearray(f.read()[skip:]), dtype=torch.uint8)


def read_set(folder, name, device):
    """Pictures as the input layer wants them, (n, 1, 32, 32), and labels, on the device."""
    pixels = read_idx(folder, f'{name}-images-idx3-ubyte', 16).view(-1, 1, 28, 28).to(device)
    labels = read_idx(folder, f'{name}-labels-idx1-ubyte', 8).to(device)
    return (F.pad(pixels.float() / 255, (2, 2, 2, 2)) - MEAN) / STD, labels.long()


def synchronise(device):
    if device.type == 'cuda':
        torch.cuda.synchronize()


def capture(work):
    """A CUDA graph of work(), which has to be able to run a few times beforehand."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph


class Training:
    def __init__(self, device, folder):
        self.device = device
        self.pictures, self.labels = read_set(folder, 'train', device)
        self.test_pictures, self.test_labels = read_set(folder, 't10k', device)
        self.n = len(self.labels)
        torch.manual_seed(1)
        self.net = LeNet('sigmoid', padding=0).to(device)
        fused = {'fused': True} if device.type == 'cuda' else {}
        self.optimiser = torch.optim.SGD(self.net.parameters(), lr=RATE, momentum=MOMENTUM, **fused)
        self.order = torch.arange(self.n, device=device)
        self.position = torch.zeros(1, dtype=torch.long, device=device)  # of a graph's next step in the order
        self.ramp = torch.arange(BATCH, device=device)
        self.loss_sum = torch.zeros((), device=device)
        self.right = torch.zeros((), dtype=torch.long, device=device)

    def update(self, chosen):
        self.optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.net(self.pictures.index_select(0, chosen)), self.labels.index_select(0, chosen))
        loss.backward()
        self.optimiser.step()
        self.loss_sum += loss.detach()

    def next_update(self, n):
        """As a graph needs it: the position is the device's to know."""
        self.update(self.order.index_select(0, self.position + self.ramp[:n]))
        self.position += n

    @torch.no_grad()
    def evaluate(self):
        self.right.zero_()
        for at in range(0, len(self.test_labels), TEST_BATCH):
            scores = self.net(self.test_pictures[at:at + TEST_BATCH])
            self.right += (scores.argmax(1) == self.test_labels[at:at + TEST_BATCH]).sum()

    def begin(self, graph):
        """Warms and captures, and takes back what that changed. What an epoch's steps and an evaluation are, as functions."""
        start = [p.detach().clone() for p in self.net.parameters()]
        rest = self.n % BATCH
        if graph:
            full = capture(lambda: self.next_update(BATCH))
            last = capture(lambda: self.next_update(rest)) if rest else None
            evaluation = capture(self.evaluate)

            def steps():
                for _ in range(self.n // BATCH):
                    full.replay()
                if last:
                    last.replay()
            evaluate = evaluation.replay
        else:
            def steps():
                for at in range(0, self.n, BATCH):
                    self.update(self.order[at:at + BATCH])
            evaluate = self.evaluate
            for n in {BATCH, rest} - {0}:
                self.update(self.order[:n])
            self.evaluate()
        with torch.no_grad():
            for p, value in zip(self.net.parameters(), start):
                p.copy_(value)
                self.optimiser.state[p]['momentum_buffer'].zero_()
        return steps, evaluate

    def run(self, epochs, graph):
        steps, evaluate = self.begin(graph)
        accuracies, losses = [], []
        synchronise(self.device)
        began = time.perf_counter()
        for _ in range(epochs):
            self.order.copy_(torch.randperm(self.n, device=self.device))
            self.position.zero_()
            self.loss_sum.zero_()
            steps()
            evaluate()
            accuracies.append(self.right.item() / len(self.test_labels))
            losses.append(self.loss_sum.item() / -(-self.n // BATCH))
        seconds = time.perf_counter() - began
        return {'seconds': seconds, 'accuracies': accuracies, 'losses': losses}


@torch.no_grad()
def fold(net, mean, std):
    """The network for ink as it comes: standardising goes into C1, whose zero padding then is the right frame."""
    net.c1.bias -= mean / std * net.c1.weight.sum((1, 2, 3))
    net.c1.weight /= std
    return net


def median_us(call, rounds):
    """Microseconds a call: the median of rounds of about 50 ms of calls, as `lenet bench` does it."""
    def time_calls(n):
        began = time.perf_counter()
        for _ in range(n):
            call()
        return time.perf_counter() - began
    n = 1
    time_calls(3)
    while time_calls(n) < 0.05:
        n *= 2
    return statistics.median(time_calls(n) for _ in range(rounds)) / n * 1e6


@torch.no_grad()
def time_forward(device, batch, graph, copies_in_graph, rounds):
    """Pixels in the host's memory, scores there, too. The first layer's weights include the 1/255."""
    torch.manual_seed(1)
    net = fold(LeNet('relu', padding=2).to(device), 255 * MEAN, 255 * STD).eval()
    pixels, scores = torch.randint(256, (batch, 1, 28, 28), dtype=torch.uint8), torch.empty(batch, 10)
    if device.type == 'cuda':
        pixels, scores = pixels.pin_memory(), scores.pin_memory()
    on_device, result = torch.empty_like(pixels, device=device), torch.empty(batch, 10, device=device)

    def compute():
        result.copy_(net(on_device.float()))

    def eager():
        on_device.copy_(pixels, non_blocking=True)
        scores.copy_(net(on_device.float()), non_blocking=True)
        synchronise(device)

    def whole():
        on_device.copy_(pixels, non_blocking=True)
        scores.copy_(net(on_device.float()), non_blocking=True)
    if graph:
        captured = capture(whole if copies_in_graph else compute)

    def replayed():
        if not copies_in_graph:
            on_device.copy_(pixels, non_blocking=True)
        captured.replay()
        if not copies_in_graph:
            scores.copy_(result, non_blocking=True)
        synchronise(device)
    return {'us_per_call': median_us(replayed if graph else eager, rounds)}


def about(device):
    return {'pytorch': torch.__version__, 'cuda': torch.version.cuda, 'cudnn': torch.backends.cudnn.version(),
            'device': torch.cuda.get_device_name() if device.type == 'cuda' else 'cpu'}


def answer(request, device, folder):
    if request.get('graph') and device.type != 'cuda':
        return {'skipped': 'CUDA graphs need a GPU'}
    if request['do'] == 'train':
        return Training(device, folder).run(request['epochs'], request['graph'])
    if request['do'] == 'forward':
        return time_forward(device, request['batch'], request['graph'], request.get('copies_in_graph', True), request['rounds'])
    return about(device)


def main():
    parser = argparse.ArgumentParser(description='Measures PyTorch, a request a line.')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--data', required=True, help="the folder of MNIST's files")
    args = parser.parse_args()
    device = torch.device(args.device)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if device.type == 'cpu':
        torch.set_num_threads(1)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), device, args.data)
        except Exception as e:  # the reply says it, and whoever asked decides
            traceback.print_exc()
            reply = {'failed': f'{type(e).__name__}: {e}'}
        print(json.dumps(reply), flush=True)


if __name__ == '__main__':
    main()

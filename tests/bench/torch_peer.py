"""PyTorch's turn in `make bench`. A line of JSON on standard input is a request, a line on standard output its answer:

    {"do": "about"}                                                               versions
    {"do": "forward", "batch": 64, "threads": 1, "frozen": true, "rounds": 11}    microseconds a call, ink in memory to scores there
    {"do": "scores", "ink": FILE, "n": 256, "frozen": false}                      the logits of n pictures, read as float32 (n, 28, 28)
    {"do": "train", "threads": 2, "epochs": 1}                                    as tests/gpu/peer.py does it
"""
import argparse
import functools
import json
import sys

import torch

import torch_net
from torch_net import peer


def answer(request, load, folder):
    if 'threads' in request:
        torch.set_num_threads(request['threads'])
    if request['do'] == 'about':
        return peer.about(torch.device('cpu'))
    if request['do'] == 'train':
        return peer.Training(torch.device('cpu'), folder).run(request['epochs'], graph=False)
    net = load(request['frozen'])
    with torch.no_grad():
        if request['do'] == 'scores':
            with open(request['ink'], 'rb') as f:
                ink = torch.frombuffer(bytearray(f.read()), dtype=torch.float32)
            return {'scores': net(ink.view(request['n'], 1, 28, 28)).flatten().tolist()}
        ink = torch.rand(request['batch'], 1, 28, 28)
        return {'us_per_call': peer.median_us(lambda: net(ink), request['rounds'])}


def main():
    parser = argparse.ArgumentParser(description='Measures PyTorch on the CPU, a request a line.')
    parser.add_argument('--model', required=True, help='a lenet.bin of the network relu')
    parser.add_argument('--data', required=True, help="the folder of MNIST's files")
    args = parser.parse_args()
    torch.set_num_interop_threads(1)
    load = functools.lru_cache(functools.partial(torch_net.load, args.model))
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), load, args.data)
        except Exception as e:  # the reply says it, and whoever asked decides
            reply = {'failed': f'{type(e).__name__}: {e}'}
        print(json.dumps(reply), flush=True)


if __name__ == '__main__':
    main()

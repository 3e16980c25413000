"""The relu network in PyTorch, with the parameters of a lenet.bin, for ink as it comes."""
import json
import os
import struct
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'gpu'))
import peer


def read_state(path):
    """safetensors without its package: a length, a JSON header, numbers."""
    with open(path, 'rb') as f:
        data = f.read()
    begin = 8 + struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:begin])
    about = header.pop('__metadata__')
    state = {name: torch.frombuffer(bytearray(data[begin + t['data_offsets'][0]:begin + t['data_offsets'][1]]),
                                    dtype=torch.float32).view(t['shape']) for name, t in header.items()}
    return state, float(about['mean']), float(about['std'])


def load(path, frozen):
    """A function of ink (n, 1, 28, 28) to scores (n, 10). frozen: TorchScript, optimised for inference."""
    state, mean, std = read_state(path)
    net = peer.LeNet('relu', padding=2)
    net.load_state_dict(state)
    net = peer.fold(net, mean, std).eval()
    if not frozen:
        return net
    with torch.no_grad():
        script = torch.jit.trace(net, torch.rand(1, 1, 28, 28))
        return torch.jit.optimize_for_inference(torch.jit.freeze(script.eval()))

"""`lenet export --onnx`, computed by ONNX Runtime. That is a large package, which `make bench` or tests/bench/install fetches: without
it these tests are skipped."""
import array
import json
import math
import os
import shutil
import struct
import sys
import unittest

from daemon import mnist, png
from test_lenet import LIMIT, ROOT, Folder, lenet, read

sys.path.insert(0, os.path.join(ROOT, "tests/gpu"))
import rig

BENCH = os.path.join(ROOT, "tests/bench")
N = 256
BOUND = 1e-5  # of scores, as a share of the reference's norm, 3.5e-7 measured; of a probability, 2.1e-7


def tensor(path, name):
    data = read(path)
    n = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8 : 8 + n])[name]["data_offsets"]
    return array.array("f", data[8 + n + begin : 8 + n + end])


def error(got, want):
    return (sum((a - b) ** 2 for a, b in zip(got, want, strict=True)) / sum(b * b for b in want)) ** 0.5


def softmax(scores):
    exps = [math.exp(s - max(scores)) for s in scores]
    return [e / sum(exps) for e in exps]


@unittest.skipUnless(shutil.which("node"), "there is no Node.js")
@unittest.skipUnless(os.path.isdir(f"{BENCH}/node_modules/onnxruntime-node"), "no ONNX Runtime: tests/bench/install fetches it")
class Export(Folder):
    def scores(self, *arguments):
        """ONNX Runtime's, of the first N test pictures."""
        self.run_here("export", "--onnx", "a.onnx", *arguments)
        with open(self.path("ink"), "wb") as f:
            for pixels in mnist(N):
                array.array("f", [p / 255 for p in pixels]).tofile(f)
        peer = rig.Peer("ONNX Runtime", ["node", f"{BENCH}/ort.mjs", self.path("a.onnx")], self.path("log"))
        self.addCleanup(peer.close)
        return peer.ask(rig.Report("", LIMIT), do="scores", ink=self.path("ink"), n=N)["scores"]

    def test_scores_are_those_of_the_reference(self):
        for network in ("sigmoid", "relu"):
            golden = os.path.join(ROOT, "tests/golden", network)
            got = self.scores("--model", golden + "-init.safetensors", "--network", network)
            self.assertLess(error(got, tensor(golden + "-step0.safetensors", "logits")), BOUND, network)

    def test_answers_are_ours(self):
        for i, pixels in enumerate(mnist(N)):
            self.write(f"{i:03}.png", png(pixels))
        said = self.run_here("predict", "--json", "--device", "cpu", *(f"{i:03}.png" for i in range(N))).out
        ours = [json.loads(line)["probabilities"] for line in said.splitlines()]
        scores = self.scores()
        self.assertEqual(len(ours), N)
        for i, probabilities in enumerate(ours):
            self.assertLess(max(abs(a - b) for a, b in zip(probabilities, softmax(scores[10 * i : 10 * i + 10]))), BOUND, i)


class Refusals(Folder):
    def test_what_cannot_be(self):
        golden = os.path.join(ROOT, "tests/golden/1998-init.safetensors")
        self.assertIn("use sigmoid or relu", lenet("export", "--onnx", self.path("a"), "--model", golden, "--network", "1998", status=1).err)
        self.assertFalse(os.path.exists(self.path("a")))
        self.assertIn("--onnx FILE", lenet("export", status=2).err)


if __name__ == "__main__":
    unittest.main()

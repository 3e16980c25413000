"""`make install`, the manual pages and the completion: what they say of the programs must be what the programs say of themselves."""
import os
import re
import subprocess
import tempfile
import unittest

import tools

PAGES = ('lenet.1', 'lenetd.8', 'lenet.bin.5')


def files(folder):
    return sorted(os.path.relpath(os.path.join(d, name), folder) for d, _, names in os.walk(folder) for name in names)


class Install(unittest.TestCase):
    def test_goes_where_it_is_told_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as root:
            where = (f'DESTDIR={root}', 'PREFIX=/opt/digits')
            tools.make(self, 'install', *where)
            put = files(root)
            for name in ('bin/lenet', 'bin/lenetd', 'share/man/man1/lenet.1', 'share/man/man8/lenetd.8', 'share/man/man5/lenet.bin.5',
                         'share/bash-completion/completions/lenet', 'share/bash-completion/completions/lenetd',
                         'share/fish/vendor_completions.d/lenet.fish', 'share/fish/vendor_completions.d/lenetd.fish',
                         'share/zsh/site-functions/_lenet',
                         'lib/systemd/system/lenetd.service', 'lib/systemd/system/lenetd.socket', 'lib/sysusers.d/lenetd.conf',
                         'share/lenet/models/lab.json', 'share/lenet/models/lab.bin', 'share/lenet/models/sweeps/lab.json'):
                self.assertIn(f'opt/digits/{name}', put)
            self.assertEqual([name for name in put if not name.startswith('opt/digits/')], [])
            self.assertIn('lenetd ', tools.check(self, f'{root}/opt/digits/bin/lenetd', '--version'))
            with open(f'{root}/opt/digits/lib/systemd/system/lenetd.service') as unit:
                self.assertIn('ExecStart=/opt/digits/bin/lenetd\n', unit.read())
            with open(f'{root}/opt/digits/share/man/man1/lenet.1') as page:
                text = page.read()
                self.assertIn('Pa /opt/digits/share/lenet/models/', text)
                self.assertNotIn('/usr/share', text)
            tools.make(self, 'uninstall', *where)
            self.assertEqual(files(root), [])

    def test_the_script_for_slurm_finds_the_program_that_is_installed(self):
        with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as elsewhere:
            tools.make(self, 'install', f'PREFIX={root}')
            sweeps = f'{root}/share/lenet/models/sweeps'
            where = {'PATH': f'{root}/bin:{os.environ["PATH"]}', 'SLURM_ARRAY_TASK_ID': '1'}
            self.assertIn('lab-lr=0.001/seed=1', tools.check(self, f'{sweeps}/slurm.sh', f'{sweeps}/lab.json', '--list', cwd=elsewhere, env=where))

    def test_the_package_has_the_programs_version(self):
        version = re.search(r'"(.+)"', tools.read('core/version.h'))[1]
        self.assertTrue(tools.read('docker/debian/changelog').startswith(f'lenet ({version})'))


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tools.make(cls(), 'man')

    def page(self, name):
        return os.path.join(tools.BUILD, 'man', name)

    def test_the_language_is_right(self):
        mandoc = tools.tool('mandoc', 'mandoc')
        for name in PAGES:
            said = tools.run(*mandoc, '-T', 'lint', self.page(name)).stdout
            wrong = [line for line in said.splitlines() if 'referenced manual not found' not in line and 'mandoc.db' not in line]
            self.assertEqual(wrong, [])

    def test_man_reads_them(self):
        man = tools.tool('man')
        for name in PAGES:
            done = subprocess.run([*man, '--warnings', '-l', self.page(name)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ''))

    def shown(self, name):
        """The page's text as one line, as it is read."""
        return ' '.join(tools.check(self, *tools.tool('mandoc', 'mandoc'), '-T', 'utf8', self.page(name)).replace('\b', '').split())

    def shows(self, name, program, *help_):
        # Overstruck, a bold or underlined letter comes twice; the dashes of a flag are bold.
        page = re.sub(r'(.)\1', r'\1', self.shown(name))
        listed = tools.options(program, *help_)
        self.assertNotEqual(listed, [])
        for flag, text in listed:
            self.assertIn(re.sub(r'(.)\1', r'\1', ' '.join(text.split())), page, f'{flag} of {program}')
        return listed

    def test_lenetd_has_every_flag(self):
        flags = {flag for flag, _ in self.shows('lenetd.8', 'lenetd', '--help')}
        with open(self.page('lenetd.8')) as page:
            named = set(re.findall(r'Fl (-\S+)', page.read())) - {'-flag'}
        self.assertEqual({'-' + flag for flag in named}, flags)

    def test_lenet_has_every_command_with_its_options(self):
        commands = re.findall(r'^  ([a-z]+) ', tools.run(os.path.join(tools.BUILD, 'lenet'), 'help').stdout, re.M)
        self.assertIn('train', commands)
        for command in commands:
            self.shows('lenet.1', 'lenet', 'help', command)


class Completion:
    """What a shell offers for the last word of a command line. Each has every flag and command that the programs list."""

    def test_flags(self):
        self.assertEqual(self.complete('lenetd', '--'), {flag for flag, _ in tools.options('lenetd', '--help')})
        self.assertEqual(self.complete('lenet', 'train', '-'), {flag for flag, _ in tools.options('lenet', 'help', 'train')})
        self.assertIn('--device', self.complete('lenetd', '--devi'))

    def test_commands(self):
        self.assertIn('train', self.complete('lenet', 'tr'))
        self.assertIn('help', self.complete('lenet', 'h'))
        self.assertIn('eval', self.complete('lenet', 'help', 'ev'))

    def test_files_are_left_to_the_shell(self):
        self.assertEqual(self.complete('lenet', 'predict', 'Make'), self.files)


class Bash(Completion, unittest.TestCase):
    files = set()

    def complete(self, *words):
        script = (f'. {tools.path("docs/completion.bash")}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lenet; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        program = os.path.join(tools.BUILD, words[0])
        return set(tools.check(self, 'bash', '-c', script, 'bash', program, *words[1:]).split())

    def test_it_offers_what_fits_and_no_more(self):
        self.assertEqual(self.complete('lenetd', '--devi'), {'--device'})
        self.assertEqual(self.complete('lenet', 'tr'), {'train'})


class Fish(Completion, unittest.TestCase):
    files = {'Makefile'}

    def complete(self, *words):
        script = f'source {tools.path("docs/completion.fish")}; complete -C "{" ".join(words)}"'
        offered = tools.check(self, *tools.tool('fish', 'fish'), '--no-config', '-c', script, cwd=tools.ROOT,
                              env={**os.environ, 'PATH': f'{tools.BUILD}:{os.environ["PATH"]}'})
        return {line.split('\t')[0] for line in offered.splitlines()}

    def test_it_offers_what_fits_and_no_more(self):
        self.assertEqual(self.complete('lenetd', '--devi'), {'--device'})
        self.assertEqual(self.complete('lenet', 'tr'), {'train'})


class Zsh(Completion, unittest.TestCase):
    """Without the completion system, which takes a terminal: what our function would tell it, all that fits left to it."""
    files = {'FILES'}

    def complete(self, *words):
        script = ('_describe() { [[ $1 == -o ]] && shift; print -l -- ${(P)2%%:*} }; _files() { print FILES }; '
                  f'words=("$@") CURRENT=$# PREFIX=$argv[-1]; . {tools.path("docs/completion.zsh")}')
        program = os.path.join(tools.BUILD, words[0])
        return set(tools.check(self, *tools.tool('zsh', 'zsh'), '-f', '-c', script, 'zsh', program, *words[1:]).split())

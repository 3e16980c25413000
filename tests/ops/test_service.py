"""The units of systemd and the images: the files are right, and speak of flags and routes that the daemon has."""
import os
import re
import shutil
import socket
import tempfile
import unittest

import tools
from daemon import Daemon, LENETD

MAX_EXPOSURE = 2.0


class Units(unittest.TestCase):
    def setUp(self):
        self.analyze = [*tools.tool('systemd-analyze', 'systemd')]
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for name in ('lenetd.service', 'lenetd.socket'):
            with open(os.path.join(self.folder.name, name), 'w') as unit:
                unit.write(tools.read('docker/systemd', name).replace('/usr/bin/lenetd', os.path.abspath(LENETD)))
        self.unit = os.path.join(self.folder.name, 'lenetd.service')

    def for_a_gpu(self):
        os.mkdir(self.unit + '.d')
        shutil.copy(tools.path('docker/systemd/lenetd-gpu.conf'), self.unit + '.d')

    def check(self):
        self.assertEqual(tools.check(self, *self.analyze, 'verify', '--man=no', self.unit), '')
        tools.check(self, *self.analyze, 'security', '--offline=true', f'--threshold={MAX_EXPOSURE * 10:.0f}', self.unit)

    def test_service_is_right_and_confined(self):
        self.check()

    def test_with_a_gpu_too(self):
        self.for_a_gpu()
        self.check()

    def test_the_system_user_is_the_services(self):
        user = re.search(r'^User=(\S+)', tools.read('docker/systemd/lenetd.service'), re.M)[1]
        self.assertRegex(tools.read('docker/systemd/sysusers.conf'), rf'^u {user} ')


class Settings(unittest.TestCase):
    def setUp(self):
        self.flags = {flag for flag, _ in tools.options('lenetd', '--help')}

    def named(self, pattern, *folders):
        """(file, what it names) of all files below these."""
        return {(os.path.join(folder, name), found) for top in folders for folder, _, names in os.walk(tools.path('docker', top))
                for name in names for found in re.findall(pattern, tools.read(folder, name))}

    def test_variables_are_the_daemons(self):
        known = {'LENETD' + flag[1:].upper().replace('-', '_') for flag in self.flags}
        for name, variable in self.named(r'LENETD_[A-Z_]*[A-Z]', '.'):
            self.assertIn(variable, known, name)

    def test_flags_are_the_daemons(self):
        named = self.named(r'(?<![\w-])--[a-z][a-z0-9-]*', 'haproxy', 'kubernetes', 'prometheus', 'systemd')  # elsewhere they are others'
        self.assertIn('--drain-delay', {flag for _, flag in named})
        for name, flag in named:
            self.assertIn(flag, self.flags, name)


class Images(unittest.TestCase):
    def test_healthcheck(self):
        script = tools.path('docker/healthcheck')
        hosts = ['127.0.0.1', '0.0.0.0', '127.0.0.2']
        try:
            with socket.socket(socket.AF_INET6) as s:
                s.bind(('::1', 0))
            hosts += ['[::1]', '[::]']
        except OSError:
            pass  # there is no IPv6 here
        for host in hosts:
            with self.subTest(host), Daemon(listen=f'{host}:0', LENETD_HOST='digits.example.com') as d:
                where = {**os.environ, 'LENETD_LISTEN': f'{host}:{d.port}'}
                tools.check(self, script, env=where)
            self.assertNotEqual(tools.run(script, env=where).returncode, 0)

    def test_what_is_published_on_loopback_lets_no_page_in(self):
        try:
            import yaml
        except ImportError:
            raise unittest.SkipTest('python3-yaml is not installed') from None
        services = yaml.safe_load(tools.read('docker/compose.yaml'))['services']
        self.assertEqual(set(services), {'lenetd', 'gpu'})
        for service in services.values():
            self.assertEqual([port for port in service['ports'] if not port.startswith('127.0.0.1:')], [])
            with Daemon(listen='0.0.0.0:0', **service.get('environment', {'LENETD_HOST': None})) as d:
                for host, status in (('localhost:8080', 200), ('127.0.0.1:8080', 200), ('pages.example.com', 403)):
                    self.assertEqual(d.ask('GET', '/', headers={'Host': host}).status, status, host)

    def test_steps_run_what_there_is(self):
        for name in ('docker/Dockerfile', 'docker/Dockerfile.cuda'):
            for source in re.findall(r'^COPY ([^-\s]\S*) ', tools.read(name), re.M):
                self.assertTrue(os.path.exists(tools.path(source)), f'{name}: {source}')
            self.assertRegex(tools.read(name), r'(?m)^USER [1-9]')

    def test_the_one_for_a_gpu_builds_and_runs_with_cudnn(self):
        bases = re.findall(r'^FROM nvidia/cuda:(\d+)\.(\S+?)-(cudnn-\w+|\w+)-(\S+)', tools.read('docker/Dockerfile.cuda'), re.M)
        self.assertEqual([kind for _, _, kind, _ in bases], ['cudnn-devel', 'cudnn-runtime'])
        self.assertEqual({(major, system) for major, _, _, system in bases}, {('13', 'ubuntu24.04')})
        self.assertEqual(len({minor for _, minor, _, _ in bases}), 1)

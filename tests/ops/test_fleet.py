"""What stands around several daemons: HAProxy, Prometheus and Kubernetes, each checked by its own program."""
import glob
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest

import tools
from daemon import Daemon, PATIENCE, mnist, png, read_response

RENDERED = ('overlays/cpu', 'overlays/gpu', 'kserve')
KUBERNETES = tools.path('docker/kubernetes')
# The series of a histogram, whose own name is the one before.
SERIES = re.compile(r'_(bucket|sum|count)$')


def metric_names(text):
    return {SERIES.sub('', name) for name in re.findall(r'(?<![\w:])lenet_[a-z_]+', text)}


def yaml():
    try:
        import yaml as module
    except ImportError:
        raise unittest.SkipTest('python3-yaml is not installed') from None
    return module


class HAProxy(unittest.TestCase):
    def setUp(self):
        self.haproxy = tools.tool('haproxy', 'haproxy')
        self.config = tools.read('docker/haproxy/haproxy.cfg')

    def test_configuration(self):
        tools.check(self, *self.haproxy, '-c', '-f', tools.path('docker/haproxy/haproxy.cfg'))

    def test_its_check_is_answered_whatever_the_daemons_are_called(self):
        method, uri, host = re.search(r'http-check send meth (\S+) uri (\S+) ver HTTP/1.1 hdr Host (\S+)', self.config).groups()
        with Daemon(LENETD_HOST='digits.example.com') as d:
            self.assertEqual(d.ask(method, uri, headers={'Host': host}).status, 200)

    def before(self, daemon):
        """HAProxy before one daemon, until the test ends: where it listens."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        door, config = os.path.join(folder.name, 'door'), os.path.join(folder.name, 'haproxy.cfg')
        with open(config, 'w') as f:
            f.write(re.sub(r'(\tserver \w+) .*', rf'\1 127.0.0.1:{daemon.port}', self.config.replace('bind :8000', f'bind unix@{door}')))
        process = subprocess.Popen([*self.haproxy, '-f', config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return door

    def ask(self, door, method, path):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(door)
            s.sendall(f'{method} {path} HTTP/1.1\r\nHost: digits.example.com\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'.encode())
            with s.makefile('rb') as stream:
                status, _, body = read_response(stream)
                return status, body

    def until_ready(self, door):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if os.path.exists(door) and self.ask(door, 'GET', '/readyz')[0] == 200:
                return
            time.sleep(0.05)
        self.fail('HAProxy finds no daemon ready')

    def test_it_passes_on_what_is_the_worlds_and_nothing_else(self):
        with Daemon(LENETD_HOST='digits.example.com') as d:
            door = self.before(d)
            self.until_ready(door)
            self.assertEqual(self.ask(door, 'GET', '/v2/models/best')[0], 200)
            for method, path in (('GET', '/metrics'), ('GET', '/%6detrics'), ('POST', '/v2/repository/index'),
                                 ('POST', '/v2/repository/models/best/load'), ('POST', '/v2/%72epository/models/best/load'),
                                 ('GET', 'http://digits.example.com/metrics')):
                self.assertEqual(self.ask(door, method, path), (404, b'{"error": "not served here"}'), path)


class Prometheus(unittest.TestCase):
    def setUp(self):
        self.promtool = tools.tool('promtool', 'prometheus')

    def promtool_says(self, *arguments):
        tools.check(self, *self.promtool, *arguments, cwd=tools.path('docker/prometheus'))

    def test_configuration_and_rules(self):
        self.promtool_says('check', 'config', 'prometheus.yml')

    def test_alerts_come_when_they_should(self):
        self.promtool_says('test', 'rules', 'rules_test.yml')

    def test_every_alert_has_a_test(self):
        alerts = re.findall(r'alert: (\w+)', tools.read('docker/prometheus/rules.yml'))
        tested = tools.read('docker/prometheus/rules_test.yml')
        for alert in alerts:
            self.assertIn(f'alertname: {alert}\n', tested)


class Metrics(unittest.TestCase):
    def test_names_are_the_daemons(self):
        wanted = metric_names(tools.read('docker/prometheus/rules.yml'))
        for name in glob.glob(f'{KUBERNETES}/**/*.yaml', recursive=True):
            wanted |= metric_names(tools.read(name))
        with Daemon('--batch-on-cpu') as d:
            d.predict(png(mnist(1)[0]))
            answer = d.ask('GET', '/metrics')
        known = set(re.findall(r'^# TYPE (\S+)', answer.body.decode(), re.M))
        self.assertEqual(wanted - known, set())

    def test_predictions_are_what_is_asked_for_them(self):
        tensor = b'{"inputs": [{"name": "input", "datatype": "UINT8", "shape": [1,784], "data": [%s]}]}' % b','.join([b'0'] * 784)
        with Daemon() as d:
            d.predict(png(mnist(1)[0]))
            for path in ('/v2/models/best/infer', '/v2/models/best/versions/1/infer'):
                self.assertEqual(d.ask('POST', path, tensor).status, 200)
            predictions = set(re.findall(r'requests_total{route="([^"]+)"', d.ask('GET', '/metrics').body.decode()))
            d.ask('GET', '/readyz')
            d.ask('GET', '/v2/models/best/ready')
            routes = set(re.findall(r'requests_total{route="([^"]+)"', d.ask('GET', '/metrics').body.decode()))
        self.assertGreater(routes, predictions)
        patterns = re.findall(r'route=~"([^"]+)"', tools.read('docker/prometheus/rules.yml'))
        self.assertNotEqual(patterns, [])
        for pattern in patterns:
            self.assertEqual({route for route in routes if re.fullmatch(pattern, route)}, predictions)


class Kubernetes(unittest.TestCase):
    def rendered(self, folder):
        text = tools.check(self, *tools.tool('kubectl'), 'kustomize', os.path.join(KUBERNETES, folder))
        return {thing['kind']: thing for thing in yaml().safe_load_all(text)}

    def test_kustomize_renders_them(self):
        for folder in RENDERED:
            self.assertNotEqual(self.rendered(folder), {})

    def test_overlays_fit_together(self):
        for folder in RENDERED[:2]:
            things = self.rendered(folder)
            self.assertEqual(set(things), {'Deployment', 'Service', 'PodDisruptionBudget', 'HorizontalPodAutoscaler'})
            pod = things['Deployment']['spec']['template']
            labels = pod['metadata']['labels']
            for selector in (things['Deployment']['spec']['selector']['matchLabels'], things['Service']['spec']['selector'],
                             things['PodDisruptionBudget']['spec']['selector']['matchLabels']):
                self.assertLessEqual(selector.items(), labels.items())
            self.assertEqual(things['HorizontalPodAutoscaler']['spec']['scaleTargetRef']['name'], things['Deployment']['metadata']['name'])
            container, = pod['spec']['containers']
            self.assertIn('requests', container['resources'])

    def test_every_file_parses(self):
        for name in glob.glob(f'{KUBERNETES}/**/*.yaml', recursive=True) + [tools.path('docker/compose.yaml')]:
            with open(name) as f:
                self.assertNotEqual(list(yaml().safe_load_all(f)), [])

    def test_every_resource_is_there(self):
        for name in glob.glob(f'{KUBERNETES}/**/kustomization.yaml', recursive=True):
            with open(name) as f:
                for resource in yaml().safe_load(f)['resources']:
                    self.assertTrue(os.path.exists(os.path.join(os.path.dirname(name), resource)), f'{name}: {resource}')

    def test_arguments_are_the_daemons(self):
        for name in glob.glob(f'{KUBERNETES}/**/*.yaml', recursive=True):
            for thing in yaml().safe_load_all(tools.read(name)):
                for container in thing.get('spec', {}).get('containers', []):
                    if 'args' in container:
                        self.starts(container)

    def starts(self, container):
        """The images have no entry point: arguments alone would be a command."""
        self.assertEqual(container.get('command'), ['lenetd'])
        listen, address, *rest = [arg.replace('{{.Name}}', 'digits').replace('/mnt/models/lenet.bin', tools.path('models/lab.bin'))
                                  for arg in container['args']]
        port, = (port['containerPort'] for port in container['ports'])
        self.assertEqual((listen, address), ('--listen', f'0.0.0.0:{port}'))
        with Daemon(*rest, listen='0.0.0.0:0') as d:
            self.assertEqual(d.ask('GET', '/v2/models/digits/ready').status, 200)

    def test_probes_are_routes(self):
        paths = set()
        for name in glob.glob(f'{KUBERNETES}/**/*.yaml', recursive=True):
            paths |= set(re.findall(r'httpGet: {path: (\S+),', tools.read(name)))
        self.assertEqual(paths, {'/healthz', '/readyz'})
        with Daemon() as d:
            for route in paths:
                self.assertEqual(d.ask('GET', route).status, 200)

"""What stands around several daemons: HAProxy, Prometheus and Kubernetes, each checked by its own program."""
import glob
import os
import re
import unittest

import tools
from daemon import Daemon, mnist, png

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
    def test_configuration(self):
        tools.check(self, *tools.tool('haproxy', 'haproxy'), '-c', '-f', tools.path('docker/haproxy/haproxy.cfg'))


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

    def test_probes_are_routes(self):
        paths = set()
        for name in glob.glob(f'{KUBERNETES}/**/*.yaml', recursive=True):
            paths |= set(re.findall(r'httpGet: {path: (\S+),', tools.read(name)))
        self.assertEqual(paths, {'/healthz', '/readyz'})
        with Daemon() as d:
            for route in paths:
                self.assertEqual(d.ask('GET', route).status, 200)

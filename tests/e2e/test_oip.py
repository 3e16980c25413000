"""The Open Inference Protocol, by a client that is written from its specification alone: KServe's inference_rest.md, and Triton's
extensions for binary tensor data, classification, model configuration, model repository and statistics.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_oip.py     (in the repository's root)
"""
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import struct
import tempfile
import time
import unittest

import openapi
from daemon import BOUNDARY, ROOT, Daemon, mnist, multipart, png, read_response

FORMS = {'FP32': '<f', 'UINT8': '<B'}


class Client:
    def __init__(self, test, daemon, model='best'):
        self.test, self.daemon, self.path = test, daemon, f'/v2/models/{model}'

    def ask(self, method, path, body=None, headers=None):
        return self.daemon.ask(method, path, body, headers=headers)

    def post(self, request, binary=None, path=None, **headers):
        """An inference request of JSON, and of the bytes behind it if there are any."""
        body = json.dumps(request).encode()
        if binary is not None:
            headers['Inference-Header-Content-Length'] = str(len(body))
            body += binary
        return self.ask('POST', path or self.path + '/infer', body, headers)

    def tensors(self, r):
        """The outputs of an answer: a list of numbers, or of texts, each."""
        self.test.assertEqual(r.status, 200, r.body)
        length = r.getheader('Inference-Header-Content-Length')
        answer, rest = json.loads(r.body[:int(length)] if length else r.body), r.body[int(length):] if length else b''
        if length:
            self.test.assertEqual(r.getheader('Content-Type'), 'application/octet-stream')
            openapi.check({'$ref': '#/components/schemas/InferenceResponse'}, answer)
        self.test.assertEqual((answer['model_name'], answer['model_version']), (self.path.split('/')[3], '1'))
        outputs = {}
        for output in answer['outputs']:
            data = output.get('data')
            if data is None:
                n = output['parameters']['binary_data_size']
                data, rest = decode(output['datatype'], rest[:n]), rest[n:]
            n_rows, n_columns = output['shape']
            self.test.assertEqual(len(data), n_rows * n_columns)
            outputs[output['name']] = data
        self.test.assertEqual(rest, b'')
        return outputs


def decode(datatype, data):
    if datatype == 'FP32':
        return [v for v, in struct.iter_unpack('<f', data)]
    texts = []
    while data:
        n, = struct.unpack_from('<I', data)
        texts.append(data[4:4 + n].decode())
        data = data[4 + n:]
    return texts


def tensor(datatype, shape, pixels, binary):
    """The input of these pixels, and its bytes if they are to go behind the JSON."""
    form = FORMS[datatype]
    values = [p / 255 for p in pixels] if datatype == 'FP32' else list(pixels)
    data = b''.join(struct.pack(form, v) for v in values)
    described_input = {'name': 'input', 'datatype': datatype, 'shape': shape}
    if binary:
        return {**described_input, 'parameters': {'binary_data_size': len(data)}}, data
    return {**described_input, 'data': [v for v, in struct.iter_unpack(form, data)]}, None


def nested(values, shape):
    if len(shape) == 1:
        return values
    n = len(values) // shape[0]
    return [nested(values[i * n:(i + 1) * n], shape[1:]) for i in range(shape[0])]


def bits(values):
    return struct.pack(f'<{len(values)}f', *values)


class Description(unittest.TestCase):
    def test_answers_are_held_against_it(self):
        if not openapi.Draft202012Validator:
            self.skipTest('no jsonschema (Debian: python3-jsonschema, from 4.0 on): answers are not compared with docs/openapi.json')
        for schema in openapi.COMPONENTS['schemas'].values():
            openapi.Draft202012Validator.check_schema(schema)
        with self.assertRaises(Exception):
            openapi.check_answer('GET', '/v2/health/live', 200, 'application/json', {'live': False})


class OneDaemon(unittest.TestCase):
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(*cls.flags)
        cls.pictures = mnist(4)

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        log = cls.daemon.text()
        cls.daemon.log.close()
        assert status == 0, f'the daemon ended with {status}: {log}'

    def setUp(self):
        self.client = Client(self, self.daemon)


class Infer(OneDaemon):
    def predicted(self):
        r = self.daemon.predict(multipart(*[png(p) for p in self.pictures]), f'multipart/form-data; boundary={BOUNDARY}')
        return [v for p in r.json['predictions'] for v in p['probabilities']]

    def test_all_forms_give_the_same_bits(self):
        n, pixels = len(self.pictures), b''.join(self.pictures)
        answers = {}
        for datatype in FORMS:
            for shape in ([n, 1, 28, 28], [n, 28, 28], [n, 784]):
                for binary in (False, True):
                    for output_binary in (False, True):
                        described_input, data = tensor(datatype, shape, pixels, binary)
                        request = {'inputs': [described_input], 'parameters': {'binary_data_output': output_binary}}
                        name = (datatype, str(shape), binary, output_binary)
                        answers[name] = self.client.tensors(self.client.post(request, data))
                described_input, _ = tensor(datatype, shape, pixels, False)
                described_input['data'] = nested(described_input['data'], shape)
                answers[datatype, str(shape), 'nested'] = self.client.tensors(self.client.post({'inputs': [described_input]}))
        _, data = tensor('FP32', [n, 784], pixels, True)
        r = self.client.ask('POST', self.client.path + '/versions/1/infer', data, {'Inference-Header-Content-Length': '0'})
        self.assertTrue(r.getheader('Inference-Header-Content-Length'))
        answers['raw'] = self.client.tensors(r)
        self.assertEqual({bits(a['probabilities']) for a in answers.values()}, {bits(self.predicted())})
        self.assertEqual(len({bits(a['logits']) for a in answers.values()}), 1)
        self.assertEqual({tuple(a) for a in answers.values()}, {('logits', 'probabilities')})

    def test_a_picture_alone_has_the_bits_that_it_has_in_company(self):
        together, data = tensor('FP32', [4, 784], b''.join(self.pictures), True)
        logits = self.client.tensors(self.client.post({'inputs': [together]}, data))['logits']
        for i, picture in enumerate(self.pictures):
            alone, data = tensor('FP32', [1, 784], picture, True)
            r = self.client.post({'inputs': [alone], 'outputs': [{'name': 'logits'}]}, data)
            self.assertEqual(bits(self.client.tensors(r)['logits']), bits(logits[10 * i:10 * i + 10]))

    def test_as_triton_s_client_asks(self):
        """Binary both ways and no Content-Type: what tritonclient.http sends when nothing else is said."""
        pixels = self.pictures[0]
        for outputs in (None, [{'name': 'probabilities', 'parameters': {'binary_data': True}}]):
            described_input, data = tensor('FP32', [1, 1, 28, 28], pixels, True)
            request = {'inputs': [described_input]}
            request.update({'outputs': outputs} if outputs else {'parameters': {'binary_data_output': True}})
            body = json.dumps(request, separators=(',', ':')).encode()
            head = (f'POST {self.client.path}/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: {len(body)}\r\n'
                    f'User-Agent: x\r\nContent-Length: {len(body) + len(data)}\r\n\r\n').encode()
            with self.daemon.raw(head + body + data) as s:
                status, headers, answer = read_response(s.makefile('rb'))
            n_json = int(headers['inference-header-content-length'])
            self.assertEqual(status, 200)
            output = json.loads(answer[:n_json])['outputs'][-1]
            self.assertEqual((output['name'], output['datatype'], output['shape']), ('probabilities', 'FP32', [1, 10]))
            self.assertEqual(answer[-40:], bits(self.predicted()[:10]))

    def test_outputs_in_the_order_that_is_asked_for(self):
        described_input, _ = tensor('UINT8', [1, 784], self.pictures[0], False)
        for names in (['logits'], ['probabilities'], ['probabilities', 'logits']):
            r = self.client.post({'inputs': [described_input], 'outputs': [{'name': n} for n in names]})
            self.assertEqual([o['name'] for o in r.json['outputs']], names)
        r = self.client.post({'inputs': [described_input], 'parameters': {'binary_data_output': True},
                              'outputs': [{'name': 'logits', 'parameters': {'binary_data': False}}, {'name': 'probabilities'}]})
        self.client.tensors(r)
        logits, probabilities = json.loads(r.body[:int(r.getheader('Inference-Header-Content-Length'))])['outputs']
        self.assertTrue('data' in logits and 'data' not in probabilities)

    def test_id(self):
        described_input, _ = tensor('UINT8', [1, 784], self.pictures[0], False)
        for name in ('42', '', 'ein "Häkchen"\n', 'x' * 5000):
            self.assertEqual(self.client.post({'id': name, 'inputs': [described_input]}).json['id'], name)
        self.assertNotIn('id', self.client.post({'inputs': [described_input]}).json)

    def test_classification(self):
        described_input, _ = tensor('UINT8', [4, 784], b''.join(self.pictures), False)
        whole = self.client.tensors(self.client.post({'inputs': [described_input]}))
        for name in ('logits', 'probabilities'):
            for k, n in ((1, 1), (3, 3), (10, 10), (11, 10)):
                for binary in (False, True):
                    r = self.client.post({'inputs': [described_input], 'outputs': [
                        {'name': name, 'parameters': {'classification': k, 'binary_data': binary}}]})
                    texts = self.client.tensors(r)[name]
                    want = []
                    for i in range(4):
                        row = whole[name][10 * i:10 * i + 10]
                        want += [(row[d], d) for d in sorted(range(10), key=lambda d: -row[d])[:n]]
                    self.assertEqual([(float(v), int(d)) for v, d in (t.split(':') for t in texts)], want)

    def test_ink_is_taken_as_it_is(self):
        """No polarity, no cropping; and FP32 beyond 0..1 is no error."""
        white = bytes(255 - p for p in self.pictures[0])
        answers = set()
        for pixels in (self.pictures[0], white):
            described_input, _ = tensor('UINT8', [1, 784], pixels, False)
            answers.add(bits(self.client.tensors(self.client.post({'inputs': [described_input]}))['logits']))
        self.assertEqual(len(answers), 2)
        beyond = {'name': 'input', 'datatype': 'FP32', 'shape': [1, 784], 'data': [-1.5, 300] * 392}
        self.assertEqual(self.client.post({'inputs': [beyond]}).status, 200)

    def test_many_at_once_beside_predict(self):
        described_input, data = tensor('FP32', [1, 784], self.pictures[0], True)
        want = bits(self.predicted()[:10])

        def work(i):
            if i % 2:
                return bits(self.daemon.predict(png(self.pictures[0])).json['predictions'][0]['probabilities'])
            return bits(self.client.tensors(self.client.post({'inputs': [described_input]}, data))['probabilities'])
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            self.assertEqual(set(pool.map(work, range(200))), {want})


class InferBatched(Infer):
    flags = '--batch-on-cpu', '--max-batch', '3'


class Errors(OneDaemon):
    flags = '--max-pictures', '4'

    def refused(self, r, status, words):
        self.assertEqual(r.status, status, r.body)
        self.assertEqual(list(r.json), ['error'])
        self.assertIn(words, r.json['error'])

    def test_bodies(self):
        good, data = tensor('FP32', [1, 784], self.pictures[0], True)
        flat, _ = tensor('UINT8', [1, 784], self.pictures[0], False)
        nan = struct.pack('<f', float('nan')) + data[4:]
        cases = [
            ({'inputs': []}, None, 'inputs:'),
            ({'inputs': [{**flat, 'name': 'x'}]}, None, 'no input "x"'),
            ({'inputs': [{**flat, 'datatype': 'INT64'}]}, None, 'inputs[0].datatype'),
            ({'inputs': [{**flat, 'shape': [784]}]}, None, 'inputs[0].shape'),
            ({'inputs': [{**flat, 'shape': [5, 784]}]}, None, 'more than 4 pictures'),
            ({'inputs': [{**flat, 'shape': [2, 784]}]}, None, 'less than the 1568'),
            ({'inputs': [{**flat, 'data': flat['data'] + [0]}]}, None, 'more than the 784'),
            ({'inputs': [{**flat, 'data': [300] * 784}]}, None, 'element 0'),
            ({'inputs': [good]}, None, 'behind the JSON, 0 bytes'),
            ({'inputs': [good]}, data[:-1], 'behind the JSON, 3135 bytes'),
            ({'inputs': [good]}, data + b'x', 'behind the JSON, 3137 bytes'),
            ({'inputs': [{**good, 'shape': [2, 784]}]}, data, 'has 6272 bytes'),
            ({'inputs': [good]}, nan, 'element 0 is not a number from'),
            ({'inputs': [flat], 'outputs': [{'name': 'digit'}]}, None, 'no output "digit"'),
            ({'inputs': [flat], 'id': 7}, None, 'id:'),
        ]
        for request, binary, words in cases:
            with self.subTest(words=words):
                self.refused(self.client.post(request, binary), 400, words)
        infer = self.client.path + '/infer'
        self.refused(self.client.ask('POST', infer, b''), 400, 'malformed')
        self.refused(self.client.ask('POST', infer, b'\x89PNG'), 400, 'malformed')
        for length, body, words in (('x', b'{}', 'Inference-Header-Content-Length'), ('3', b'{}', 'Inference-Header-Content-Length'),
                                    ('0', data[:-4], '3132 bytes'), ('0', data * 5, 'more than 4'), ('0', nan, 'element 0')):
            self.refused(self.client.ask('POST', infer, body, {'Inference-Header-Content-Length': length}), 400, words)
        self.refused(self.client.post({'inputs': [flat]}, **{'Content-Encoding': 'gzip'}), 415, 'gzip')
        self.refused(self.client.ask('POST', infer, b'x' * (33 << 20)), 413, '33554432 bytes')
        with self.daemon.raw(f'POST {infer} HTTP/1.1\r\nHost: x\r\n\r\n'.encode()) as s:
            self.assertEqual(read_response(s.makefile('rb'))[0], 411)
        self.assertEqual(self.client.post({'inputs': [flat]}).status, 200)  # and it lives

    def test_unknown_models_and_versions(self):
        flat, _ = tensor('UINT8', [1, 784], self.pictures[0], False)
        for path in ('', '/ready', '/config', '/stats'):
            self.refused(self.client.ask('GET', '/v2/models/nobody' + path), 404, '"nobody"')
            self.refused(self.client.ask('GET', '/v2/models/nobody/versions/1' + path), 404, '"nobody"')
            self.refused(self.client.ask('GET', '/v2/models/best/versions/2' + path), 404, 'version "2"')
        self.refused(self.client.post({'inputs': [flat]}, path='/v2/models/nobody/infer'), 404, '"nobody"')
        self.refused(self.client.post({'inputs': [flat]}, path='/v2/models/best/versions/2/infer'), 404, 'version "2"')
        for action in ('load', 'unload'):
            self.refused(self.client.ask('POST', f'/v2/repository/models/nobody/{action}', b''), 404, '"nobody"')

    def test_methods(self):
        for method, path, allowed in (('GET', '/v2/models/best/infer', 'POST'), ('POST', '/v2', 'GET, HEAD'),
                                      ('GET', '/v2/repository/index', 'POST'), ('POST', '/v2/models/best', 'GET, HEAD')):
            r = self.client.ask(method, path, b'{}' if method == 'POST' else None)
            self.refused(r, 405, method)
            self.assertEqual(r.getheader('Allow'), allowed)
        self.refused(self.client.ask('GET', '/v2/nowhere'), 404, '/v2/nowhere')

    def test_repository_bodies(self):
        for body, words in ((b'{', 'malformed'), (b'[]', 'object'), (b'{"ready": 1}', 'ready:')):
            self.refused(self.client.ask('POST', '/v2/repository/index', body), 400, words)
        for body, words in ((b'{', 'malformed'), (b'{"parameters": {"config": "{}"}}', 'none are accepted'), (b'7', 'object')):
            self.refused(self.client.ask('POST', '/v2/repository/models/best/load', body), 400, words)
        self.refused(self.client.ask('POST', '/v2/repository/models/best/unload', b''), 400, 'not unloaded')


class Metadata(OneDaemon):
    def test_server(self):
        for path in ('/v2', '/v2/'):
            r = self.client.ask('GET', path)
            self.assertEqual((r.status, r.json['name']), (200, 'lenetd'))
            self.assertEqual(r.json['extensions'], ['binary_tensor_data', 'classification', 'model_configuration', 'model_repository',
                                                    'statistics'])
        self.assertEqual(self.client.ask('GET', '/v2/health/live').json, {'live': True})
        self.assertEqual(self.client.ask('GET', '/v2/health/ready').json, {'live': True, 'ready': True})
        self.assertEqual(self.client.ask('HEAD', '/v2/health/ready').status, 200)
        for path in ('/healthz', '/readyz'):
            self.assertEqual(self.client.ask('GET', path).status, 200)

    def test_model(self):
        for path in ('/v2/models/best', '/v2/models/best/versions/1'):
            r = self.client.ask('GET', path)
            self.assertEqual(r.json['inputs'], [{'name': 'input', 'datatype': 'FP32', 'shape': [-1, 1, 28, 28]}])
            self.assertEqual(r.json['outputs'], [{'name': n, 'datatype': 'FP32', 'shape': [-1, 10]} for n in ('logits', 'probabilities')])
            self.assertEqual(self.client.ask('GET', path + '/ready').json, {'name': 'best', 'ready': True})
            config = self.client.ask('GET', path + '/config').json
            self.assertEqual((config['name'], config['max_batch_size']), ('best', 256))
            self.assertEqual(config['parameters']['network'], {'string_value': 'relu'})
            self.assertEqual(config['parameters']['logits'], {'string_value': 'linear'})

    def test_description_is_served(self):
        r = self.client.ask('GET', '/openapi.json')
        self.assertEqual((r.status, r.json), (200, openapi.OPENAPI))


class Statistics(unittest.TestCase):
    def test_counts(self):
        picture = mnist(1)[0]
        for flags, n_passes in ((('--http-threads', '2'), 1), (('--batch-on-cpu', '--max-batch', '2'), 2)):
            with self.subTest(flags=flags), Daemon('--model', os.path.join(ROOT, 'models/lab.bin'), '--model',
                                                   'other=' + os.path.join(ROOT, 'models/relu.bin'), *flags) as d:
                client = Client(self, d, 'lab')
                before = client.ask('GET', '/v2/models/lab/stats').json['model_stats'][0]
                self.assertEqual((before['inference_count'], before['last_inference']), (0, 0))
                flat, _ = tensor('UINT8', [3, 784], picture * 3, False)
                began = time.time()
                self.assertEqual(client.post({'inputs': [flat]}).status, 200)
                self.assertEqual(client.post({'inputs': []}).status, 400)
                self.assertEqual(d.predict(png(picture)).status, 200)
                self.assertEqual(d.predict(b'no picture').status, 415)
                stats = client.ask('GET', '/v2/models/lab/versions/1/stats').json['model_stats'][0]
                self.assertEqual((stats['name'], stats['inference_count']), ('lab', 4))
                self.assertEqual(stats['execution_count'], n_passes + 1)
                self.assertLess(abs(stats['last_inference'] / 1000 - began), 3600)
                inference = stats['inference_stats']
                self.assertEqual({k: v['count'] for k, v in inference.items()}, {
                    'success': 2, 'fail': 2, 'queue': 2, 'compute_input': 2, 'compute_infer': 2, 'compute_output': 2, 'cache_hit': 0,
                    'cache_miss': 0})
                parts = sum(inference[k]['ns'] for k in ('queue', 'compute_input', 'compute_infer', 'compute_output'))
                self.assertEqual(parts, inference['success']['ns'])
                self.assertGreater(inference['compute_infer']['ns'], 0)
                every = client.ask('GET', '/v2/models/stats').json['model_stats']
                self.assertEqual([(s['name'], s['inference_count']) for s in every], [('lab', 4), ('other', 0)])


class Repository(unittest.TestCase):
    def test_load(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'm.bin')
            shutil.copy(os.path.join(ROOT, 'models/lab.bin'), path)
            with Daemon('--model', path, '--model', 'other=' + os.path.join(ROOT, 'models/relu.bin')) as d:
                client = Client(self, d, 'm')
                flat, _ = tensor('UINT8', [1, 784], mnist(1)[0], False)

                def answer():
                    return bits(client.tensors(client.post({'inputs': [flat]}))['logits'])

                def reasons():
                    index = client.ask('POST', '/v2/repository/index', b'{"ready": true}').json
                    self.assertEqual([(m['name'], m['version'], m['state']) for m in index], [('m', '1', 'READY'), ('other', '1', 'READY')])
                    return [m['reason'] for m in index]

                first = answer()
                self.assertEqual(reasons(), ['', ''])
                with open(path, 'wb') as f:
                    f.write(b'this is no model at all')
                r = client.ask('POST', '/v2/repository/models/m/load', b'{}')
                self.assertEqual(r.status, 400)
                self.assertIn('m.bin', r.json['error'])
                self.assertIn(reasons()[0], r.json['error'])
                self.assertTrue(reasons()[0])
                self.assertEqual(answer(), first)
                shutil.copy(os.path.join(ROOT, 'models/relu.bin'), path)
                with d.raw(b'POST /v2/repository/models/m/load HTTP/1.1\r\nHost: x\r\n\r\n') as s:  # without a body, or a word of it
                    self.assertEqual(read_response(s.makefile('rb'))[0], 200)
                self.assertEqual(reasons(), ['', ''])
                self.assertNotEqual(answer(), first)
                client.path = '/v2/models/other'
                other = answer()
                client.path = '/v2/models/m'
                self.assertEqual(answer(), other)


class Penalties(unittest.TestCase):
    def test_the_highest_logit_is_the_likeliest_digit(self):
        pictures = mnist(32)
        with Daemon('--model', os.path.join(ROOT, 'models/1998.bin'), '--threshold', '0') as d:
            client = Client(self, d, '1998')
            config = client.ask('GET', '/v2/models/1998/config').json
            self.assertEqual(config['parameters']['logits'], {'string_value': 'penalties below zero'})
            self.assertEqual([config['parameters'][k]['string_value'] for k in ('temperature', 'threshold')], ['1', '0'])
            flat, _ = tensor('UINT8', [32, 784], b''.join(pictures), False)
            logits = client.tensors(client.post({'inputs': [flat]}))['logits']
            r = d.predict(multipart(*[png(p) for p in pictures]), f'multipart/form-data; boundary={BOUNDARY}')
            for i, p in enumerate(r.json['predictions']):
                row = logits[10 * i:10 * i + 10]
                self.assertLessEqual(max(row), 0)
                self.assertEqual(row.index(max(row)), p['digit'])


class GoingDown(unittest.TestCase):
    def test_ready_says_so(self):
        picture = png(mnist(1)[0])
        with Daemon() as d:
            busy = d.raw(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n' % len(picture))
            self.assertEqual(busy.recv(25, socket.MSG_WAITALL), b'HTTP/1.1 100 Continue\r\n\r\n')
            paths = {'/v2/health/live': 200, '/v2/health/ready': 503, '/v2/models/best/ready': 503}
            idle = {}
            for path in paths:
                s = d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
                stream = s.makefile('rb')
                self.assertEqual(read_response(stream)[0], 200)
                idle[path] = s, stream
            d.process.send_signal(signal.SIGTERM)
            while 'in flight' not in d.text():
                time.sleep(0.01)
            for path, (s, stream) in idle.items():
                s.sendall(f'GET {path} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
                status, _, body = read_response(stream)
                self.assertEqual(status, paths[path])
                if status == 503:
                    self.assertEqual(json.loads(body), {'error': 'not ready: the daemon is going down'})
                s.close()
            busy.sendall(picture)
            self.assertEqual(read_response(busy.makefile('rb'))[0], 200)
            busy.close()


if __name__ == '__main__':
    unittest.main()

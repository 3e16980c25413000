"""Pictures that show no digit, or several: each gets an answer with its reason. What depends on how sure the built-in model is
depends here on --threshold instead."""
import json
import math
import os
import struct
import subprocess
import tempfile
import unittest

from daemon import BOUNDARY, Daemon, LENETD, PATIENCE, ROOT, clean_environment, mnist, multipart, png

FORM = f'multipart/form-data; boundary={BOUNDARY}'
SIDE = 200


def sheet(*digits):
    """A light sheet with dark digits of three times their size: (the digit's 784 pixels, left, top)."""
    pixels = [235] * (SIDE * SIDE)
    for digit, left, top in digits:
        for y in range(84):
            for x in range(84):
                pixels[(top + y) * SIDE + left + x] -= digit[y // 3 * 28 + x // 3] * 225 // 255
    return png(pixels, SIDE, SIDE)


def dot():
    pixels = [235] * (SIDE * SIDE)
    for y in range(8):
        pixels[(100 + y) * SIDE + 90:(100 + y) * SIDE + 98] = [10] * 8
    return png(pixels, SIDE, SIDE)


def calibrated(**strings):
    """The built-in model's file, with more strings in its metadata."""
    with open(os.path.join(ROOT, 'models/relu.bin'), 'rb') as f:
        content = f.read()
    n = struct.unpack('<Q', content[:8])[0]
    header = json.loads(content[8:8 + n])
    header['__metadata__'].update(strings)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    file = tempfile.NamedTemporaryFile(suffix='.bin')
    file.write(struct.pack('<Q', len(text)) + text + content[8 + n:])
    file.flush()
    return file


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.seven, cls.two = mnist(2)
        cls.blank = sheet()
        cls.one = sheet((cls.seven, 60, 60))
        cls.several = sheet((cls.seven, 10, 60), (cls.two, 105, 60))

    def ask(self, daemon, *pictures, query=''):
        r = daemon.predict(multipart(*pictures), FORM, query=query)
        self.assertEqual(r.status, 200, r.body)
        self.assertNotIn('error', r.json)
        return r.json['predictions']

    def check_hints(self, entry):
        self.assertTrue(entry['message'])
        self.assertEqual(entry['confidence'], max(entry['probabilities']))

    def test_a_blank_sheet_and_two_digits(self):
        with Daemon('--threshold', '0.3') as daemon:
            blank, several, one, plain = self.ask(daemon, self.blank, self.several, self.one, png(self.seven), query='?explain=1')
            self.assertEqual(sorted(blank), ['digit', 'message', 'reason'])
            self.assertEqual((blank['digit'], blank['reason']), (None, 'blank'))
            self.assertEqual((several['digit'], several['reason']), (None, 'several digits'))
            self.check_hints(several)
            self.assertEqual(len(several['input']), 784)
            self.assertEqual((one['digit'], plain['digit'], plain['input']), (7, 7, list(self.seven)))
            self.assertEqual([r['reason'] for r in self.ask(daemon, self.blank)], ['blank'])  # alone, too

    def test_a_high_threshold_refuses(self):
        with Daemon('--threshold', '1') as daemon:
            small, plain, one = self.ask(daemon, dot(), png(self.seven), self.one)
            self.assertEqual([p['digit'] for p in (small, plain, one)], [None] * 3)
            self.assertEqual([p['reason'] for p in (small, plain, one)], ['too small', 'no digit', 'no digit'])
            for p in (small, plain, one):
                self.check_hints(p)
            self.assertEqual(plain['probabilities'].index(plain['confidence']), 7)
            found = daemon.ask('GET', '/metrics').body.decode()
            self.assertIn('lenet_refused_total{reason="no_digit"} 2', found)
            self.assertIn('lenet_refused_total{reason="too_small"} 1', found)
            self.assertIn('lenet_predictions_total{digit="refused"} 3', found)

    def test_threshold_0_takes_everything_for_a_digit(self):
        with Daemon('--threshold', '0') as daemon:
            self.assertIsInstance(self.ask(daemon, dot())[0]['digit'], int)

    def test_a_mixed_request(self):
        with Daemon('--threshold', '0') as daemon:
            blank, text, digit = self.ask(daemon, self.blank, (b'no picture', 'a.txt'), png(self.seven))
            self.assertEqual((blank['reason'], digit['digit']), ('blank', 7))
            self.assertIn('error', text)
            self.assertEqual([p['digit'] for p in self.ask(daemon, (b'no picture', 'a.txt'), self.blank)], [None, None])
            self.assertEqual(daemon.predict(b'no picture').status, 415)

    def test_the_access_log_counts_reasons(self):
        with tempfile.TemporaryFile() as log:
            with Daemon('--threshold', '0', '--access-log', 'text', stdout=log) as daemon:
                self.ask(daemon, self.blank, self.blank, (b'no picture', 'a.txt'), png(self.seven))
            log.seek(0)
            self.assertIn(b' pictures=4 refused=blank:2 unreadable=1 id=', log.read())

    def test_the_calibration_of_the_file(self):
        tensor = {'name': 'input', 'datatype': 'UINT8', 'shape': [1, 784], 'data': list(self.seven)}
        with calibrated(temperature='2.5', threshold='0.95') as file, Daemon('--model', 'm=' + file.name) as daemon:
            entry = self.ask(daemon, png(self.seven))[0]
            r = daemon.ask('POST', '/v2/models/m/infer', json.dumps({'inputs': [tensor]}), 'application/json')
            logits, probabilities = (o['data'] for o in r.json['outputs'])
            self.assertEqual(entry['probabilities'], probabilities)
            total = sum(math.exp(x / 2.5) for x in logits)
            for x, p in zip(logits, probabilities):
                self.assertAlmostEqual(p, math.exp(x / 2.5) / total, 5)
            self.assertEqual(entry['digit'], 7 if entry['confidence'] >= 0.95 else None)
            parameters = daemon.ask('GET', '/v2/models/m/config').json['parameters']
            self.assertEqual([parameters[k]['string_value'] for k in ('temperature', 'threshold')], ['2.5', '0.949999988'])

    def test_the_flag_replaces_the_threshold_of_the_file(self):
        with calibrated(threshold='1') as file:
            for flags, digit in (((), None), (('--threshold', '0.5'), 7)):
                with Daemon('--model', file.name, *flags) as daemon:
                    self.assertEqual(self.ask(daemon, png(self.seven))[0]['digit'], digit)

    def test_a_file_with_a_bad_threshold_is_not_served(self):
        for strings, words in (({'threshold': '1.5'}, 'threshold is "1.5", not a decimal number from 0 to 1'),
                               ({'temperature': '1e1'}, 'temperature is "1e1", not a decimal number from 0.01 to 100')):
            with calibrated(**strings) as file:
                done = subprocess.run([LENETD, '--model', file.name, '--listen', '127.0.0.1:0'], stderr=subprocess.PIPE,
                                      env=clean_environment(), timeout=PATIENCE)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr.decode())

    def test_the_threshold_of_the_environment(self):
        with Daemon(LENETD_THRESHOLD='1') as daemon:
            self.assertEqual(self.ask(daemon, png(self.seven))[0]['reason'], 'no digit')


if __name__ == '__main__':
    unittest.main()

"""Pictures that show no digit, or several: each gets an answer with its reason. What depends on how sure the built-in model is
depends here on --threshold instead."""
import tempfile
import unittest

from daemon import BOUNDARY, Daemon, mnist, multipart, png

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

    def test_the_threshold_of_the_environment(self):
        with Daemon(LENETD_THRESHOLD='1') as daemon:
            self.assertEqual(self.ask(daemon, png(self.seven))[0]['reason'], 'no digit')


if __name__ == '__main__':
    unittest.main()

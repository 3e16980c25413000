"""How a picture was read, by ?explain=steps and `lenet predict --explain`: the PNGs are taken apart here, without lenet's own decoder."""
import base64
import json
import os
import struct
import subprocess
import tempfile
import unittest
import zlib

from daemon import BOUNDARY, Daemon, PATIENCE, mnist, multipart, png

FORM = f'multipart/form-data; boundary={BOUNDARY}'
LENET = os.path.abspath(os.environ.get('LENET', 'build/release/lenet'))
WIDTH, HEIGHT = 240, 200
RED = (230, 74, 20)


def sheet(digit=None, boxed=False, shaded=False):
    """A sheet with a dark digit of five times its size, 140×140 pixels at (60, 30); a box around it; light from the right."""
    pixels = [110 + x // 2 if shaded else 235 for _ in range(HEIGHT) for x in range(WIDTH)]
    for i in range(WIDTH * HEIGHT) if boxed else ():
        away = min(i % WIDTH, i // WIDTH, WIDTH - 1 - i % WIDTH, HEIGHT - 1 - i // WIDTH)
        if 12 <= away < 16:
            pixels[i] = 50
    for i in range(140 * 140) if digit else ():
        x, y = i % 140, i // 140
        if digit[y // 5 * 28 + x // 5] > 100:
            pixels[(30 + y) * WIDTH + 60 + x] = 20
    return png(pixels, WIDTH, HEIGHT)


def chunks(content):
    assert content[:8] == b'\x89PNG\r\n\x1a\n'
    at = 8
    while at < len(content):
        n, kind = struct.unpack('>I4s', content[at:at + 8])
        data = content[at + 8:at + 8 + n]
        assert zlib.crc32(kind + data) == struct.unpack('>I', content[at + 8 + n:at + 12 + n])[0]
        yield kind, data
        at += 12 + n


def paeth(a, b, c):
    return min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]


def decode(content):
    """Width, height and pixels of an 8-bit grey PNG or one with a palette: grey values, or (r, g, b)."""
    parts = {}
    for kind, data in chunks(content):
        parts[kind] = parts.get(kind, b'') + data
    width, height, depth, colour, _, _, interlaced = struct.unpack('>IIBBBBB', parts[b'IHDR'])
    assert depth == 8 and colour in (0, 3) and not interlaced and b'IEND' in parts
    raw, pixels, above = zlib.decompress(parts[b'IDAT']), [], bytearray(width)
    assert len(raw) == (width + 1) * height
    for y in range(height):
        kind, row = raw[y * (width + 1)], bytearray(raw[y * (width + 1) + 1:(y + 1) * (width + 1)])
        for x in range(width):
            a, b, c = row[x - 1] if x else 0, above[x], above[x - 1] if x else 0
            row[x] = row[x] + (0, a, b, (a + b) // 2, paeth(a, b, c))[kind] & 255
        pixels += row
        above = row
    if colour == 3:
        pixels = [tuple(parts[b'PLTE'][3 * i:3 * i + 3]) for i in pixels]
    return width, height, pixels


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.seven, cls.two = mnist(2)
        cls.daemon = Daemon('--threshold', '0.3')
        cls.addClassCleanup(cls.daemon.__exit__)

    def ask(self, *pictures, query='?explain=steps'):
        r = self.daemon.predict(multipart(*pictures), FORM, query=query)
        self.assertEqual(r.status, 200, r.body)
        return r.json['predictions']

    def steps(self, entry):
        """The steps by name: (width, height, pixels)."""
        found = {}
        for step in entry['steps']:
            found[step['name']] = decode(base64.b64decode(step['png'], validate=True))
            self.assertTrue(step['about'].endswith('.'))
            self.assertLessEqual(max(found[step['name']][:2]), 512)
        return found

    def test_a_digit_in_a_box_one_on_a_shaded_sheet_and_one_alone(self):
        entry, shaded, plain = self.ask(sheet(self.two, boxed=True), sheet(self.two, shaded=True), sheet(self.two))
        steps = self.steps(shaded)
        self.assertEqual(list(steps), ['picture', 'light', 'flat', 'ink', 'box', 'input'])
        width, height, light = steps['light']
        middle = light[height // 2 * width:(height // 2 + 1) * width]  # through the digit, of which nothing is left
        self.assertTrue(all(abs(v - 110 - x * WIDTH / width / 2) < 24 for x, v in enumerate(middle)), middle)
        steps = self.steps(entry)
        self.assertEqual(list(steps), ['picture', 'lines', 'ink', 'box', 'input'])
        width, height, lines = steps['lines']
        self.assertEqual((width, height), steps['picture'][:2])
        lower, inner = int(185 * width / WIDTH), range(int(25 * width / WIDTH), int(175 * width / WIDTH))
        self.assertGreater(sum(lines[lower * width + x] == RED for x in range(width)), width * 2 / 3)
        self.assertFalse(any(lines[y * width + x] == RED for y in inner for x in inner))
        self.assertIn(RED, steps['box'][2])
        self.assertEqual(steps['input'], (28, 28, entry['input']))
        self.assertEqual(list(self.steps(plain)), ['picture', 'ink', 'box', 'input'])
        self.assertEqual(plain['digit'], 2)
        ink = [(i % 28, i // 28) for i, v in enumerate(self.two) if v > 100]
        left, top = (min(p[k] for p in ink) * 5 + (60, 30)[k] for k in (0, 1))
        right, bottom = (max(p[k] for p in ink) * 5 + (65, 35)[k] for k in (0, 1))
        x, y, w, h = plain['box']
        for got, want in ((x, left), (y, top), (x + w, right), (y + h, bottom)):
            self.assertLessEqual(abs(got - want), 4, plain['box'])

    def test_the_box_is_in_pixels_of_the_sent_picture(self):
        side = 2400  # more than is looked at, so that the picture is reduced twice
        row, bar = bytes([235]) * side, bytes([235]) * 900 + bytes([20]) * 240 + bytes([235]) * (side - 1140)
        entry, = self.ask(png(b''.join(bar if 600 <= y < 1500 else row for y in range(side)), side, side))
        for got, want in zip(entry['box'], (900, 600, 240, 900)):
            self.assertLessEqual(abs(got - want), 40, entry['box'])
        self.steps(entry)

    def test_refused_pictures_have_steps(self):
        blank, shaded, several = self.ask(sheet(), sheet(shaded=True), png(self.seven))
        self.assertEqual(sorted(blank), ['digit', 'message', 'reason', 'steps'])
        self.assertEqual(list(self.steps(blank)), ['picture'])
        self.assertEqual(list(self.steps(shaded))[:3], ['picture', 'light', 'flat'])
        self.assertEqual(list(self.steps(several)), ['input'])  # in MNIST's form
        self.assertIn('MNIST', several['steps'][0]['about'])
        with Daemon('--threshold', '1') as daemon:
            entry = daemon.predict(sheet(self.two), query='?explain=steps').json['predictions'][0]
            self.assertEqual((entry['digit'], entry['reason']), (None, 'no digit'))
            self.assertEqual(list(self.steps(entry)), ['picture', 'ink', 'box', 'input'])

    def test_four_pictures_have_steps(self):
        entries = self.ask(*[sheet(self.two)] * 6)
        self.assertEqual(['steps' in e for e in entries], [True] * 4 + [False] * 2)
        self.assertTrue(all('box' in e and 'input' in e for e in entries))

    def test_other_values_are_as_before(self):
        for query in ('', '?explain=0', '?explain=false'):
            self.assertEqual(sorted(self.ask(sheet(self.two), query=query)[0]), ['confidence', 'digit', 'probabilities'])
        whole = self.ask(sheet(self.two))[0]
        for query in ('?explain=1', '?explain=true'):
            entry = self.ask(sheet(self.two), query=query)[0]
            self.assertEqual(entry, {k: whole[k] for k in ('digit', 'confidence', 'probabilities', 'input')})
        r = self.daemon.predict(png(self.seven), query='?explain=step')
        self.assertEqual(r.status, 400)
        self.assertIn('explain=steps', r.json['error'])


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.two = self.write('two.png', sheet(mnist(2)[1]))
        self.out = os.path.join(self.folder.name, 'out.png')

    def write(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, 'wb') as f:
            f.write(content)
        return path

    def run_lenet(self, *arguments, status=0):
        done = subprocess.run([LENET, 'predict', *arguments], capture_output=True, timeout=PATIENCE, check=False, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def read_out(self):
        with open(self.out, 'rb') as f:
            return decode(f.read())

    def test_the_sheet_and_its_lines(self):
        lines = self.run_lenet('--explain', self.out, self.two).stdout.splitlines()
        self.assertRegex(lines[0], r'two\.png: 2 \(')
        self.assertIn(self.out, lines[1])
        self.assertEqual([line.split()[:2] for line in lines[2:]],
                         [[f'{i + 1}.', name + ':'] for i, name in enumerate(('picture', 'ink', 'box', 'input'))])
        width, height, pixels = self.read_out()
        self.assertIn(RED, pixels)
        self.assertIn((0, 0, 0), pixels)
        self.assertGreater(width, 3 * height)  # four steps side by side

    def test_json(self):
        entry = json.loads(self.run_lenet('--json', '--explain', self.out, self.two).stdout)
        self.assertEqual([s['name'] for s in entry['steps']], ['picture', 'ink', 'box', 'input'])
        self.assertEqual((entry['digit'], len(entry['box'])), (2, 4))
        self.read_out()
        self.assertNotIn('steps', json.loads(self.run_lenet('--json', self.two).stdout))

    def test_a_refusal_is_explained(self):
        done = self.run_lenet('--explain', self.out, self.write('blank.png', sheet()))
        self.assertRegex(done.stdout, r'blank\.png: no digit \(blank\)[^\n]*\n[^\n]*\n1\. picture: ')
        self.read_out()

    def test_wrong_usage_and_failures(self):
        for arguments, status, words in (
            (('--explain', self.out), 2, 'an argument is missing'),
            (('--explain', self.out, self.two, self.two), 2, 'explains one picture'),
            (('--explain', self.two, self.two), 2, 'would overwrite the picture'),
            (('--explain', self.out, self.out + '.none'), 1, 'out.png.none'),
            (('--explain', self.out, self.write('text.png', b'no picture')), 1, 'text.png'),
            (('--explain', os.path.join(self.folder.name, 'none', 'out.png'), self.two), 1, 'none/out.png'),
            (('--explain', self.folder.name, self.two), 1, self.folder.name),
        ):
            with self.subTest(arguments=arguments):
                done = self.run_lenet(*arguments, status=status)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, '')
                self.assertFalse(os.path.exists(self.out))
        with open(self.two, 'rb') as f:
            self.assertEqual(f.read(), sheet(mnist(2)[1]))


if __name__ == '__main__':
    unittest.main()

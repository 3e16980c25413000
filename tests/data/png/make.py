#!/usr/bin/env python3
"""Writes small PNG files of every colour type, depth and interlacing, and expected.bin: what reading them must give.

Everything follows from formulas and the PNG specification (https://www.w3.org/TR/png-3/); nothing but the standard
library takes part, above all not the code under test. expected.bin has, for each file in the order of its name,
WIDTH x HEIGHT grey values. Run in this folder; the files are committed.
"""
import glob
import os
import struct
import zlib

WIDTH, HEIGHT = 13, 11  # odd, so that the last byte of a row of few bits is cut and Adam7's passes are uneven
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def sample(x, y, channel, depth):
    """A formula with all bits in use; alpha runs through 0 and its maximum."""
    value = (x * 7919 + y * 104729 + channel * 31337 + x * y * 389) * 2654435761 >> 7
    return value % (1 << depth)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_row(values, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", v) for v in values)
    bits = "".join(format(v, f"0{depth}b") for v in values)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def filter_row(kind, row, above, step):
    out = bytearray()
    for i, value in enumerate(row):
        a = row[i - step] if i >= step else 0
        b = above[i] if above else 0
        c = above[i - step] if above and i >= step else 0
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        out.append((value - [0, a, b, (a + b) // 2, paeth][kind]) & 255)
    return bytes([kind]) + bytes(out)


def pack_pass(pixels, depth, channels):
    """Rows of pixels (tuples of samples) to filtered bytes, with every filter in turn."""
    out, above = b"", None
    for i, row in enumerate(pixels):
        packed = pack_row([v for pixel in row for v in pixel], depth)
        out += filter_row(i % 5, packed, above, max(1, depth * channels // 8))
        above = packed
    return out


def write(name, colour, depth, pixels, interlaced, palette=None, transparent=None):
    channels = CHANNELS[colour]
    if interlaced:
        passes = [[row[x0::dx] for row in pixels[y0::dy]] for x0, y0, dx, dy in ADAM7]
        raw = b"".join(pack_pass(p, depth, channels) for p in passes if p and p[0])
    else:
        raw = pack_pass(pixels, depth, channels)
    png = b"\x89PNG\r\n\x1a\n"
    png += chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced))
    png += chunk(b"gAMA", struct.pack(">I", 100000))  # linear light: must change nothing
    if palette:
        png += chunk(b"PLTE", bytes(v for entry in palette for v in entry))
    if transparent:
        png += chunk(b"tRNS", transparent)
    data = zlib.compress(raw, 9)
    png += chunk(b"IDAT", data[:20]) + chunk(b"IDAT", data[20:])
    png += chunk(b"IEND", b"")
    with open(name, "wb") as f:
        f.write(png)


def to_8_bits(value, depth):
    return (value * 255 * 2 + (1 << depth) - 1) // (2 * ((1 << depth) - 1))  # rounded


def luminance(r, g, b):
    return int(0.2126 * r + 0.7152 * g + 0.0722 * b + 0.5)


def flatten(pixels):
    """(grey, alpha) on black if the visible is light, on white if it is dark."""
    light = sum(g * a for g, a in pixels)
    ground = 0 if 2 * light > 255 * sum(a for g, a in pixels) else 255
    return [(2 * (g * a + ground * (255 - a)) + 255) // 510 for g, a in pixels]


def make(colour, depth, interlaced, transparent):
    """One file; its name and what it must read as."""
    pixels = [[tuple(sample(x, y, c, depth) for c in range(CHANNELS[colour])) for x in range(WIDTH)] for y in range(HEIGHT)]
    flat = [pixel for row in pixels for pixel in row]
    palette = trns = None
    alpha = [255] * len(flat)
    if colour == PALETTE:
        palette = [tuple(sample(i, i * i, c, 8) for c in range(3)) for i in range(1 << depth)]
        eight = [palette[p[0]] for p in flat]
        if transparent:
            alphas = [sample(i, 5, 3, 8) for i in range(1 << depth)][:-1]  # the last entry is opaque: tRNS may be shorter
            trns = bytes(alphas)
            alpha = [(alphas + [255])[p[0]] for p in flat]
    else:
        eight = [tuple(to_8_bits(v, depth) for v in p) for p in flat]
        if transparent:  # the colour of one pixel
            key = pixels[3][4]
            trns = b"".join(struct.pack(">H", v) for v in key)
            alpha = [0 if p == key else 255 for p in flat]
    if colour in (GREY_ALPHA, RGBA):
        alpha = [p[-1] for p in eight]
    grey = [p[0] if colour in (GREY, GREY_ALPHA) else luminance(*p[:3]) for p in eight]
    if transparent or colour in (GREY_ALPHA, RGBA):
        grey = flatten(list(zip(grey, alpha)))
    names = {GREY: "grey", RGB: "rgb", PALETTE: "palette", GREY_ALPHA: "grey-alpha", RGBA: "rgba"}
    name = f"{names[colour]}-{depth}{'-trns' if transparent else ''}{'-adam7' if interlaced else ''}.png"
    write(name, colour, depth, pixels, interlaced, palette, trns)
    return name, bytes(grey)


def main():
    for old in glob.glob("*.png"):
        os.remove(old)
    expected = {}
    depths = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGBA: (8, 16)}
    for colour, possible in depths.items():
        for depth in possible:
            for interlaced in (0, 1):
                for transparent in (False, True) if colour in (GREY, RGB, PALETTE) else (False,):
                    name, grey = make(colour, depth, interlaced, transparent)
                    expected[name] = grey
    with open("expected.bin", "wb") as f:
        for name in sorted(expected):
            f.write(expected[name])


main()

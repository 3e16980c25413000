"""Reading pictures on one core: a canvas from body to 28×28 pixels, and JPEGs beside libjpeg-turbo's own scaled decoding to grey."""
import json

import rig
import servers

ROUNDS = 11
LIMIT_CANVAS_US = 400
LIMIT_TIMES_LIBJPEG = 1.3


def pictures(bench):
    command = ['taskset', '-c', str(servers.CPUS[0]), f'{bench.build}/bench-pictures', '1' if bench.short else str(ROUNDS)]
    said = json.loads(rig.run(bench.report, command, 300, bench.env))
    bench.figures['pictures'] = said
    canvas = said['canvas']['us']
    bench.report.add('a canvas of 280×280', 'ok', f'{canvas:.0f} us from body to 28×28 pixels')
    bench.want('a canvas of 280×280, from body to 28×28 pixels', f'{canvas:.0f} us', f'<= {LIMIT_CANVAS_US}', canvas <= LIMIT_CANVAS_US)
    for megapixels in ('12', '50'):
        figures = said[megapixels]
        bench.report.add(f'a JPEG of {megapixels} megapixels', 'ok',
                         f'{figures["ours_ms"]:.1f} ms; libjpeg-turbo, scaled, to grey: {figures["libjpeg_ms"]:.1f} ms')
        bench.want(f'a JPEG of {megapixels} megapixels, of libjpeg-turbo', f'{figures["ratio"]:.2f} times', f'<= {LIMIT_TIMES_LIBJPEG}',
                   figures['ratio'] <= LIMIT_TIMES_LIBJPEG)


def parts(bench):
    yield 'pictures', lambda: pictures(bench)

"""Reading pictures on one core: a canvas from body to 28×28 pixels, and JPEGs beside libjpeg-turbo's own scaled decoding to grey. And the
memory that lenetd takes for large ones."""
import concurrent.futures
import contextlib
import json
import os
import re

import rig
import servers

ROUNDS = 11
LIMIT_CANVAS_US = 400
LIMIT_TIMES_LIBJPEG = 1.3
LIMIT_MIB = 16
AT_ONCE = 64


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


def send(server, path, body):
    with contextlib.closing(server.connect()) as connection:
        connection.request('POST', '/predict', body, {'Content-Type': 'image/' + ('png' if path.endswith('.png') else 'jpeg')})
        return connection.getresponse().status


def peak_above_rest(bench, path, n):
    """MiB that n such requests at once took beyond what was resident before, their bodies apart; and the statuses of their answers."""
    with open(path, 'rb') as f:
        body = f.read()
    command = [f'{bench.build}/lenetd', '--listen', '127.0.0.1:0', '--device', 'cpu', '--deadline-ms', '60000']
    with contextlib.closing(servers.Server('lenetd', command)) as server, concurrent.futures.ThreadPoolExecutor(n) as pool:
        def resident(name):
            with open(f'/proc/{server.process.pid}/status') as f:
                return int(re.search(rf'^{name}:\s+(\d+) kB', f.read(), re.M)[1]) / 1024
        before = resident('VmRSS')
        with open(f'/proc/{server.process.pid}/clear_refs', 'w') as f:
            f.write('5')  # the peak starts from here, proc(5)
        answers = list(pool.map(lambda _: send(server, path, body), range(n)))
        limit = int(re.search(r'queue \d+, (\d+) bytes', server.text())[1]) / 2**20
        return resident('VmHWM') - before - n * len(body) / 2**20, sorted(set(answers)), limit


def memory(bench):
    folder = os.path.join(bench.folder, 'pictures')
    os.makedirs(folder, exist_ok=True)
    rig.run(bench.report, [f'{bench.build}/bench-pictures', '--write', folder], 300, bench.env)
    figures = bench.figures['picture_memory_mib'] = {}
    for name, title, n in (('12.jpg', 'a baseline JPEG of 12 megapixels', 1), ('50.jpg', 'a baseline JPEG of 50 megapixels', 1),
                           ('64.png', 'a PNG of 66 megapixels', 1),
                           ('progressive.jpg', f'{AT_ONCE} progressive JPEGs of 16 megapixels at once', AT_ONCE)):
        mib, answers, limit = peak_above_rest(bench, os.path.join(folder, name), n)
        figures[name] = mib
        if n == 1:
            limit = LIMIT_MIB
        bench.report.add(f'memory: {title}', 'ok', f'{mib:.1f} MiB above rest, the body apart; answers {answers}')
        bench.want(f'memory for {title}, above rest, bodies apart', f'{mib:.1f} MiB', f'<= {limit:.0f}', mib <= limit)


def parts(bench):
    yield 'pictures', lambda: pictures(bench)
    yield 'memory for pictures', lambda: memory(bench)

"""From a socket to an answer: lenetd beside others behind the same load, its memory, and how soon it is ready."""
import contextlib
import statistics

import rig
import servers

LENETD, BATCHED, BARE, NGINX = 'lenetd', 'lenetd --batch-on-cpu', 'bare libmicrohttpd', 'nginx'
FASTAPI, NODE = 'FastAPI + PyTorch', 'Node + ONNX Runtime'
MODE, HTTP_THREADS = 'epoll', 2  # how server/http uses libmicrohttpd, for the bare one
CONNECTIONS = (1, 16, 64, 256, 512, 1000)
PEERS_AT = (1, 64)  # where all take part; else lenetd and the bare library
STALL_US = 1e6  # an answer that takes as long, on a server that answers thousands a second
STALL_SHARE = 0.1  # of the connections that are being served on the average: the others get no answer, and so show no latency
SHARE_OF_BARE = 0.5
TIMES = {NODE: 4, FASTAPI: 20}
MORE_THAN_BARE_US = 40
P99_BY_P50 = 10
REST_MIB, OPEN_MIB, READY_MS, N_OPEN = 16, 64, 30, 1000


def commands(bench):
    """Those with a fixed command."""
    lenetd = [f'{bench.build}/lenetd', '--listen', '127.0.0.1:0', '--device', 'cpu', '--http-threads', str(HTTP_THREADS)]
    return {
        LENETD: lenetd,
        BATCHED: [*lenetd, '--batch-on-cpu'],
        BARE: [f'{bench.build}/bench-bare', MODE, str(HTTP_THREADS)],
        FASTAPI: [bench.python, 'tests/bench/serve_torch.py', bench.model],
        NODE: ['node', 'tests/bench/serve_ort.mjs', bench.onnx],
    }


def say_connections(n):
    return f'{n} connection{"s" if n > 1 else ""}'


def start(bench, name):
    if name == NGINX:
        return servers.start_nginx(bench.folder)
    return servers.Server(name, commands(bench)[name])


def start_all(bench, stack):
    """{name: server}; one that does not come up is a row."""
    running = {}
    for name in (LENETD, BATCHED, BARE, NGINX, NODE, FASTAPI):
        with bench.report.part(f'start {name}'):
            running[name] = start(bench, name)
            stack.callback(running[name].close)
    return running


def stood_still(run):
    """By Little's law rate times latency is the number of requests that are on their way: less is connections that got nothing."""
    served = run['requests_per_s'] * run['mean_us'] * 1e-6
    return run['max_us'] > STALL_US or served < STALL_SHARE * run['connections']


def measure_load(bench, running, connections, names):
    def measure(name):
        def once(seconds):
            return rig.load(bench.report, bench.env, running[name], connections, seconds, n_threads=1, before=servers.for_load())
        once(1)  # warms
        return once(1 if bench.short else 4)
    title = say_connections(connections)
    runs = bench.take_turns(title, names, measure)
    rows = {n: {k: statistics.median(r[k] for r in rs) for k in rs[0]} for n, rs in runs.items()}
    rates = {n: [r['requests_per_s'] for r in rs] for n, rs in runs.items()}
    stalls = {n: sum(map(stood_still, rs)) for n, rs in runs.items()}
    bench.figures['predict'][connections] = {'runs': runs, 'median': rows, 'stalls': stalls}
    for n, row in rows.items():
        bench.report.add(f'{title}: {n}', 'ok', f'{row["requests_per_s"]:.0f} requests/s, p50 {row["p50_us"]:.0f} us, '
                         f'p99 {row["p99_us"]:.0f} us, longest {row["max_us"]:.0f} us, {stalls[n]} stalls')
    if LENETD not in rows:
        return
    judge(bench, connections, rows, stalls)
    if connections == 64:
        if BARE in rates:
            share = bench.median_ratio(rates[LENETD], rates[BARE])
            bench.want(f'{title}: requests/s, of bare libmicrohttpd', f'{share:.2f}', f'>= {SHARE_OF_BARE}', share >= SHARE_OF_BARE)
        for peer, times in TIMES.items():
            if peer in rates:
                bench.want_times(f'{title}: requests/s', {peer: bench.median_ratio(rates[LENETD], rates[peer])}, peer, times)


def judge(bench, connections, rows, stalls):
    title, mine = say_connections(connections), rows[LENETD]
    spread = mine['p99_us'] / mine['p50_us']
    bench.want(f'{title}: p99, of p50', f'{spread:.1f} times, {stalls[LENETD]} stalls', f'< {P99_BY_P50}, none',
               spread < P99_BY_P50 and not stalls[LENETD])
    if connections == 1 and BARE in rows:
        more = mine['p50_us'] - rows[BARE]['p50_us']
        bench.want(f'{title}: p50, above bare libmicrohttpd', f'{more:+.0f} us', f'<= {MORE_THAN_BARE_US}', more <= MORE_THAN_BARE_US)


def load(bench):
    bench.figures['predict'] = {}
    with contextlib.ExitStack() as stack:
        running = start_all(bench, stack)
        for connections in CONNECTIONS[::2] + (1000,) if bench.short else CONNECTIONS:
            with bench.report.part(say_connections(connections)):
                measure_load(bench, running, connections, [n for n in running if connections in PEERS_AT or n in (LENETD, BARE)])


def memory(bench):
    """PSS after one answer, with 1,000 connections that have each had one, and after those have gone."""
    rows = bench.figures['memory_mib'] = {}
    for name in (LENETD, BARE, NODE, FASTAPI):
        with bench.report.part(f'memory of {name}'), contextlib.closing(start(bench, name)) as server:
            row = rows[name] = {'rest': server.memory_mib()}
            with servers.open_connections(server, N_OPEN):
                row['open'] = server.memory_mib()
            bench.report.add(f'memory: {name}', 'ok', ', '.join(f'{k} {v["pss"]:.1f} MiB (RSS {v["rss"]:.1f})' for k, v in row.items()))
    if 'open' in rows.get(LENETD, {}):
        for state, limit, title in (('rest', REST_MIB, 'at rest'), ('open', OPEN_MIB, f'with {N_OPEN} connections')):
            mib = rows[LENETD][state]['rss']
            bench.want(f'memory {title}', f'{mib:.1f} MiB', f'<= {limit}', mib <= limit)


def readiness(bench):
    """From before the fork to the first answer of POST /predict."""
    def measure(name):
        with contextlib.closing(start(bench, name)) as server:
            return server.ready_ms
    rows = {}
    for name in (LENETD, BARE, NODE, FASTAPI):
        with bench.report.part(f'readiness of {name}'):
            rows[name] = [measure(name) for _ in range(3 if bench.short else 11)]
            bench.report.add(f'ready: {name}', 'ok', f'{statistics.median(rows[name]):.1f} ms, of {len(rows[name])}')
    bench.figures['ready_ms'] = rows
    if LENETD in rows:
        ms = statistics.median(rows[LENETD])
        bench.want('start to ready', f'{ms:.1f} ms', f'<= {READY_MS}', ms <= READY_MS)


def parts(bench):
    yield 'POST /predict', lambda: load(bench)
    yield 'memory', lambda: memory(bench)
    yield 'readiness', lambda: readiness(bench)

"""The servers that `make bench` puts beside lenetd: each on a free port of 127.0.0.1, pinned to one processor, and ended by its own
object. Where there is a second processor, wrk has that one."""
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

import rig

CPUS = sorted(os.sched_getaffinity(0))
PICTURE = os.path.join(rig.ROOT, 'tests/data/7.png')
PATIENCE_S = 60

CONSTANT = json.dumps({'model': 'relu', 'predictions': [{'digit': 7, 'confidence': 0.999967754, 'probabilities': [3.0642056e-07] * 10}]})
NGINX = '''daemon off; master_process off; pid {folder}/pid; error_log stderr crit; worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
	access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
	server {{ listen 127.0.0.1:{port} backlog=1024; default_type application/json; location / {{ return 200 '{answer}'; }} }}
}}
'''


def on_cpu(cpu):
    return ['taskset', '-c', str(cpu)] if len(CPUS) > 1 else []


def for_servers():
    return on_cpu(CPUS[0])


def for_load():
    return on_cpu(CPUS[-1])


def body():
    with open(PICTURE, 'rb') as f:
        return (b'--xx\r\nContent-Disposition: form-data; name="img"; filename="7.png"\r\n\r\n' + f.read() + b'\r\n--xx--\r\n')


def post(connection):
    """Failed if the answer is not a 7."""
    connection.request('POST', '/predict', body(), {'Content-Type': 'multipart/form-data; boundary=xx'})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200 or json.loads(answer)['predictions'][0]['digit'] != 7:
        raise rig.Failed(f'status {response.status}: {answer[:200]!r}')


class Server:
    """Up until close(). port: one that the command was given; else the first line with an address says it."""

    def __init__(self, name, command, port=None):
        self.name, self.host, self.port = name, '127.0.0.1', port
        self.log = tempfile.TemporaryFile()
        env = {k: v for k, v in os.environ.items() if not k.startswith('LENETD')}
        self.began = time.perf_counter()
        self.process = subprocess.Popen([*for_servers(), *command], cwd=rig.ROOT, env=env, stdout=subprocess.DEVNULL, stderr=self.log)
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def text(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors='replace')

    def wait(self):
        """Ready is when the first POST is answered. ready_ms counts from before the fork."""
        while time.perf_counter() < self.began + PATIENCE_S and self.process.poll() is None:
            if not self.port:
                found = re.search(r'http://127\.0\.0\.1:(\d+)', self.text())
                self.port = int(found[1]) if found else None
            if self.port:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    with contextlib.closing(self.connect()) as connection:
                        post(connection)
                    self.ready_ms = 1e3 * (time.perf_counter() - self.began)
                    return
            time.sleep(0.0002)
        raise rig.Failed(f'{self.name} does not come up: ' + (self.text().strip().splitlines() or ['it says nothing'])[-1])

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=30)

    def memory_mib(self):
        """What is resident, with what is shared counted in part (PSS) and in full (RSS)."""
        with open(f'/proc/{self.process.pid}/smaps_rollup') as f:
            found = dict(re.findall(r'^(Pss|Rss): +(\d+) kB', f.read(), re.M))
        return {kind.lower(): int(kib) / 1024 for kind, kib in found.items()}

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as s:
        return s.getsockname()[1]


def start_nginx(folder):
    nginx = shutil.which('nginx', path=os.environ.get('PATH', os.defpath) + ':/usr/sbin')
    if not nginx:
        raise rig.Skipped('there is no nginx, and make bench installs none, since its packages start a public server (docs/bench.md)')
    port, conf = free_port(), os.path.join(folder, 'nginx.conf')
    with open(conf, 'w') as f:
        f.write(NGINX.format(folder=folder, port=port, answer=CONSTANT))
    return Server('nginx', [nginx, '-p', folder, '-c', conf, '-e', 'stderr'], port)


@contextlib.contextmanager
def open_connections(server, n):
    """n connections, each of which has had an answer and stays."""
    connections = []
    try:
        for _ in range(n):
            connections.append(server.connect())
            post(connections[-1])
        yield
    finally:
        for connection in connections:
            connection.close()

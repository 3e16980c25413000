"""What the end-to-end tests of the daemon share: the binary that LENETD names, started on a free port and ended by its own object,
and what to send it."""
import gzip
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
import zlib

import openapi

LENETD = os.environ.get('LENETD', 'build/release/lenetd')
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOUNDARY = 'xxBOUNDARYxx'
PATIENCE = 60  # seconds until a test gives up on an answer that should come; nothing is expected to be quick


def png(pixels, width=28, height=28):
    def chunk(name, data):
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    rows = b''.join(b'\0' + bytes(pixels[y * width:(y + 1) * width]) for y in range(height))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def mnist(n):
    with gzip.open(os.path.join(ROOT, 'tests/data/t10k-images-idx3-ubyte.gz')) as f:
        data = f.read(16 + n * 784)
    return [data[16 + i * 784:16 + (i + 1) * 784] for i in range(n)]


def multipart(*parts):
    """A body of (content, filename) pairs, or of contents that are files."""
    body = b''
    for part in parts:
        content, name = part if isinstance(part, tuple) else (part, 'x.png')
        filename = f'; filename="{name}"' if name else ''
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="img"{filename}\r\n\r\n'.encode() + content + b'\r\n'
    return body + f'--{BOUNDARY}--\r\n'.encode()


def clean_environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith('LENETD')}
    env.update((k, v) for k, v in more.items() if v is not None)
    return env


class Daemon:
    """A lenetd of our own, up until stop() or the end of the with block. LENETD_HOST: as raw requests here call it."""

    def __init__(self, *flags, listen='127.0.0.1:0', program=LENETD, prefix=(), pass_fds=(), stdout=None, LENETD_HOST='x', **env):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*prefix, program, '--listen', listen, *flags], stdout=stdout, stderr=self.log,
                                        pass_fds=pass_fds, env=clean_environment(LENETD_HOST=LENETD_HOST, **env))
        end = time.monotonic() + PATIENCE
        while not (found := re.search(r'listening on (?:https?://)?(\S+):(\S+), model (\S+) .*, engine (.*)', self.text())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError('the daemon does not come up: ' + self.text())
            time.sleep(0.01)
        self.host, self.port = found[1].strip('[]'), int(found[2]) if found[2].isdigit() else found[2]  # or unix and a path

    def text(self):
        self.log.seek(0)
        return self.log.read().decode()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def raw(self, data=b''):
        s = socket.create_connection((self.host, self.port), timeout=PATIENCE)
        s.sendall(data)
        return s

    def ask(self, method, path, body=None, content_type=None, headers=None, connection=None):
        """One request: the response, with its body as .body and, where that is JSON, parsed as .json. It has to be as described."""
        c = connection or self.connect()
        headers = dict(headers or {})
        if content_type:
            headers['Content-Type'] = content_type
        c.request(method, path, body, headers, encode_chunked=headers.get('Transfer-Encoding') == 'chunked')
        r = c.getresponse()
        r.body = r.read()
        r.json = json.loads(r.body) if r.getheader('Content-Type') == 'application/json' and r.body else None
        if not connection:
            c.close()
        if method != 'HEAD':
            openapi.check_answer(method, path, r.status, r.getheader('Content-Type'), r.json)
        return r

    def predict(self, body, content_type='image/png', query='', **more):
        return self.ask('POST', '/predict' + query, body, content_type, **more)


def read_response(stream):
    """Status, headers and body of the next response on a raw connection."""
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().strip()):
        name, _, value = line.decode().partition(':')
        headers[name.lower()] = value.strip()
    return status, headers, stream.read(int(headers.get('content-length', 0)))

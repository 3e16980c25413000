"""Who is let in, and by which door: names, pages elsewhere, keys, TLS, sockets.

LENETD=build/release/lenetd python3 -m unittest discover -v -s tests/e2e -p test_doors.py     (in the repository's root)
"""
import contextlib
import http.client
import os
import resource
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from daemon import LENETD, PATIENCE, Daemon, clean_environment, mnist, png, read_response

PICTURE = png(mnist(1)[0])
KEY, OTHER_KEY = 'first-key-0123456789', 'second-key-0123456789'


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('nothing happens')
        time.sleep(0.01)


def fails(test, words, *flags, prefix=(), **env):
    r = subprocess.run([*prefix, LENETD, *flags], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean_environment(**env),
                       timeout=PATIENCE)
    test.assertIn(r.returncode, (1, 2))
    test.assertIn(words, r.stderr.decode())


class Names(unittest.TestCase):
    def test_host(self):
        with Daemon(LENETD_HOST='lenet.example.com') as d:
            for host, status in (('127.0.0.1', 200), ('localhost:9', 200), ('[::1]:80', 200), ('LENET.example.com', 200),
                                 ('a.localhost', 200), ('evil.example', 403), ('192.0.2.1', 403), ('[bad', 400), ('::1:80', 400),
                                 ('127.0.0.1.evil.example', 403), ('notlocalhost', 403)):
                r = d.ask('GET', '/readyz', headers={'Host': host})
                self.assertEqual(r.status, status, host)
                if status == 403:
                    self.assertIn('--host', r.json['error'])
            with d.raw(b'GET /readyz HTTP/1.0\r\n\r\n') as s:
                self.assertEqual(read_response(s.makefile('rb'))[0], 200)
            r = d.predict(PICTURE, headers={'Host': 'evil.example'})
            self.assertEqual(r.status, 403)
            self.assertEqual(d.predict(PICTURE).status, 200)

    def test_host_beyond_loopback(self):
        for name, evil in ((None, 200), ('lenet.example.com', 403)):
            with Daemon(listen='0.0.0.0:0', LENETD_HOST=name) as d:
                self.assertEqual(d.ask('GET', '/readyz', headers={'Host': 'evil.example'}).status, evil)
                self.assertEqual(d.ask('GET', '/readyz', headers={'Host': '192.0.2.1:80'}).status, 200)  # as a kubelet does

    def test_origin(self):
        with Daemon() as d:
            own = f'127.0.0.1:{d.port}'
            for headers, status in (({}, 200), ({'Origin': f'http://{own}'}, 200), ({'Origin': f'https://{own}'}, 200),
                                    ({'Origin': 'https://evil.example'}, 403), ({'Origin': 'null'}, 403),
                                    ({'Origin': f'http://localhost:{d.port}'}, 403),
                                    ({'Origin': 'https://public.example', 'Sec-Fetch-Site': 'same-origin'}, 200),
                                    ({'Origin': 'https://evil.example', 'Sec-Fetch-Site': 'cross-site'}, 403)):
                r = d.predict(PICTURE, 'text/plain', headers=headers)
                self.assertEqual(r.status, status, headers)
                self.assertIsNone(r.getheader('Access-Control-Allow-Origin'))
                if status == 403:
                    self.assertIn('--cors-origin', r.json['error'])
            self.assertEqual(d.ask('OPTIONS', '/predict').status, 405)

    def test_cors(self):
        page = {'Origin': 'https://page.example'}
        asked = {**page, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type'}
        with Daemon('--cors-origin', 'https://other.example', '--cors-origin', page['Origin']) as d:
            r = d.ask('OPTIONS', '/predict', headers=asked)
            self.assertEqual((r.status, r.body), (204, b''))
            self.assertIn('POST', r.getheader('Access-Control-Allow-Methods'))
            self.assertIn('Content-Type', r.getheader('Access-Control-Allow-Headers'))
            for r in (r, d.predict(PICTURE, headers=page), d.ask('GET', '/nothing', headers=page)):
                self.assertEqual(r.getheader('Access-Control-Allow-Origin'), page['Origin'])
                self.assertEqual(r.getheader('Vary'), 'Origin')
            for headers in ({}, {'Origin': 'https://evil.example'}, {**asked, 'Origin': 'https://page.example.evil.example'}):
                r = d.ask('OPTIONS' if len(headers) > 1 else 'POST', '/predict', PICTURE, headers=headers)
                self.assertEqual(r.status, 403 if headers else 200)
                self.assertIsNone(r.getheader('Access-Control-Allow-Origin'))
                self.assertEqual(r.getheader('Vary'), 'Origin')
        with Daemon('--cors-origin', '*') as d:
            self.assertEqual(d.predict(PICTURE, headers=page).getheader('Access-Control-Allow-Origin'), '*')


class Keys(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile('w', suffix='.keys')
        self.addCleanup(self.file.close)

    def write(self, text):
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text)
        self.file.flush()

    def predict(self, d, key=None):
        return d.predict(PICTURE, headers={'Authorization': f'Bearer {key}'} if key else {})

    def test_keys(self):
        self.write(f'# who may ask\n\n{KEY}  a phone\n{OTHER_KEY}')
        with Daemon('--api-keys', self.file.name) as d:
            for key in (KEY, OTHER_KEY):
                self.assertEqual(self.predict(d, key).status, 200)
                self.assertEqual(d.predict(PICTURE, headers={'X-API-Key': key}).status, 200)
                self.assertEqual(d.predict(PICTURE, headers={'Authorization': 'bearer  ' + key}).status, 200)
            for key in (KEY[:-1], KEY + 'x', 'phone'):
                r = self.predict(d, key)
                self.assertEqual(r.status, 401)
                self.assertIn('invalid_token', r.getheader('WWW-Authenticate'))
            for headers in ({}, {'Authorization': 'Basic ' + KEY}, {'Authorization': KEY}):
                r = d.predict(PICTURE, headers=headers)
                self.assertEqual((r.status, r.getheader('WWW-Authenticate')), (401, 'Bearer realm="lenetd"'))
                self.assertIn('X-API-Key', r.json['error'])
            for path, status in (('/', 200), ('/app.js', 200), ('/healthz', 200), ('/readyz', 200), ('/nothing', 401),
                                 ('//', 401), ('/healthz/', 401)):
                self.assertEqual(d.ask('GET', path).status, status, path)

    def test_keys_are_read_again(self):
        self.write(KEY)
        with Daemon('--api-keys', self.file.name) as d:
            self.write(OTHER_KEY)
            d.process.send_signal(signal.SIGHUP)
            wait_for(lambda: self.predict(d, OTHER_KEY).status == 200)
            self.assertEqual(self.predict(d, KEY).status, 401)
            self.write('too-short')
            d.process.send_signal(signal.SIGHUP)
            wait_for(lambda: 'the API keys stay as they are' in d.text())
            self.assertIn('line 1: a key of 9 characters', d.text())
            self.assertEqual(self.predict(d, OTHER_KEY).status, 200)

    def test_wrong_files(self):
        self.write('# none\n')
        fails(self, 'no key', '--api-keys', self.file.name)
        fails(self, '/nowhere', '--api-keys', '/nowhere')
        fails(self, '--cors-origin *', '--api-keys', self.file.name, '--cors-origin', '*')

    def test_refused_while_it_sends(self):
        """The body of a request without a key is read and forgotten, and the connection goes on."""
        self.write(KEY)
        with Daemon('--api-keys', self.file.name) as d, contextlib.closing(d.connect()) as c:
            self.assertEqual(d.predict(b'x' * 1000000, connection=c).status, 401)
            r = d.predict(PICTURE, headers={'X-API-Key': KEY}, connection=c)
            self.assertEqual(r.status, 200)


@unittest.skipUnless(shutil.which('openssl'), 'no openssl to make a certificate with')
class Tls(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.cert, self.key = self.path('cert.pem'), self.path('key.pem')
        self.make('first.example')

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def make(self, name):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                        '-subj', f'/CN={name}', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', self.key, '-out', self.cert],
                       check=True, stderr=subprocess.DEVNULL)

    def daemon(self, *flags):
        return Daemon('--tls-cert', self.cert, '--tls-key', self.key, *flags)

    def connect(self, d, **versions):
        context = ssl.create_default_context(cafile=self.cert)
        for name, value in versions.items():
            setattr(context, name, value)
        return http.client.HTTPSConnection(d.host, d.port, timeout=PATIENCE, context=context)

    def test_https(self):
        for flags in ((), ('--batch-on-cpu',)):
            with self.daemon(*flags) as d:
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    with contextlib.closing(self.connect(d, minimum_version=version, maximum_version=version)) as c:
                        for _ in range(3):
                            self.assertEqual(d.predict(PICTURE, connection=c).json['predictions'][0]['digit'], 7)
                r = subprocess.run(['curl', '-sS', '--cacert', self.cert, f'https://127.0.0.1:{d.port}/healthz'],
                                   stdout=subprocess.PIPE, check=True)
                self.assertIn(b'live', r.stdout)
                with self.assertRaises((http.client.HTTPException, OSError)):
                    d.ask('GET', '/healthz')  # in the clear
                self.assertEqual(d.stop(), 0)

    def test_a_client_that_ends_its_sending_is_not_counted_as_answered(self):
        def metrics(d):
            with contextlib.closing(self.connect(d)) as c:
                return d.ask('GET', '/metrics', connection=c).body.decode()
        with self.daemon('--batch-on-cpu', '--max-delay-us', '1000000') as d, contextlib.closing(self.connect(d)) as c:
            c.request('POST', '/predict', PICTURE)
            wait_for(lambda: 'lenet_queue_depth 1' in metrics(d))
            c.sock.shutdown(socket.SHUT_WR)
            wait_for(lambda: 'lenet_requests_unanswered_total 1' in metrics(d))
            self.assertNotIn('{route="/predict"', metrics(d))

    def test_old_versions_are_refused(self):
        with self.daemon() as d:
            r = subprocess.run(['openssl', 's_client', '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0', '-connect', f'127.0.0.1:{d.port}'],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
            self.assertIn(b'no peer certificate', r.stdout)

    def name(self, d):
        der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((d.host, d.port), timeout=PATIENCE))
        return [name for name in (b'first.example', b'second.example') if name in der]

    def test_certificate_is_read_again(self):
        with self.daemon() as d, contextlib.closing(self.connect(d)) as old:
            self.assertEqual(d.ask('GET', '/healthz', connection=old).status, 200)
            self.make('second.example')
            for _ in range(3):  # the replaced one is freed while its connection lives
                d.process.send_signal(signal.SIGHUP)
            wait_for(lambda: self.name(d) == [b'second.example'])
            self.assertEqual(d.ask('GET', '/healthz', connection=old).status, 200)
            with open(self.key, 'w') as f:
                f.write('nonsense')
            d.process.send_signal(signal.SIGHUP)
            wait_for(lambda: 'the certificate stays as it is' in d.text())
            self.assertEqual(self.name(d), [b'second.example'])

    def test_wrong_files(self):
        other = self.path('other.pem')
        shutil.copy(self.key, other)
        self.make('second.example')
        fails(self, 'do not belong together', '--tls-cert', self.cert, '--tls-key', other)
        fails(self, 'no PEM certificate', '--tls-cert', other, '--tls-key', other)
        fails(self, 'no PEM private key', '--tls-cert', self.cert, '--tls-key', self.cert)
        fails(self, '/nowhere', '--tls-cert', '/nowhere', '--tls-key', other)
        fails(self, 'give both', '--tls-cert', self.cert)


class Sockets(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, 'socket')

    def ask(self, path='/readyz', address=None):
        with socket.socket(socket.AF_UNIX) if not address else socket.socket() as s:
            s.settimeout(PATIENCE)
            s.connect(address or self.path)
            s.sendall(f'GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'.encode())
            return read_response(s.makefile('rb'))[0]

    def test_unix(self):
        with Daemon(listen='unix:' + self.path) as d:
            self.assertEqual(self.ask(), 200)
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o660)
            r = subprocess.run(['curl', '-sS', '--unix-socket', self.path, '-F', 'img=@-', 'http://localhost/predict'], input=PICTURE,
                               stdout=subprocess.PIPE, check=True)
            self.assertIn(b'"digit": 7', r.stdout)
            fails(self, 'in use', '--listen', 'unix:' + self.path)
            self.assertEqual(self.ask(), 200)
            self.assertEqual(d.stop(), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_a_file_that_was_left(self):
        with Daemon(listen='unix:' + self.path) as d:
            d.process.kill()
            d.process.wait()
            self.assertTrue(os.path.exists(self.path))
        with Daemon(listen='unix:' + self.path):
            self.assertEqual(self.ask(), 200)

    def test_a_file_that_is_not_ours(self):
        with open(self.path, 'w'):
            pass
        fails(self, 'in use', '--listen', 'unix:' + self.path)
        self.assertTrue(os.path.exists(self.path))
        os.unlink(self.path)
        with Daemon(listen='unix:' + self.path) as d, socket.socket(socket.AF_UNIX) as s:
            os.unlink(self.path)
            s.bind(self.path)  # another's by now
            self.assertEqual(d.stop(), 0)
            self.assertTrue(os.path.exists(self.path))

    def passed(self, s, *flags, n=1, **more):
        """As systemd starts it: the socket is descriptor 3, and LISTEN_PID its own number."""
        start = f'LISTEN_PID=$$ LISTEN_FDS={n} exec "$0" "$@" 3<&{s.fileno()}'
        return Daemon(*flags, listen='systemd', prefix=('sh', '-c', start), pass_fds=(s.fileno(),), **more)

    def test_passed_sockets(self):
        with socket.create_server(('127.0.0.1', 0)) as s, self.passed(s) as d:
            self.assertEqual(d.port, s.getsockname()[1])
            self.assertEqual(d.predict(PICTURE).status, 200)
            self.assertEqual(d.ask('GET', '/readyz', headers={'Host': 'evil.example'}).status, 403)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.path)
            s.listen()
            with self.passed(s) as d:
                self.assertEqual(self.ask(), 200)
                self.assertEqual(d.stop(), 0)
            self.assertTrue(os.path.exists(self.path))  # it is the supervisor's

    def test_no_socket_was_passed(self):
        fails(self, 'name no socket for this process', '--listen', 'systemd')
        fails(self, 'name no socket for this process', '--listen', 'systemd', LISTEN_PID='1', LISTEN_FDS='1')
        passed = 'sh', '-c', 'LISTEN_PID=$$ exec "$0" "$@" 3</dev/null'
        fails(self, '2 sockets', '--listen', 'systemd', prefix=passed, LISTEN_FDS='2')
        fails(self, 'not a listening stream socket', '--listen', 'systemd', prefix=passed, LISTEN_FDS='1')

    def test_a_new_version_takes_over(self):
        """New connections all the time, and three daemons one after the other on one socket: all are answered."""
        stop, answers, failures = threading.Event(), [], []
        with socket.create_server(('127.0.0.1', 0)) as s:
            def client():
                while not stop.is_set():
                    try:
                        answers.append(self.ask('/healthz', s.getsockname()))
                    except (OSError, IndexError) as e:
                        failures.append(e)
            threads = [threading.Thread(target=client) for _ in range(8)]
            with contextlib.ExitStack() as daemons:
                daemons.callback(stop.set)
                old = daemons.enter_context(self.passed(s))
                for t in threads:
                    t.start()
                for _ in range(3):
                    new = daemons.enter_context(self.passed(s))
                    n = len(answers)
                    wait_for(lambda: len(answers) > n + 50)
                    self.assertEqual(old.stop(), 0)
                    old = new
                n = len(answers)
                self.assertEqual(old.stop(), 0)  # and one that goes before the next one comes
                daemons.enter_context(self.passed(s))
                wait_for(lambda: len(answers) > n + 50)
                stop.set()
                for t in threads:
                    t.join()
        self.assertEqual((failures, set(answers)), ([], {200}))

    def test_no_descriptor_is_left(self):
        with Daemon() as d, d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') as held:
            self.assertEqual(read_response(held.makefile('rb'))[0], 200)
            before = resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (0, before[1]))
            with d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') as s:
                wait_for(lambda: 'cannot accept connections: Too many open files' in d.text())
                held.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
                self.assertEqual(read_response(held.makefile('rb'))[0], 200)
                resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, before)
                self.assertEqual(read_response(s.makefile('rb'))[0], 200)
            wait_for(lambda: 'accepting connections again' in d.text())
            self.assertEqual(d.text().count('cannot accept'), 1)

    def test_connections_of_an_address(self):
        with Daemon('--max-connections-per-address', '2') as d:
            held = [d.raw(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n') for _ in range(2)]
            for s in held:
                self.assertEqual(read_response(s.makefile('rb'))[0], 200)
            with self.assertRaises((OSError, IndexError, http.client.HTTPException)):
                d.ask('GET', '/healthz')
            for s in held:
                s.close()

            def answers():
                with contextlib.suppress(OSError, IndexError, http.client.HTTPException):
                    return d.ask('GET', '/healthz').status == 200
            wait_for(answers)


if __name__ == '__main__':
    unittest.main()

"""Fills a folder with all that `make test-gpu` and `make bench-gpu` need beside a CUDA toolkit, a C compiler and Python, for
a machine with a GPU and without a network: MNIST, the libraries of lenet and lenetd with their headers, wrk, and make.

    python3 tests/gpu/bundle.py --lenet build/release/lenet build/gpu-bundle

The libraries are those of the Debian or Ubuntu that this runs on: the machine with the GPU needs a C library as new as that
or newer. Nothing is installed and no file is a link, so that the folder can be carried by whatever carries files.

    bin/        a pkg-config that knows these libraries and nothing else; wrk
    fallback/   make, for a machine that has none
    lib/        the shared libraries, each with all that it needs but the C library; binaries find them by an absolute rpath
    include/  data/  licences/
"""
import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What pkg-config calls a library: the package with its headers, what the linker calls it.
LIBRARIES = {
    'libmicrohttpd': ('libmicrohttpd-dev', 'microhttpd'),
    'gnutls': ('libgnutls28-dev', 'gnutls'),
    'libcjson': ('libcjson-dev', 'cjson'),
    'libpng': ('libpng-dev', 'png16'),
    'libdeflate': ('libdeflate-dev', 'deflate'),
    'libjpeg': ('libjpeg-dev', 'jpeg'),
    'libwebp': ('libwebp-dev', 'webp'),
    'nettle': ('nettle-dev', 'nettle'),
    'zlib': ('zlib1g-dev', 'z'),
}
TOOLS = ('wrk', 'make')
HEADERS = ('microhttpd.h', 'gnutls', 'cjson', 'libpng16', 'png.h', 'pngconf.h', 'pnglibconf.h', 'nettle', 'libdeflate.h', 'jpeglib.h', 'jmorecfg.h',
           'jerror.h', 'jconfig.h', 'webp', 'zlib.h', 'zconf.h')
# The C library and the compiler's own: every machine has them, and they must fit each other there.
OF_THE_MACHINE = re.compile(r'(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|gcc_s|stdc\+\+|atomic))\.so\.\d+$')
NOT_FOLLOWED = re.compile(r'(libc6|libgcc|gcc-|libc-|libcrypt|debconf|dpkg|perl).*|.*-(dev|doc|bin|data)$')
MNIST = [f'{name}-ubyte' for name in ('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1')]
MAX_MIB = 64  # with the checkout
AS_ROOT = ('-o', 'APT::Sandbox::User=root') if os.getuid() == 0 else ()  # apt's own user may not write in here

PKG_CONFIG = '''#!/bin/sh
# Answers for the libraries of this folder alone.
here=$(cd "$(dirname "$0")/.." && pwd)
answer=''
for word; do
	case $word in
	--exists) ;;
	--cflags) answer="$answer -I$here/include -I$here/include/libpng16" ;;
	--libs) answer="$answer -L$here/lib -Wl,--disable-new-dtags,-rpath,$here/lib" ;;
%s
	*) exit 1 ;;
	esac
done
case " $* " in
*' --libs '*) ;;
*) answer=$(echo "$answer" | sed 's/ -l[a-z0-9]*//g') ;;
esac
echo "$answer"
'''

WRAPPER = '''#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
LD_LIBRARY_PATH=$here/lib exec "$here/lib/%s" "$@"
'''


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def depends(package):
    """The packages that this one cannot be without, the first of several alternatives."""
    found, alternative = [], False
    for line in output('apt-cache', 'depends', '--important', package).splitlines():
        match = re.match(r'^( |\|)+(?:Pre)?Depends: ([^<\s]+)$', line.rstrip())
        if match and not alternative:
            found.append(match[2].split(':')[0])
        alternative = line.lstrip(' ').startswith('|')
    return found


def closure(packages):
    """These packages, and those that their libraries may need."""
    wanted, rest = [], list(packages)
    while rest:
        package = rest.pop(0)
        if package not in wanted:
            wanted.append(package)
            rest += [p for p in depends(package) if not NOT_FOLLOWED.match(p)]
    return wanted


def unpack(packages, root):
    subprocess.run(['apt-get', 'download', '-qq', *AS_ROOT, *(f'{p}:amd64' for p in packages)], cwd=root, check=True)
    for name in sorted(os.listdir(root)):
        if name.endswith('.deb'):
            subprocess.run(['dpkg', '-x', name, '.'], cwd=root, check=True)


def find_library(root, name):
    """The file of that name, a link followed inside the root."""
    for folder in ('usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib'):
        path = os.path.join(root, folder, name)
        if os.path.islink(path):
            return find_library(root, os.path.basename(os.readlink(path)))
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f'{name}: in none of the packages')


def dynamic(path, tag):
    return re.findall(rf'\({tag}\).*\[(.+)\]', output('readelf', '-d', path))


def put_libraries(root, target, binaries):
    """The libraries that are linked with under the linker's names, and under their own all that anything here needs."""
    needed = [n for path in binaries for n in dynamic(path, 'NEEDED')]
    for _, name in LIBRARIES.values():
        path = find_library(root, f'lib{name}.so')
        shutil.copyfile(path, os.path.join(target, f'lib{name}.so'))
        needed += dynamic(path, 'SONAME')
    done = set()
    while needed:
        name = needed.pop()
        if name not in done and not OF_THE_MACHINE.match(name):
            done.add(name)
            path = find_library(root, name)
            shutil.copyfile(path, os.path.join(target, name))
            needed += dynamic(path, 'NEEDED')


def put_headers(root, target):
    for name in HEADERS:
        for folder in ('usr/include', 'usr/include/x86_64-linux-gnu'):
            path = os.path.join(root, folder, name)
            if os.path.exists(path):
                copy = shutil.copytree if os.path.isdir(path) else shutil.copyfile
                copy(path, os.path.join(target, name))
                break
        else:
            raise FileNotFoundError(f'{name}: in none of the packages')


def write_script(path, text):
    with open(path, 'w') as f:
        f.write(text)
    os.chmod(path, 0o755)


def put_tools(root, bundle):
    names = '\n'.join(f'\t{package}) answer="$answer -l{name}" ;;' for package, (_, name) in LIBRARIES.items())
    write_script(f'{bundle}/bin/pkg-config', PKG_CONFIG % names)
    write_script(f'{bundle}/bin/wrk', WRAPPER % 'wrk')
    for tool, folder in (('wrk', 'lib'), ('make', 'fallback')):
        shutil.copyfile(f'{root}/usr/bin/{tool}', f'{bundle}/{folder}/{tool}')
        os.chmod(f'{bundle}/{folder}/{tool}', 0o755)


def put_licences(root, packages, target):
    for package in packages:
        path = os.path.join(root, 'usr/share/doc', package, 'copyright')
        if os.path.isfile(path):
            shutil.copyfile(path, os.path.join(target, package))


def put_mnist(lenet, target):
    """Packed, a fifth of the size. `lenet fetch` takes what is there already and checks it."""
    subprocess.run([lenet, 'fetch', '--data', target], check=True, stdout=subprocess.DEVNULL)
    for name in MNIST:
        path = os.path.join(target, name)
        if os.path.exists(path):
            with open(path, 'rb') as plain, open(path + '.gz', 'wb') as packed:
                with gzip.GzipFile('', 'wb', 9, packed, mtime=0) as z:
                    shutil.copyfileobj(plain, z)
            os.remove(path)


def size_mib(paths):
    return sum(os.path.getsize(path) for path in paths if os.path.isfile(path)) / 2**20


def files_of(folder):
    return [os.path.join(d, name) for d, _, names in os.walk(folder) for name in names]


def checkout():
    """The files that git would carry; none where git knows of none."""
    if not shutil.which('git'):
        return []
    listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True).stdout
    return [os.path.join(ROOT, name) for name in listed.split('\0') if name]


def fill(bundle, lenet):
    packages = closure([dev for dev, _ in LIBRARIES.values()] + list(TOOLS))
    for folder in ('bin', 'fallback', 'lib', 'include', 'licences'):
        shutil.rmtree(f'{bundle}/{folder}', ignore_errors=True)
        os.makedirs(f'{bundle}/{folder}')
    with tempfile.TemporaryDirectory() as root:
        unpack(packages, root)
        put_libraries(root, f'{bundle}/lib', [f'{root}/usr/bin/wrk'])
        put_headers(root, f'{bundle}/include')
        put_tools(root, bundle)
        put_licences(root, packages, f'{bundle}/licences')
    put_mnist(lenet, f'{bundle}/data')


def main():
    parser = argparse.ArgumentParser(description='Fills a folder for a machine with a GPU and without a network.')
    parser.add_argument('--lenet', required=True, help='the program, for `lenet fetch`')
    parser.add_argument('bundle', help='the folder')
    args = parser.parse_args()
    if not shutil.which('apt-get') or output('dpkg', '--print-architecture').strip() != 'amd64':
        sys.exit('gpu-bundle: it is filled from the packages of an amd64 Debian or Ubuntu, and this is none')
    try:
        fill(args.bundle, args.lenet)
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit(f'gpu-bundle: {e}')
    size = size_mib(files_of(args.bundle))
    together = size + size_mib(checkout())
    print(f'{args.bundle}: {size:.1f} MiB, {together:.1f} MiB with the checkout')
    if together > MAX_MIB:
        sys.exit(f'gpu-bundle: more than the {MAX_MIB} MiB that are meant to be carried: remove files from the checkout')


if __name__ == '__main__':
    main()

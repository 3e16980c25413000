# For tests/system/fresh, tests/system/deb and tests/system/image, which source it: a bare Debian, and commands in it. As root; needs debootstrap
# and the network that apt needs.
# shellcheck shell=sh

# in_namespaces SCRIPT ARGUMENT...: the script again, with $ROOT a folder for the system. Mounts and processes live in
# namespaces of their own: whatever happens, they are gone when the inner script ends. Returns at once inside.
in_namespaces()
{
	[ -z "${ROOT:-}" ] || return 0
	[ "$(id -u)" = 0 ] || { echo "$1: root is needed, for chroot" >&2; exit 2; }
	command -v debootstrap >/dev/null || { echo "$1: apt-get install debootstrap" >&2; exit 2; }
	ROOT=$(mktemp -d)
	chmod 755 "$ROOT" # it will be somebody's /
	export ROOT
	trap 'rm -rf --one-file-system "$ROOT"' EXIT
	trap 'exit 1' INT TERM
	unshare --mount --pid --fork --kill-child "$@"
	exit
}

# bare SUITE PACKAGES FOLDER: a minimal Debian with these packages (a,b,c) on top.
bare()
{
	echo "== a bare $1 in $3"
	debootstrap --variant=minbase ${2:+--include="$2"} "$1" "$3" >"$3.log" 2>&1 || { tail "$3.log"; exit 1; }
	rm "$3.log"
	# The host's way to the network: resolver, proxies, certificates of its own, and where apt is to look.
	cp -L /etc/resolv.conf "$3/etc/"
	cp -r /etc/apt/apt.conf.d/. "$3/etc/apt/apt.conf.d/"
	if grep -qs "^VERSION_CODENAME=$1" /etc/os-release; then
		rm -f "$3/etc/apt/sources.list"
		cp -r /etc/apt/sources.list* "$3/etc/apt/"
	fi
	mkdir -p "$3/usr/local/share/ca-certificates"
	cp -r /usr/local/share/ca-certificates/. "$3/usr/local/share/ca-certificates/"
}

# furnish FOLDER: what a system expects of its kernel.
furnish()
{
	mount -t proc proc "$1/proc"
	# Devices of its own: whatever goes wrong in there, the host keeps its.
	mount -t tmpfs dev "$1/dev"
	for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
		mknod -m 666 "$1/dev/${device%%:*}" c "$(echo $device | cut -d: -f2)" "${device##*:}"
	done
	mkdir "$1/dev/pts" "$1/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
	mount -t tmpfs shm "$1/dev/shm"
	ln -s pts/ptmx "$1/dev/ptmx"
	ln -s /proc/self/fd "$1/dev/fd"
	ln -s fd/0 "$1/dev/stdin"
	ln -s fd/1 "$1/dev/stdout"
	ln -s fd/2 "$1/dev/stderr"
}

# inside FOLDER COMMAND...: with the environment that a login gives.
inside()
{
	in=$1
	shift
	env -i HOME=/root TERM=dumb LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} chroot "$in" "$@"
}

fail()
{
	echo "FAIL: $*"
	exit 1
}

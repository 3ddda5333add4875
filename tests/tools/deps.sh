#!/bin/sh
# Installs what the tests need and is missing: deps.sh TARGET [i686], the latter for
# those of i686 on an x86_64 machine.
# On Debian and as root it does so by itself; elsewhere it says what is missing.
set -eu
musl=$1
missing=
# command=package
for need in cc=gcc strace=strace debootstrap=debootstrap hyperfine=hyperfine \
    newuidmap=uidmap bwrap=bubblewrap unshare=util-linux setpriv=util-linux readelf=binutils \
    python3=python3 dpkg-deb=dpkg ip=iproute2 cpio=cpio crun=crun runc=runc qemu-system-x86_64=qemu-system-x86 \
    qemu-system-aarch64=qemu-system-arm qemu-riscv64-static=qemu-user-static \
    aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu; do
    command -v "${need%%=*}" >/dev/null || missing="$missing ${need#*=}"
done
[ -e /usr/aarch64-linux-gnu/lib/libc.a ] || missing="$missing libc6-dev-arm64-cross"
if [ "${2:-}" = i686 ]; then
    # By themselves, since gcc-multilib cannot be there together with a compiler for others.
    version=$(cc -dumpversion)
    # Where there is none for i686 it names the other one.
    case $(cc -m32 -print-libgcc-file-name) in
    */32/*) ;;
    *) missing="$missing lib32gcc-${version%%.*}-dev" ;;
    esac
    [ -e /usr/lib32/libc.a ] || missing="$missing libc6-dev-i386"
fi
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
            apt-get update -qq
            apt-get install -y -qq --no-install-recommends $missing >/dev/null
        }
    else
        echo "deps.sh: missing:$missing (on Debian: apt-get install$missing)" >&2
        exit 1
    fi
fi
command -v cargo >/dev/null || {
    echo "deps.sh: missing: cargo and rustc (see rustup)" >&2
    exit 1
}
for component in fmt=rustfmt clippy=clippy; do
    cargo "${component%=*}" --version >/dev/null 2>&1 ||
        rustup component add "${component#*=}" >/dev/null 2>&1 || true
done
tests/tools/target.sh "$musl" >/dev/null

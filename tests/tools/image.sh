#!/bin/sh
# Makes a root file system for trying and testing: image.sh busybox|debian DIR [ARCHITECTURE]
# Or what else the tests take from Debian: image.sh python DIR (with its own tests,
# to be mounted into a root), image.sh machine-amd64|machine-arm64 DIR (a kernel for
# virtual machines, some of its modules, and a busybox), image.sh suite-arm64 DIR (the same,
# and a Debian with what the tests call)
# The architecture is Debian's name of one; this machine's own, if none is named.
# What is there already is left alone. Nothing of the system is changed: a
# package that is needed is downloaded and unpacked, not installed.
set -eu
kind=$1 root=$2
own=$(dpkg --print-architecture 2>/dev/null || true)
architecture=${3:-$own}
case $kind in machine-* | suite-*) architecture=${kind#*-} ;; esac
case $root in /*) ;; *) root=$PWD/$root ;; esac
[ -e "$root/.complete" ] && exit 0
rm -rf "$root.new" "$root"
mkdir -p "$root.new"
say() { echo "image.sh: $*" >&2; }

# What apt-get and apt-cache are told besides: lists of another architecture than this
# machine's are kept apart from the system's.
apt=
if [ "$architecture" != "$own" ] && [ "$kind" != debian ]; then
    mkdir -p "$root.new/apt/state/lists/partial" "$root.new/apt/cache/archives/partial"
    chmod -R 777 "$root.new/apt" # apt fetches as a user of its own
    apt="-o Dir::State=$root.new/apt/state -o Dir::Cache=$root.new/apt/cache"
    apt="$apt -o Dir::State::status=/dev/null"
    apt="$apt -o APT::Architecture=$architecture -o APT::Architectures=$architecture"
    # A list that is just being renewed on the server is not the one that is needed.
    apt-get $apt update -qq >&2 || true
fi

# Debian's packages of these names, unpacked into a directory: unpacked DIR NAME...
unpacked() {
    into=$1
    shift
    if ! command -v apt-get >/dev/null; then
        say "needs Debian's $*, and here is no apt-get to fetch it with"
        exit 1
    fi
    mkdir -p "$into" "$root.new/packages"
    chmod 777 "$root.new/packages" # apt fetches as a user of its own
    (cd "$root.new/packages" && apt-get $apt download -qq "$@" >&2) || (
        apt-get $apt update -qq >&2 && cd "$root.new/packages" && apt-get $apt download -qq "$@" >&2
    ) || {
        say "cannot download Debian's packages $*"
        exit 1
    }
    for package in "$root.new/packages"/*.deb; do dpkg-deb -x "$package" "$into"; done
    rm -rf "$root.new/packages"
}

# A busybox without shared libraries: the system's own, or Debian's package.
find_busybox() {
    installed=$(command -v busybox || true)
    if [ "$architecture" = "$own" ] && [ -n "$installed" ] && ! ldd "$installed" >/dev/null 2>&1
    then
        echo "$installed"
        return
    fi
    unpacked "$root.new/package" busybox-static
    echo "$root.new/package/bin/busybox"
}

# A small Debian in a directory: bootstrapped DIR OPTION...
bootstrapped() {
    into=$1
    shift
    command -v debootstrap >/dev/null || {
        say "needs debootstrap (apt-get install debootstrap)"
        exit 1
    }
    # The mirror and the release are those of this system.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    debootstrap ${architecture:+--arch="$architecture"} --variant=minbase "$@" "$release" "$into" "$mirror" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        say "debootstrap failed"
        exit 1
    }
}

# Debian's kernel for virtual machines, with these of its modules, and a busybox, unpacked and
# not installed: kernel MODULE...
kernel() {
    package=$(apt-cache $apt depends "linux-image-cloud-$architecture" |
        sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    unpacked "$root.new/package" "$package" busybox-static
    mv "$root.new"/package/boot/vmlinuz-* "$root.new/vmlinuz"
    mv "$root.new/package/bin/busybox" "$root.new/busybox"
    mkdir "$root.new/modules"
    for module in "$@"; do
        find "$root.new/package/lib/modules" -name "$module.ko" -exec mv {} "$root.new/modules" \;
    done
    rm -rf "$root.new/package"
}

case $kind in
busybox)
    mkdir -p "$root.new/bin" "$root.new/dev" "$root.new/etc" "$root.new/proc" \
        "$root.new/root" "$root.new/sys" "$root.new/tmp"
    chmod 1777 "$root.new/tmp"
    # A shell wants these for a job in the background. Only root can make them.
    if [ "$(id -u)" = 0 ]; then
        for node in null:3 zero:5 random:8 urandom:9; do
            mknod -m 666 "$root.new/dev/${node%:*}" c 1 "${node#*:}"
        done
    fi
    cp "$(find_busybox)" "$root.new/bin/busybox"
    rm -rf "$root.new/package"
    applets=$("$root.new/bin/busybox" --list) # by itself, so that a failure counts
    for applet in $applets; do
        [ "$applet" = busybox ] || ln -s busybox "$root.new/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root.new/etc/passwd"
    echo 'root:x:0:' >"$root.new/etc/group"
    ;;
debian) bootstrapped "$root.new" ;;
python)
    version=$(apt-cache show python3 | sed -n 's/^Depends:.*\(python3\.[0-9]*\) .*/\1/p' | head -n 1)
    unpacked "$root.new" "$version-minimal" "lib$version-minimal" "lib$version-stdlib" \
        "lib$version-testsuite" libexpat1 libssl3 zlib1g netbase
    ln -s "$version" "$root.new/usr/bin/python3"
    ;;
machine-*)
    kernel virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
        virtio_console overlay
    ;;
suite-*)
    kernel virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
        virtio_blk overlay libcrc32c erofs squashfs binfmt_misc
    # Unpacked only: nothing of it can run here.
    bootstrapped "$root.new/root" --foreign \
        --include=gcc,libc6-dev,strace,uidmap,iproute2,procps,cpio,python3,bubblewrap
    for package in "$root.new/root/var/cache/apt/archives"/*.deb; do
        dpkg-deb -x "$package" "$root.new/root"
    done
    rm -rf "$root.new/root/var/cache/apt/archives" "$root.new/root/debootstrap"
    for file in passwd group; do
        cp "$root.new/root/usr/share/base-passwd/$file.master" "$root.new/root/etc/$file"
    done
    for file in subuid subgid; do : >"$root.new/root/etc/$file"; done
    (umask 077 && echo 'root:*::0:99999:7:::' >"$root.new/root/etc/shadow")
    ln -s gcc "$root.new/root/usr/bin/cc"
    ;;
*)
    say "unknown image $kind"
    exit 1
    ;;
esac
rm -rf "$root.new/apt"
touch "$root.new/.complete"
mv "$root.new" "$root"

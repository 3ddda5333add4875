#!/bin/sh
# Makes a root file system for trying and testing: image.sh busybox|debian DIR [ARCHITECTURE]
# Or what else the tests take from Debian: image.sh python DIR (with its own tests,
# to be mounted into a root), image.sh machine-amd64|machine-arm64 DIR (a kernel for
# virtual machines, some of its modules, and a busybox)
# The architecture is Debian's name of one; this machine's own, if none is named.
# What is there already is left alone. Nothing of the system is changed: a
# package that is needed is downloaded and unpacked, not installed.
set -eu
kind=$1 root=$2
case $root in /*) ;; *) root=$PWD/$root ;; esac
own=$(dpkg --print-architecture 2>/dev/null || true)
architecture=${3:-$own}
[ -e "$root/.complete" ] && exit 0
rm -rf "$root.new" "$root"
mkdir -p "$root.new"
say() { echo "image.sh: $*" >&2; }

# What apt-get and apt-cache are told besides. Lists of another architecture than this
# machine's are kept apart from the system's: for_architecture NAME
elsewhere=
for_architecture() {
    [ "$1" = "$(dpkg --print-architecture)" ] && return
    mkdir -p "$root.new/apt/state/lists/partial" "$root.new/apt/cache/archives/partial"
    chmod -R 777 "$root.new/apt" # apt fetches as a user of its own
    elsewhere="-o Dir::State=$root.new/apt/state -o Dir::Cache=$root.new/apt/cache"
    elsewhere="$elsewhere -o Dir::State::status=/dev/null -o APT::Architecture=$1 -o APT::Architectures=$1"
    apt-get $elsewhere update -qq >&2
}

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
    if [ "$architecture" != "$own" ]; then
        # As on a machine of that architecture, whose lists nobody else here sees.
        apt=$(mktemp -d)
        mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
        chmod -R go+rX "$apt"
        cat >"$apt/apt.conf" <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
Dir::State::lists "$apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$apt/cache";
END
        export APT_CONFIG="$apt/apt.conf"
        # A list that is just being renewed on the server is not the one that is needed.
        apt-get update -qq >&2 || true
    fi
    (cd "$root.new/packages" && apt-get $elsewhere download -qq "$@" >&2) || (
        apt-get $elsewhere update -qq >&2 && cd "$root.new/packages" && apt-get $elsewhere download -qq "$@" >&2
    ) || {
        say "cannot download Debian's packages $*"
        exit 1
    }
    for package in "$root.new/packages"/*.deb; do dpkg-deb -x "$package" "$into"; done
    rm -rf "$root.new/packages" ${apt:+"$apt"}
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
debian)
    command -v debootstrap >/dev/null || {
        say "needs debootstrap (apt-get install debootstrap)"
        exit 1
    }
    # The mirror and the release are those of this system.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    debootstrap ${architecture:+--arch="$architecture"} --variant=minbase "$release" "$root.new" "$mirror" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        say "debootstrap failed"
        exit 1
    }
    ;;
python)
    version=$(apt-cache show python3 | sed -n 's/^Depends:.*\(python3\.[0-9]*\) .*/\1/p' | head -n 1)
    unpacked "$root.new" "$version-minimal" "lib$version-minimal" "lib$version-stdlib" \
        "lib$version-testsuite" libexpat1 libssl3 zlib1g netbase
    ln -s "$version" "$root.new/usr/bin/python3"
    ;;
machine-*)
    for_architecture "${kind#machine-}"
    # Debian's for virtual machines, unpacked and not installed.
    package=$(apt-cache $elsewhere depends "linux-image-cloud-${kind#machine-}" |
        sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    unpacked "$root.new/package" "$package" busybox-static
    mv "$root.new"/package/boot/vmlinuz-* "$root.new/vmlinuz"
    mv "$root.new/package/bin/busybox" "$root.new/busybox"
    mkdir "$root.new/modules"
    for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
        virtio_console overlay; do
        find "$root.new/package/lib/modules" -name "$module.ko" -exec mv {} "$root.new/modules" \;
    done
    rm -rf "$root.new/package" "$root.new/apt"
    ;;
*)
    say "unknown image $kind"
    exit 1
    ;;
esac
touch "$root.new/.complete"
mv "$root.new" "$root"

#!/bin/sh
# The test programs in a virtual machine of aarch64, with an emulated processor, each in turn:
# suite.sh IMAGE [TEST...]. The machine is at this machine's path of the project, for the tests
# know it; its init is thimble, whose exit status QEMU hands on. What is left out by itself boots
# machines, measures, or has time limits that an emulated processor does not keep to.
set -eu
image=$PWD/$1
shift
[ $# != 0 ] || set -- article attacks bubblewrap callers cgroups check cli descriptors detach ends \
    ephemeral errors exec filter golden hostile init isolation life limits privileges races \
    rootless seccomp status tini users volumes
cargo=${CARGO:-cargo} musl=aarch64-unknown-linux-musl gnu=aarch64-unknown-linux-gnu
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc

$cargo build --release --locked --target $musl
$cargo build --release --locked --target $musl --features leave-out --target-dir target/leave-out
place=$(mktemp -d "$PWD/target/suite.XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
# Of its own files, none is changed: they are the image's.
cp -al "$image/root" "$place/root"
project=$place/root$PWD
mkdir -p "$project/target/leave-out/debug" "$project/target/images" "$project/target/$gnu/tmp" \
    "$place/root/suite"
cp -R Cargo.toml README.md src tests "$project"
cp target/$musl/release/thimble "$project/target/thimble"
cp target/$musl/release/thimble "$place/root/suite/thimble"
cp target/leave-out/$musl/release/thimble "$project/target/leave-out/debug/thimble"
cp -a target/images/busybox "$project/target/images"
cp "$image/busybox" "$project/target/images/busybox/bin/busybox"
mkdir "$project/target/images/debian"
touch "$place/root/.complete"
for test in "$@"; do
    built=$($cargo test --locked --no-run --target $gnu --test "$test" --message-format=json |
        sed -n '/"kind":\["test"\]/s/.*"executable":"\([^"]*\)".*/\1/p')
    aarch64-linux-gnu-strip -o "$place/root/suite/$test" "$built"
done
# What is under test is in the project's directory; this one only begins the machine.
cat >"$place/root/suite/begin" <<EOF
#!/bin/bash
cd $PWD
# Mapped mounts of a tmpfs are newer than this kernel.
export THIMBLE=$PWD/target/thimble CARGO=/bin/true TMPDIR=/var/tmp
umount /sys/fs/cgroup
mount -t tmpfs cgroup /sys/fs/cgroup
cgroup() { mkdir "/sys/fs/cgroup/\$1" && mount -t "\$2" -o "\$3" cgroup "/sys/fs/cgroup/\$1"; }
cgroup unified cgroup2 nsdelegate
for controller in memory pids cpu cpuacct cpuset; do cgroup "\$controller" cgroup "\$controller"; done
[ -d /dev/mqueue ] || mkdir /dev/mqueue
mount -t mqueue mqueue /dev/mqueue
for pair in fd: stdin:/0 stdout:/1 stderr:/2; do
    [ -e "/dev/\${pair%:*}" ] || ln -s "/proc/self/fd\${pair#*:}" "/dev/\${pair%:*}"
done
mount --bind / target/images/debian
ip link set lo up
failed=
for test in $*; do
    echo "     Running \$test"
    # These are of newer kernels: the README's table, binfmt_misc in a user namespace (Linux 6.7),
    # user.* attributes on a tmpfs (6.6).
    setsid /suite/\$test --skip what_the_postures_give_up --skip binfmt_misc \
        --skip as_an_ordinary_user_and_with_maps </dev/null 2>&1 || failed="\$failed \$test"
done
[ -z "\$failed" ] || echo "failed:\$failed"
[ -z "\$failed" ]
EOF
cat >"$place/root/suite/init" <<'EOF'
#!/bin/bash
exec /suite/thimble init --exit-device semihosting /suite/begin
EOF
chmod 755 "$place/root/suite/begin" "$place/root/suite/init"
mke2fs -q -t ext4 -O ^has_journal -d "$place/root" "$place/disk" 2G

mkdir -p "$place/initramfs/root" "$place/initramfs/dev"
cp -R "$image/busybox" "$image/modules" "$place/initramfs"
cat >"$place/initramfs/init" <<'EOF'
#!/busybox sh
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk \
    overlay libcrc32c erofs squashfs binfmt_misc; do
    /busybox insmod /modules/$module.ko
done
/busybox mount -t devtmpfs dev /dev
/busybox mount -t ext4 /dev/vda /root
exec /busybox switch_root /root /suite/init
EOF
chmod 755 "$place/initramfs/init"
(cd "$place/initramfs" && find . | cpio -o -H newc -R 0:0 --quiet >"$place/initrd")
status=0
timeout 7200 qemu-system-aarch64 -M virt -cpu cortex-a57 -accel tcg,thread=multi -smp 2 -m 2G \
    -display none -no-reboot -net none -serial stdio -kernel "$image/vmlinuz" \
    -initrd "$place/initrd" -drive "file=$place/disk,format=raw,if=virtio,cache=unsafe" \
    -semihosting-config enable=on,target=native,userspace=on \
    -append "panic=-1 quiet console=ttyAMA0" </dev/null || status=$?
exit "$status"

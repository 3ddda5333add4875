//! Limits on every layout of cgroups, each in a virtual machine of its own: v2
//! alone, v1 alone, both, and none mounted, on x86_64 and on aarch64. The kernel is
//! Debian's, an older one than that of the machines this is otherwise tried on.
#![cfg(target_arch = "x86_64")]

mod common;
use common::machine::{Initramfs, Kind, TRY, Tried, tried};

use std::sync::OnceLock;

/// What is tried in each machine.
const TEST: &str = r#"
/bin/busybox --install -s /bin
mkdir /proc /sys /dev /etc
# Before anything is mounted.
case $layout in none)
    t rootfs /thimble run -m 16m /image sh -c 'a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done'
esac
echo root:x:0:0::/:/bin/sh >/etc/passwd; echo user:x:1000:1000::/:/bin/sh >>/etc/passwd
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
v1() { mkdir -p /sys/fs/cgroup/$1; mount -t cgroup -o $1 cgroup /sys/fs/cgroup/$1; }
case $(cat /proc/cmdline) in
*layout=v2*) mount -t cgroup2 -o nsdelegate cgroup /sys/fs/cgroup
    cd /sys/fs/cgroup; echo '+pids +memory +cpu +cpuset' >cgroup.subtree_control
    mkdir d; chown user d d/cgroup.procs d/cgroup.subtree_control; cd /;;
*layout=v1*) mount -t tmpfs cgroup /sys/fs/cgroup; for c in pids memory cpu cpuset; do v1 $c; done;;
*layout=hybrid*) mount -t tmpfs cgroup /sys/fs/cgroup; v1 memory; v1 cpuset
    mkdir /sys/fs/cgroup/unified; mount -t cgroup2 cgroup /sys/fs/cgroup/unified;;
*) v2() { mount -t cgroup2 -o nsdelegate cgroup /cgroup; "$@"; umount /cgroup; }; mkdir /cgroup; v2;;
esac
host() {
    cat /proc/self/mountinfo; find /sys/fs/cgroup -type d | sort
    ! [ -d /sys/fs/cgroup/d ] || cat /sys/fs/cgroup/d/cgroup.subtree_control
}
host > /before
run="/thimble run"
t status $run /image sh -c 'exit 7'
t check /thimble check
t posture $run /image sh -c 'id -u; grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status'
t pids $run --pids-limit 6 /image sh -c 'f() { sleep 1 & f; }; f; exit 9'
t memory $run -m 16m /image sh -c 'a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done'
t swap $run -m 64m --memory-swap 96m /image true
t cpuset $run --cpuset-cpus 1 /image grep Cpus_allowed_list /proc/self/status
# The kernel counts how often it has held a program back.
held() {
    $run $1 --name held /image sh -c '(sleep 2; kill $$) & while :; do :; done' &
    sleep 1
    $(command -v v2) find /cgroup /sys/fs/cgroup -path '*/held/cpu.stat' -exec grep nr_throttled {} + 2>&-
    wait $!
}
t free held --cpus=9
t held held --cpus=0.1
t shown $run -m 64m --cpus 0.5 --cpu-shares 512 --pids-limit 7 /image sh -c \
    'cd /sys/fs/cgroup; grep . memory.max cpu.max cpu.weight pids.max; touch x'
t left $run --pid host --pids-limit -1 /image sh -c 'sleep 1000 & sleep 1000 & exit 4'
sleeping() { ps | grep '[s]leep 1000'; }
t sleeping sleeping
# An ordinary user, alone in a cgroup of his own.
u() {
    t "user $1" sh -c "echo \$\$ >/sys/fs/cgroup/d/cgroup.procs; exec su user -c 'exec $run $2'"
}
if [ -d /sys/fs/cgroup/d ]; then
    u status '--pids-limit 9 /image sh -c "exit 7"'
    u pids '--pids-limit 6 /image sh -c "f() { sleep 1 & f; }; f; exit 9"'
    u memory '-m 16m /image sh -c "a=xxxxxxxxxxxxxxxx; while :; do a=\$a\$a; done"'
    u swap '-m 64m --memory-swap 96m /image true'
    u cpuset '--cpuset-cpus 1 /image grep Cpus_allowed_list /proc/self/status'
    u held '--cpus 0.1 /image sh -c "until grep nr_throttled.[1-9] /sys/fs/cgroup/cpu.stat; do :; done" >/dev/null'
    u shown '-m 64m --cpus 0.5 --cpu-shares 512 --pids-limit 7 /image sh -c "cd /sys/fs/cgroup
        grep . memory.max cpu.max cpu.weight pids.max; touch x; echo 9 >pids.max"'
    u raised '--privileged --pids-limit 7 /image sh -c "mount -t cgroup2 cgroup /tmp
        echo 9 >/tmp/pids.max; cat /tmp/pids.max"'
    t "user check" sh -c "echo \$\$ >/sys/fs/cgroup/d/cgroup.procs; exec su user -c 'exec /thimble check'"
    t "others check" su user -c '/thimble check'
    t "user others" su user -c "$run --pids-limit 9 /image true"
fi
case $(cat /proc/cmdline) in *layout=none*)
    t delegate $run --privileged --pids-limit 9 /image sh -c \
        'mount -t cgroup2 cgroup /tmp; grep -o nsdelegate /proc/self/mountinfo'
esac
host > /after
umount /proc
t noproc $run -m 16m /image sh -c 'a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done'
t empty ls /proc
t unchanged cmp /before /after
poweroff -f
"#;

/// The kinds of machines, and the initramfs of each.
fn kinds() -> &'static [(Kind, Initramfs)] {
    static KINDS: OnceLock<Vec<(Kind, Initramfs)>> = OnceLock::new();
    let made = |kind| {
        let initramfs = Initramfs::new(kind);
        initramfs.add("init", format!("#!/bin/busybox sh\n{TRY}{TEST}"));
        (kind, initramfs.pack())
    };
    KINDS.get_or_init(|| [Kind::X86_64, Kind::Aarch64].map(made).into())
}

/// Boots a machine of each kind with this layout; what was tried in each is for the test to look
/// at.
fn booted(layout: &str, test: fn(&Tried)) {
    for (kind, initramfs) in kinds() {
        let console = initramfs.boot(&format!("{} layout={layout}", kind.console()), &[]).out;
        println!("{kind:?}: {console}");
        let found = tried(&console);
        assert_eq!(found.get("unchanged"), Some(&(0, String::new())), "{layout}");
        limits_hold(&found);
        test(&found);
    }
}

/// What `check` says of two controllers, where a default run works.
fn checks(found: &Tried, name: &str, pids: &str, memory: &str) {
    let (status, said) = &found[name];
    assert!(*status == 0 && said.contains("default run       yes\n"), "{name}: {said}");
    for line in [format!("\ncgroup pids       {pids}"), format!("\ncgroup memory     {memory}")] {
        assert!(said.contains(&line), "{name}: {said}");
    }
}

/// Every limit bites.
fn limits_hold(found: &Tried) {
    let get = |name: &str| (found[name].0, found[name].1.as_str());
    assert_eq!(get("status"), (7, ""));
    assert_eq!(get("posture"), (0, "0\nCapEff:\t00000000800405fb\nNoNewPrivs:\t1\nSeccomp:\t2\n"));
    let (status, printed) = get("pids");
    assert!(status != 0 && printed.contains("can't fork"), "{printed}");
    assert_eq!(get("memory"), (137, "thimble: the program used up its memory and was killed\n"));
    assert_eq!(get("swap"), (0, ""));
    assert_eq!(get("cpuset"), (0, "Cpus_allowed_list:\t1\n"));
    let (free, held) = (get("free"), get("held"));
    assert_eq!(free, (143, "nr_throttled 0\n"));
    assert!(held.0 == 143 && held.1.starts_with("nr_throttled ") && held != free, "{held:?}");
    assert_eq!(get("left"), (4, ""));
    assert_eq!(get("sleeping"), (1, ""), "nothing is left running");
}

#[test]
fn limits_hold_on_cgroup_v2_alone_and_it_is_shown_inside() {
    booted("v2", |found| {
        let get = |name: &str| (found[name].0, found[name].1.as_str());
        let shown = "memory.max:67108864\ncpu.max:50000 100000\ncpu.weight:20\npids.max:7\n\
            touch: x: Read-only file system\n";
        assert_eq!(get("shown"), (1, shown));
        checks(found, "check", "v2\n", "v2\n");
        checks(found, "user check", "v2\n", "v2\n");
        checks(found, "others check", "no: EACCES: ", "no: EACCES: ");
        assert_eq!(get("user status"), (7, ""));
        let (status, printed) = get("user pids");
        assert!(status != 0 && printed.contains("can't fork"), "{printed}");
        let killed = "thimble: the program used up its memory and was killed\n";
        assert_eq!(get("user memory"), (137, killed));
        assert_eq!(get("user swap"), (0, ""));
        assert_eq!(get("user cpuset"), (0, "Cpus_allowed_list:\t1\n"));
        assert_eq!(get("user held"), (0, ""));
        let shown = format!("{shown}sh: can't create pids.max: Read-only file system\n");
        assert_eq!(get("user shown"), (1, shown.as_str()));
        // Whose cgroup it is inside is his own outside; nsdelegate is what keeps him to it.
        let raised = "sh: write error: Operation not permitted\n7\n";
        assert_eq!(get("user raised"), (0, raised));
        let (status, printed) = get("user others");
        assert!(status == 125 && printed.contains("EACCES"), "{printed}");
    });
}

#[test]
fn limits_hold_on_cgroup_v1_alone() {
    booted("v1", |found| {
        checks(found, "check", "v1\n", "v1\n");
    });
}

#[test]
fn limits_hold_where_some_controllers_are_of_v1_and_some_of_v2() {
    booted("hybrid", |found| {
        checks(found, "check", "v2\n", "v1\n");
    });
}

#[test]
fn limits_hold_where_no_cgroup_is_mounted_nor_proc_and_the_host_keeps_its_options() {
    booted("none", |found| {
        let killed = "thimble: the program used up its memory and was killed\n";
        checks(found, "check", "v2\n", "v2\n");
        for name in ["rootfs", "noproc"] {
            assert_eq!(found[name], (137, killed.to_string()), "{name}");
        }
        assert_eq!(found["empty"], (0, String::new()));
        assert_eq!(found["delegate"], (0, "nsdelegate\n".to_string()));
    });
}

//! Limits on every layout of cgroups, each in a virtual machine of its own: v2
//! alone, v1 alone, both, and none mounted. The kernel is Debian's, an older one
//! than that of the machines this is otherwise tried on.
#![cfg(target_arch = "x86_64")]

mod common;
use common::machine::{Initramfs, TRY, Tried, tried};

use std::sync::OnceLock;

/// What is tried in each machine.
const TEST: &str = r#"
/bin/busybox --install -s /bin
mkdir /proc /sys /dev /etc
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
v1() { mkdir -p /sys/fs/cgroup/$1; mount -t cgroup -o $1 cgroup /sys/fs/cgroup/$1; }
case $(cat /proc/cmdline) in
*layout=v2*) mount -t cgroup2 cgroup /sys/fs/cgroup;;
*layout=v1*) mount -t tmpfs cgroup /sys/fs/cgroup; for c in pids memory cpu cpuset; do v1 $c; done;;
*layout=hybrid*) mount -t tmpfs cgroup /sys/fs/cgroup; v1 memory; v1 cpuset
    mkdir /sys/fs/cgroup/unified; mount -t cgroup2 cgroup /sys/fs/cgroup/unified;;
esac
host() { cat /proc/self/mountinfo; find /sys/fs/cgroup -type d | sort; }
host > /before
run="/thimble run"
t status $run /image sh -c 'exit 7'
t posture $run /image sh -c 'id -u; grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status'
t pids $run --pids-limit 6 /image sh -c 'f() { sleep 1 & f; }; f; exit 9'
t memory $run -m 16m /image sh -c 'a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done'
t swap $run -m 64m --memory-swap 96m /image true
t cpuset $run --cpuset-cpus 1 /image grep Cpus_allowed_list /proc/self/status
# The kernel counts how often it has held a program back.
held() {
    $run $1 --name held /image sh -c '(sleep 2; kill $$) & while :; do :; done' &
    sleep 1
    find /sys/fs/cgroup -path '*/held/cpu.stat' -exec grep nr_throttled {} +
    wait $!
}
t free held --cpus=9
t held held --cpus=0.1
t shown $run -m 64m --cpus 0.5 --cpu-shares 512 --pids-limit 7 /image sh -c \
    'cd /sys/fs/cgroup; grep . memory.max cpu.max cpu.weight pids.max; touch x'
t left $run --pid host --pids-limit -1 /image sh -c 'sleep 1000 & sleep 1000 & exit 4'
sleeping() { ps | grep '[s]leep 1000'; }
t sleeping sleeping
host > /after
t unchanged cmp /before /after
poweroff -f
"#;

fn boot(layout: &str) -> Tried {
    static INITRAMFS: OnceLock<Initramfs> = OnceLock::new();
    let initramfs = INITRAMFS.get_or_init(|| {
        let initramfs = Initramfs::new();
        initramfs.add("init", format!("#!/bin/busybox sh\n{TRY}{TEST}"));
        initramfs.pack()
    });
    let console = initramfs.boot(&format!("console=ttyS0 layout={layout}"), &[]).out;
    let found = tried(&console);
    assert_eq!(found.get("unchanged"), Some(&(0, String::new())), "{layout}: {console}");
    found
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
    let found = boot("v2");
    limits_hold(&found);
    let shown = "memory.max:67108864\ncpu.max:50000 100000\ncpu.weight:20\npids.max:7\n\
        touch: x: Read-only file system\n";
    assert_eq!(found["shown"], (1, shown.to_string()));
}

#[test]
fn limits_hold_on_cgroup_v1_alone() {
    limits_hold(&boot("v1"));
}

#[test]
fn limits_hold_where_some_controllers_are_of_v1_and_some_of_v2() {
    limits_hold(&boot("hybrid"));
}

#[test]
fn where_no_cgroup_is_mounted_a_limit_is_refused_and_all_else_works() {
    let found = boot("none");
    assert_eq!(found["status"], (7, String::new()));
    for (name, controller) in
        [("pids", "pids"), ("memory", "memory"), ("cpuset", "cpuset"), ("held", "cpu")]
    {
        let lines = format!(
            "thimble: find the cgroup controller {controller}: ENOENT: No such file or directory\n\
             thimble: hint: no cgroup file system that is mounted here has it: see /proc/cgroups\n"
        );
        assert_eq!(found[name], (125, lines));
    }
}

//! An initramfs, where nothing else runs: its root cannot be pivoted away, and
//! nothing is mounted unless somebody does it.
#![cfg(target_arch = "x86_64")]

mod common;
use common::machine::{Initramfs, Kind, TRY, Tried, tried};
use common::*;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The ways into a root.
const WAYS: [&str; 4] = ["", "--no-pivot", "--bare", "--bare --no-pivot"];

/// Everything once with nothing mounted and once with all that there is.
const ROOT: &str = r#"
/bin/busybox --install -s /bin
echo "the host's" > /mark
mkdir /host /proc /sys /dev /image/mnt /image/opt
ways() {
    t "$1 check" /thimble check
    for way in "" "--no-pivot" "--bare" "--bare --no-pivot"; do
        t "$1 status $way" /thimble run $way /image sh -c 'exit 7'
        t "$1 mounts $way" /thimble run $way /image cut -d ' ' -f 4-5 /proc/self/mountinfo
        t "$1 chroots $way" /thimble run $way /image probe chroots /mark
        t "$1 unmounts $way" /thimble run $way /image probe unmounts /mark
        t "$1 control $way" env THIMBLE_LEAVE_OUT="over /,pivot" /without run $way /image probe chroots /mark
    done
    t "$1 self" /thimble run -v /image:/host / ls -1 /host
    t "$1 self bare" /thimble run --bare / ls -1 /image
    t "$1 volume" /thimble run --read-only -v /image/bin:/opt:ro --tmpfs /mnt /image touch /opt/x /mnt/x
    t "$1 closed" sh -c '/thimble run /image true <&- >&- 2>&-'
    t "$1 article" /thimble run --bare --hostname my-container /image sh -c 'read h </proc/sys/kernel/hostname; echo $h; ps -o pid,comm; :'
}
ways bare
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir /dev/pts; mount -t devpts pts /dev/pts
mount -t cgroup2 cgroup /sys/fs/cgroup
cat /proc/self/mountinfo > /before
ways full
t article-pids /thimble run --bare --verbose --name container --hostname my-container --pids-limit 5 /image \
    sh -c 'f() { sleep 1 & f; }; f'
rmdir /image/tmp/below
t rootless /thimble run --userns private --uidmap 0:100000:1000 /image id -u
t rootless-chroots /thimble run --userns private --uidmap 0:100000:1000 /image probe chroots /mark
cat /proc/self/mountinfo > /after
t unchanged cmp /before /after
poweroff -f
"#;

/// What a machine of this kind says to all that.
fn root(tried: &Tried, mounted: &str) {
    let get = |name: &str| match tried.get(name) {
        Some((status, printed)) => (*status, printed.as_str()),
        None => panic!("{name}: {tried:?}"),
    };
    for way in WAYS {
        let get = |name: &str| get(&format!("{mounted} {name} {way}"));
        assert_eq!(get("status"), (7, ""), "{way}");
        let (status, said) = tried[&format!("{mounted} check")].clone();
        assert!(status == 0 && said.contains("pivot_root        no: EINVAL"), "{said}");
        let (status, mounts) = get("mounts");
        // Only what thimble mounted, and the image.
        let own = |line: &str| {
            let point = line.split_once(' ').unwrap().1;
            line == "/image /"
                || ["/proc", "/sys", "/dev"].contains(&point)
                || ["/proc/", "/sys/", "/dev/"].iter().any(|place| point.starts_with(place))
        };
        assert!(status == 0 && mounts.lines().all(own), "{way}: {mounts}");
        assert_eq!(mounts.lines().count() > 2, !way.contains("--bare"), "{way}: {mounts}");
        assert_eq!(get("chroots"), (1, "/mark: No such file or directory\n"), "{way}");
        assert_eq!(
            get("control"),
            (0, ""),
            "{way}: the probe finds the way out where there is one"
        );
        let why =
            if way.contains("--bare") { "/mark: No such file or directory\n" } else { "umount2" };
        let (status, printed) = get("unmounts");
        assert!(status == 1 && printed.contains(why), "{way}: {printed}");
    }
    let get = |name: &str| get(&format!("{mounted} {name}"));
    let image = "bin\ndev\netc\nmnt\nopt\nproc\nroot\nsys\ntmp\n";
    for (name, want) in [
        ("self", image),
        ("self bare", image),
        ("article", "my-container\nPID   COMMAND\n    1 thimble\n    2 sh\n    3 ps\n"),
    ] {
        assert_eq!(get(name), (0, want));
    }
    // A descriptor that is closed becomes /dev/null, which has to be there.
    assert_eq!(get("closed"), (if mounted == "bare" { 125 } else { 0 }, ""));
    assert_eq!(get("volume"), (1, "touch: /opt/x: Read-only file system\n"));
}

fn containers(kind: Kind) {
    let initramfs = Initramfs::new(kind);
    initramfs.add("init", format!("#!/bin/busybox sh\n{TRY}{ROOT}"));
    initramfs.add("image/bin/probe", std::fs::read(kind.probe()).unwrap());
    initramfs.add("without", std::fs::read(kind.thimble_without()).unwrap());
    let console = initramfs.pack().boot(kind.console(), &[]).out;
    println!("{console}");
    let found = tried(&console);
    root(&found, "bare");
    root(&found, "full");
    for (name, status, printed) in [
        ("rootless", 0, "0\n"),
        ("rootless-chroots", 1, "/mark: No such file or directory\n"),
        ("unchanged", 0, ""),
    ] {
        assert_eq!(found[name], (status, printed.to_string()), "{name}");
    }
    let (status, told) = &found["article-pids"];
    assert!(*status != 0 && told.contains("sh: can't fork"), "{told}");
    for line in ["thimble: parent pid: ", "thimble: child pid: 1\n", "thimble: chroot /image\n"] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn a_container_runs_in_an_initramfs_and_has_no_way_out() {
    containers(Kind::X86_64);
}

#[test]
fn a_container_runs_in_an_initramfs_on_aarch64() {
    containers(Kind::Aarch64);
}

/// The modules for a virtio port, in the order in which they need each other.
const PORT: [&str; 6] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_console",
];

/// `--modules` for them.
fn modules() -> String {
    PORT.map(|name| format!("--modules=/modules/{name}.ko")).join(" ")
}

/// A status that is typed, between two marks: a machine that goes on may lose what comes first.
const STATUS: &str = r#"echo "which?"
while read line; do
    case $line in *=*\;) line=${line#*=}; exit ${line%;} ;; esac
done
"#;

/// An initramfs with nothing mounted and not one directory for it.
fn packed(kind: Kind) -> Initramfs {
    let initramfs = Initramfs::new(kind);
    initramfs.add("status", STATUS);
    for module in PORT.iter().chain(&["overlay"]) {
        let name = format!("modules/{module}.ko");
        initramfs.add(&name, std::fs::read(kind.image().join(&name)).unwrap());
    }
    initramfs.pack()
}

/// And for the device by which a program ends the machine on aarch64.
const SEMIHOSTING: [&str; 2] = ["-semihosting-config", "enable=on,target=native,userspace=on"];

/// QEMU's words for a port that is a file next to the initramfs.
const RESULT_PORT: [&str; 6] = [
    "-device",
    "virtio-serial",
    "-chardev",
    "file,id=r,path=port",
    "-device",
    "virtserialport,chardev=r,name=result",
];

/// The console's lines from thimble's on, when the kernel has said nothing between them.
fn lines(console: &str) -> String {
    let own = |line: &&str| !line.starts_with('[') && !line.contains('\x1b') && !line.is_empty();
    let lines = console.lines().filter(own).filter(|line| !line.starts_with("Booting from"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn result(status: i32, signal: i32) -> String {
    format!("thimble-result: exit={status} signal={signal}\n")
}

fn ends(kind: Kind) {
    let initramfs = packed(kind);
    // What QEMU is told besides, what the kernel is, and then what the console says, and
    // QEMU's own status.
    let isa: &[&str] = &["-device", "isa-debug-exit"];
    let x86 = kind == Kind::X86_64;
    let (device, option) = if x86 {
        (isa, "--exit-device=isa-debug-exit")
    } else {
        (&SEMIHOSTING[..], "--exit-device=semihosting")
    };
    // The first has seven bits, the second all.
    let status = |status: i32| if x86 { status.min(127) * 2 + 1 } else { status };
    for (words, told, exit) in [
        (format!("init {option} true"), result(0, 0), status(0)),
        (
            format!("init {option} sh -c \"echo well; exit 3\""),
            format!("well\n{}", result(3, 0)),
            status(3),
        ),
        (format!("init {option} sh -c \"kill -9 $$\""), result(137, 9), status(137)),
        // What it has written is still on its way as it ends.
        (
            format!("init {option} busybox seq 600"),
            (1..=600).map(|n| format!("{n}\n")).collect::<String>() + &result(0, 0),
            status(0),
        ),
        (format!("init {option} --timeout 1 sleep 1000"), result(124, 15), status(124)),
        (
            format!("init {option} missing"),
            format!(
                "thimble: execute missing: ENOENT: No such file or directory\n{}",
                result(127, 0)
            ),
            status(127),
        ),
    ] {
        if !x86 && !words.contains("kill") {
            continue; // its machine is a slow one
        }
        let ran = initramfs.boot(&format!("{} rdinit=/thimble -- {words}", kind.console()), device);
        assert_eq!((lines(&ran.out), ran.status), (told, Some(exit)), "{words}");
    }
    // Without such a device the power goes off, and the port has the line.
    let words = format!(
        "{} rdinit=/thimble -- init {option} {} sh -c \"exit 5\"",
        kind.console(),
        modules()
    );
    let ran = initramfs.boot(&words, &RESULT_PORT);
    assert_eq!((lines(&ran.out), ran.status), (result(5, 0), Some(0)));
    assert_eq!(initramfs.written("port"), result(5, 0));
}

#[test]
fn init_tells_its_result_by_line_by_port_and_by_exit_device() {
    ends(Kind::X86_64);
}

#[test]
fn init_tells_its_result_on_aarch64() {
    ends(Kind::Aarch64);
}

/// Every status, of one machine that is booted once and kept where it reads which.
fn every_status(kind: Kind) {
    let initramfs = packed(kind);
    let x86 = kind == Kind::X86_64;
    let (device, option): (&[&str], _) = if x86 {
        (&["-m", "128M", "-smp", "1", "-device", "isa-debug-exit"], "isa-debug-exit")
    } else {
        (&["-m", "128M", "-smp", "1", SEMIHOSTING[0], SEMIHOSTING[1]], "semihosting")
    };
    let words =
        format!("{} rdinit=/thimble -- init --exit-device {option} sh /status", kind.console());
    let _alone = machine::alone();
    initramfs.suspend(&words, device, "which?");
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let one = || {
        while let status @ 0..256 = next.fetch_add(1, Ordering::Relaxed) as i32 {
            let ran = initramfs.resume(&words, device, &format!("\n\n\n={status};\n"));
            let exit = if x86 { status.min(127) * 2 + 1 } else { status };
            let (_, line) = ran.out.rsplit_once(";\n").unwrap_or_default();
            if (line, ran.status) != (&format!("\n{}", result(status, 0)), Some(exit)) {
                wrong.lock().unwrap().push((status, ran));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(one);
        one();
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_status_is_told_by_line_and_by_exit_device() {
    every_status(Kind::X86_64);
}

#[test]
fn every_status_is_told_on_aarch64() {
    every_status(Kind::Aarch64);
}

#[test]
fn init_ends_the_machine_whatever_happens() {
    let initramfs = packed(Kind::X86_64);
    let modules = modules();
    for (words, told) in [
        // The frame around a run, and a default container of the initramfs itself.
        ("-- run / sh -c \"echo $$; exit 3\"", format!("2\n{}", result(3, 0))),
        (
            "-- run --bare --hostname my-container /image sh -c \"hostname; kill -9 $$\"",
            format!("my-container\n{}", result(137, 0)),
        ),
        // All of thimble is killed, by its own program, but pid 1, which cannot be.
        (
            "-- run --pid host --pids-limit -1 / sh -c \"/bin/busybox killall -9 thimble; sleep 99\"",
            result(137, 9),
        ),
        ("-- init --bogus", format!("thimble: unknown option --bogus\n{}", result(125, 0))),
        ("", format!("thimble: command: is missing, see thimble --help\n{}", result(125, 0))),
        (
            "-- init --at-end=reboot --modules /modules/overlay.ko /thimble run -x /image touch /new",
            result(0, 0),
        ),
        (
            "-- init --modules /thimble true",
            format!(
                "thimble: load the module /thimble: EOPNOTSUPP: Operation not supported\n{}",
                result(125, 0)
            ),
        ),
    ] {
        let ran = initramfs.boot(&format!("console=ttyS0 rdinit=/thimble {words}"), &[]);
        assert_eq!((lines(&ran.out), ran.status), (told, Some(0)), "{words}");
    }
    // No console at all.
    let words = format!("console=ttyS7 rdinit=/thimble -- init {modules} sh -c \"exit 9\"");
    let ran = initramfs.boot(&words, &[&RESULT_PORT[..], &["-serial", "none"]].concat());
    assert_eq!((ran.out.as_str(), ran.status), ("", Some(0)));
    assert_eq!(initramfs.written("port"), result(9, 0));
}

#[test]
fn a_panic_of_pid_1_ends_the_machine_and_no_kernel() {
    let initramfs = Initramfs::bare(Kind::X86_64);
    initramfs.add("without", std::fs::read(thimble_without()).unwrap());
    let initramfs = initramfs.pack();
    let words = "console=ttyS0 rdinit=/without THIMBLE_LEAVE_OUT=panic -- init /thimble --version";
    let ran = initramfs.boot(words, &[]);
    assert_eq!((lines(&ran.out), ran.status), (result(125, 0), Some(0)));
    assert!(ran.out.contains("reboot: Power down"), "{}", ran.out);
    // And without the panic, with not one file but thimble.
    let words = "console=ttyS0 rdinit=/thimble -- init /thimble --version";
    let ran = initramfs.boot(words, &[]);
    let version = format!("thimble {}\n{}", env!("CARGO_PKG_VERSION"), result(0, 0));
    assert_eq!((lines(&ran.out), ran.status), (version, Some(0)));
}

//! An initramfs, where nothing else runs: its root cannot be pivoted away, and
//! nothing is mounted unless somebody does it.
#![cfg(target_arch = "x86_64")]

mod common;
use common::machine::{Initramfs, TRY, Tried, tried};
use common::*;

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
t rootless /thimble run --userns private --uidmap 0:100000:1000 /image id -u
rmdir /image/tmp/below
t rootless-chroots /thimble run --userns private --uidmap 0:100000:1000 /image probe chroots /mark
cat /proc/self/mountinfo > /after
t unchanged cmp /before /after
poweroff -f
"#;

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

#[test]
fn a_container_runs_in_an_initramfs_and_has_no_way_out() {
    let initramfs = Initramfs::new();
    initramfs.add("init", format!("#!/bin/busybox sh\n{TRY}{ROOT}"));
    initramfs.add("image/bin/probe", std::fs::read(probe()).unwrap());
    initramfs.add("without", std::fs::read(thimble_without()).unwrap());
    let console = initramfs.pack().boot("console=ttyS0", &[]).out;
    let found = tried(&console);
    println!("{console}");
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

//! Root file systems: three real ones, and how the root is entered.

mod common;
use common::*;

use std::path::Path;
use std::process::Command;

fn debian_sh(script: &str) -> String {
    let root = debian();
    run(&["run", root.to_str().unwrap(), "/bin/sh", "-c", script]).good()
}

#[test]
fn busybox_runs() {
    let out =
        sh(&[], "busybox | head -n 1; echo a b c | tr ' ' '\\n' | sort -r | head -n 1").good();
    assert!(out.starts_with("BusyBox v"), "{out}");
    assert!(out.ends_with("\nc\n"), "{out}");
}

#[test]
fn debian_runs_apt_dpkg_and_pipes() {
    let out = debian_sh("apt-get --version | head -n 1");
    assert!(out.starts_with("apt "), "{out}");
    let out = debian_sh("dpkg -l | grep -c '^ii'");
    assert!(out.trim().parse::<u32>().unwrap() > 50, "{out}");
    let script =
        "seq 1 1000 | grep 7 | sed s/7/x/ | sort | uniq | wc -l; perl -e 'print 6*7, qq(\\n)'";
    assert_eq!(debian_sh(script), "271\n42\n");
    assert_eq!(
        debian_sh("cat /etc/debian_version"),
        std::fs::read_to_string(debian().join("etc/debian_version")).unwrap()
    );
}

#[test]
fn the_hosts_own_root_runs() {
    let script = "cat /etc/os-release; set -- /proc/[0-9]*; echo $#";
    let out = run(&[&["run"], OF_THE_HOST, &["/", "/bin/sh", "-c", script]].concat());
    let host = std::fs::read_to_string("/etc/os-release").unwrap();
    assert_eq!(out.good(), format!("{host}2\n"), "pid 1 and sh are all that runs");
}

#[test]
fn a_relative_root_and_one_behind_a_link_are_found() {
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(busybox(), place.path().join("link")).unwrap();
    for root in ["link", "./link"] {
        let output = command(thimble(), &["run", root, "ls", "/bin/busybox"])
            .current_dir(place.path())
            .output();
        assert_eq!(Ran::of(output.unwrap()).good(), "/bin/busybox\n");
    }
}

#[test]
fn a_root_that_the_caller_has_open_is_found_by_its_descriptor() {
    let (root, program) = (busybox(), thimble());
    let script = format!(
        "exec 7<{} && {} run /proc/self/fd/7 ls /bin/busybox",
        root.display(),
        program.display()
    );
    assert_eq!(Ran::of(command("sh", &["-c", &script]).output().unwrap()).good(), "/bin/busybox\n");
}

#[test]
fn what_is_mounted_below_the_root_comes_along_and_is_restricted_too() {
    let (root, program) = (own_root(), thimble());
    let path = root.path().display();
    let script = format!(
        "mount -t tmpfs none {path}/tmp && echo deep > {path}/tmp/file && mknod {path}/tmp/null c 1 3 && \
         {} run {path}/ sh -c 'cat /tmp/file; grep \" /tmp \" /proc/self/mountinfo; cat /tmp/null'",
        program.display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    assert!(
        ran.out.starts_with("deep\n") && ran.out.contains(" /tmp rw,nosuid,nodev,relatime"),
        "{ran:?}"
    );
    assert_eq!(ran.err, "cat: can't open '/tmp/null': Permission denied\n");
}

#[test]
fn the_root_has_no_way_back_with_pivot_root_and_without() {
    for options in [
        &["--bare"][..],
        &["--bare", "--no-pivot"],
        &[],
        &["--no-pivot"],
        &["-x"],
        &["--bare", "-x"],
    ] {
        let out = sh(
            options,
            "ls -d /.. /../.. /proc/1/cwd/.. >/dev/null; cd /; cd ../../..; ls | tr '\\n' ' '",
        )
        .out;
        assert!(out.contains("bin dev etc proc"), "{options:?}: {out}");
        assert!(!Path::new("/").join(out.trim()).exists());
        let points = sh(
            options,
            "while read -r _ _ _ _ point _; do echo $point; done < /proc/self/mountinfo",
        )
        .good();
        if !options.contains(&"--no-pivot") {
            // Only what thimble mounted, and no mount of the host's.
            let own = |point: &str| {
                ["/", "/proc", "/sys", "/dev"].contains(&point)
                    || ["/proc/", "/sys/", "/dev/"].iter().any(|place| point.starts_with(place))
            };
            assert!(points.lines().all(own), "{options:?}: {points}");
            assert_eq!(points.lines().count() > 2, !options.contains(&"--bare"));
        }
    }
}

#[test]
fn proc_is_fresh_and_neither_set_uid_nor_devices_nor_programs_count_in_it() {
    let out = sh(&[], "grep ' /proc ' /proc/self/mountinfo").good();
    assert!(out.contains(" /proc rw,nosuid,nodev,noexec,relatime - proc proc rw"), "{out}");
}

#[test]
fn the_mounts_of_a_default_container_are_these() {
    let out = sh(&[], "cut -d' ' -f5- /proc/self/mountinfo").good();
    let mut got: Vec<String> = out
        .lines()
        .map(|line| {
            let (left, right) = line.split_once(" - ").unwrap();
            let (right, _) = right.split_once(' ').unwrap();
            format!("{} {right}", left.trim_end())
        })
        .collect();
    got.sort();
    let files = [
        "kcore",
        "keys",
        "latency_stats",
        "timer_list",
        "timer_stats",
        "sched_debug",
        "interrupts",
    ];
    let directories = ["acpi", "asound", "scsi"];
    let read_only = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
    let inert = "ro,nosuid,nodev,noexec,relatime";
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(busybox()).output().unwrap();
    let kind = String::from_utf8(kind.stdout).unwrap().trim().replace("ext2/ext3", "ext4");
    let mut want = vec![
        format!("/ rw,nosuid,nodev,relatime {kind}"),
        "/proc rw,nosuid,nodev,noexec,relatime proc".into(),
        format!("/sys {inert} sysfs"),
        "/dev rw,nosuid,relatime tmpfs".into(),
        "/dev/pts rw,nosuid,noexec,relatime devpts".into(),
        "/dev/shm rw,nosuid,nodev,noexec,relatime tmpfs".into(),
        "/dev/mqueue rw,nosuid,nodev,noexec,relatime mqueue".into(),
    ];
    let proc = |name: &&str| Path::new("/proc").join(name).exists();
    want.extend(
        files
            .iter()
            .chain(&directories)
            .filter(|name| proc(name))
            .map(|name| format!("/proc/{name} {inert} tmpfs")),
    );
    want.extend(
        read_only.iter().filter(|name| proc(name)).map(|name| format!("/proc/{name} {inert} proc")),
    );
    let sys = ["firmware", "devices/virtual/powercap"];
    want.extend(
        sys.iter()
            .filter(|name| Path::new("/sys").join(name).exists())
            .map(|name| format!("/sys/{name} {inert} tmpfs")),
    );
    want.sort();
    assert_eq!(got, want);
}

#[test]
fn dev_has_these_entries_and_they_are_what_they_should_be() {
    let out = sh(&[], "cd /dev; stat -c '%n %F %t,%T %a %u %g' * | sort").good();
    let character = "character special file";
    let want = [
        "fd symbolic link 0,0 777 0 0".to_string(),
        format!("full {character} 1,7 666 0 0"),
        "mqueue directory 0,0 1777 0 0".into(),
        format!("null {character} 1,3 666 0 0"),
        "ptmx symbolic link 0,0 777 0 0".into(),
        "pts directory 0,0 755 0 0".into(),
        format!("random {character} 1,8 666 0 0"),
        "shm directory 0,0 1777 0 0".into(),
        "stderr symbolic link 0,0 777 0 0".into(),
        "stdin symbolic link 0,0 777 0 0".into(),
        "stdout symbolic link 0,0 777 0 0".into(),
        format!("tty {character} 5,0 666 0 0"),
        format!("urandom {character} 1,9 666 0 0"),
        format!("zero {character} 1,5 666 0 0"),
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), want);
    assert_eq!(
        sh(&[], "head -c 3 /dev/zero | wc -c; echo x > /dev/null; echo y > /dev/stdout").good(),
        "3\ny\n"
    );
    let ran = sh(&[], "echo x > /dev/full");
    assert!(ran.err.contains("No space left on device"), "{ran:?}");
    // A pseudo-terminal of the container's own can be opened.
    assert_eq!(sh(&[], "exec 3<>/dev/ptmx && ls /dev/pts | tr '\\n' ' '").good(), "0 ptmx ");
    // And 64 MiB of shared memory, no more.
    let ran =
        sh(&[], "dd if=/dev/zero of=/dev/shm/x bs=1M count=65 2>/dev/null; stat -c %s /dev/shm/x");
    assert_eq!(ran.out, "67108864\n");
}

#[test]
fn dev_shm_holds_what_was_asked_for() {
    let script =
        "dd if=/dev/zero of=/dev/shm/x bs=4k count=1000 2>/dev/null; stat -c %s /dev/shm/x";
    for (size, want) in
        [("64k", 65_536), ("8192", 8_192), ("8192b", 8_192), ("1M", 1 << 20), ("1g", 4_096_000)]
    {
        let ran = sh(&["--shm-size", size], script);
        assert_eq!(ran.good(), format!("{want}\n"), "{size}");
    }
    // Larger than the machine is no error, and no limit of tmpfs's own is lost by it.
    let out = sh(&["--shm-size=9223372036854775807"], "stat -f -c '%b %s' /dev/shm").good();
    let blocks: Vec<u64> = out.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(blocks[0], (1 << 63) / blocks[1]);
}

#[test]
fn of_cgroup_v2_the_container_sees_its_own_read_only_and_the_hosts_options_stay() {
    // A host with cgroup v2 in the usual place, where thimble's cgroup v1 is found too; by binds,
    // for a new mount of cgroup2 would change the host's options. The container runs in a cgroup
    // of v2 that the shell has made.
    let unified = mounts()
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .map(|line| line.split(' ').nth(4).unwrap().to_string())
        .expect("this host has no cgroup v2");
    let (name, pids) = (unique_name(), cgroup_v1("pids").display().to_string());
    let (own, place) = (format!("{unified}/{name}"), tempfile::tempdir().unwrap());
    let options = || mounts().lines().filter(|line| line.contains("cgroup")).count();
    let look = "grep \" /sys/fs/cgroup \" /proc/self/mountinfo | cut -d\" \" -f4-8; \
        grep -c \" /sys/fs/cgroup\" /proc/self/mountinfo; \
        ls /sys/fs/cgroup | grep -x -e cgroup.procs -e pids -e below; \
        mkdir /sys/fs/cgroup/x; echo 0 > /sys/fs/cgroup/cgroup.procs";
    let before = (options(), mounts());
    let run = |options: &str| {
        let script = format!(
            "set -e; mkdir -p {own}/below {own}/pids; mount --bind {pids} {pids_copy}; \
             mount --bind {own} /sys/fs/cgroup; mount --bind {pids_copy} /sys/fs/cgroup/pids; \
             echo $$ > /sys/fs/cgroup/below/cgroup.procs; \
             {} run --pids-limit 9 {options} {} sh -c '{look}'",
            thimble().display(),
            busybox().display(),
            pids_copy = place.path().display(),
        );
        let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
        for made in ["below", "pids", ""] {
            let _ = std::fs::remove_dir(Path::new(&own).join(made));
        }
        ran
    };
    let (shown, refused) = (run(""), run("--privileged"));
    let none = [run("--cgroupns host"), run("--bare")];
    assert_eq!((options(), mounts()), before);
    assert!(!Path::new(&own).exists());
    for ran in [shown, refused] {
        // The root of the mount is the container's own cgroup: nothing of `below` above it.
        let want = "/ /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2\n1\ncgroup.procs\n";
        assert_eq!(ran.out, want, "{ran:?}");
        assert_eq!(ran.err.matches("Read-only file system").count(), 2, "{ran:?}");
    }
    for ran in none {
        assert!(!ran.out.contains("cgroup.procs"), "{ran:?}");
    }
}

#[test]
fn the_working_directory_is_inside() {
    assert_eq!(sh(&[], "pwd").good(), "/\n");
    assert_eq!(sh(&["-w", "/etc"], "pwd; ls").good(), "/etc\ngroup\npasswd\n");
}

#[test]
fn path_is_searched_inside_the_container() {
    let root = own_root();
    let tool = root.path().join("opt");
    std::fs::create_dir(&tool).unwrap();
    std::fs::write(tool.join("tool"), "#!/bin/sh\necho inside\n").unwrap();
    let root = root.path().to_str().unwrap().to_string();
    // Not executable: found, and no other is there.
    let ran = run(&["run", "-e", "PATH=/opt:/bin", &root, "tool"]);
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (Some(126), "thimble: execute tool: EACCES: Permission denied\n")
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(tool.join("tool"), mode).unwrap();
    assert_eq!(run(&["run", "-e", "PATH=/nowhere:/opt", &root, "tool"]).good(), "inside\n");
    assert_eq!(run(&["run", "-w", "/opt", &root, "./tool"]).good(), "inside\n");
    // The caller's PATH is not asked.
    let output = command(thimble(), &["run", &root, "tool"]).env("PATH", "/opt").output().unwrap();
    let want = "thimble: execute tool: ENOENT: No such file or directory\n";
    assert_eq!((Ran::of(output.clone()).status, Ran::of(output).err.as_str()), (Some(127), want));
}

#[test]
fn after_a_pivot_the_hosts_tree_is_gone_also_for_who_unmounts_the_root() {
    // Root with everything: it takes its own root off the mount table, and asks its mount
    // namespace for what is there instead.
    let mark = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "open(my $f, '<', '/proc/self/ns/mnt') or die; my $root = '/'; \
         syscall({}, $root, 2) == 0 or die 'umount2'; syscall({}, fileno($f), 0x20000) == 0 or die 'setns'; \
         print -e '{}' ? 'out' : 'in'",
        libc::SYS_umount2,
        libc::SYS_setns,
        mark.path().display()
    );
    let look = |options: &[&str]| {
        let root = debian();
        let mut words = vec!["run", "--privileged"];
        words.extend(options);
        words.extend([root.to_str().unwrap(), "perl", "-e", &script]);
        run(&words).good()
    };
    assert_eq!(look(&[]), "in");
    // The control, and what --no-pivot gives up: the host's tree is still there below.
    assert_eq!(look(&["--no-pivot"]), "out");
}

#[test]
fn who_is_in_a_chroot_already_gets_a_container_with_no_way_out_of_either() {
    if OLD_KERNEL {
        return; // there it is a script, which runs what is not in the chroot
    }
    // The chroot is a mount, and what it is mounted on is shared, as hosts have it: the kernel
    // pivots no such root away, and a second chroot alone does not hold.
    let set = "set -e; cd \"$1\"; mount -t tmpfs none .; cd \"$1\"; mkdir jail; mount --bind jail jail; \
        mount --make-rshared /; cp -a \"$2/.\" jail; mkdir jail/image; cp -a \"$3/.\" jail/image; \
        cp \"$4\" jail/thimble; echo > mark; shift 4; exec chroot jail \"$@\"";
    let look = |program: std::path::PathBuf, left_out: &str, options: &[&str]| {
        let (place, image) = (tempfile::tempdir().unwrap(), probe_root());
        let mark = place.path().join("mark");
        let mut jailed = command("unshare", &["--mount", "sh", "-c", set, "sh"]);
        jailed.arg(place.path()).arg(busybox()).arg(image.path()).arg(program);
        jailed.args(["/thimble", "run"]).args(options).args(["/image", "probe", "chroots"]);
        Ran::of(jailed.arg(mark).env("THIMBLE_LEAVE_OUT", left_out).output().unwrap())
    };
    for options in [&[][..], &["--no-pivot"], &["--bare"], &["--bare", "--no-pivot"]] {
        let ran = look(thimble(), "", options);
        assert!(ran.status == Some(1) && ran.out.contains("No such file"), "{options:?}: {ran:?}");
    }
    assert_eq!(look(thimble_without(), "pivot", &[]).status, Some(0));
}

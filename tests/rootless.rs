//! Containers of an ordinary user's, and of root's with ids of their own: the
//! user namespace and what it makes different.

mod common;
use common::*;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

/// Runs `thimble run OPTIONS ROOT /bin/sh -c SCRIPT` as root.
fn root_sh(root: &std::path::Path, options: &[&str], script: &str) -> Ran {
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.to_str().unwrap(), "/bin/sh", "-c", script]);
    run(&words)
}

#[test]
fn an_ordinary_user_is_root_inside_and_himself_outside() {
    let ordinary = Ordinary::new();
    let out = ordinary
        .sh(&[], "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; cat /proc/self/setgroups; touch /made /tmp/made; hostname")
        .good();
    let hostname = out.lines().last().unwrap().to_string();
    assert!(hostname.starts_with("thimble-"), "{hostname}");
    assert_eq!(out, format!("0\n0\n 0 {USER} 1\n 0 {USER} 1\ndeny\n{hostname}\n"));
    let made = fs::metadata(ordinary.root().join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (USER, USER));
}

#[test]
fn he_has_every_namespace_the_devices_and_the_loopback() {
    let ordinary = Ordinary::new();
    let own = ordinary
        .sh(&[], "for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done")
        .good();
    for (line, kind) in own.lines().zip(["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]) {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(line, host.to_str().unwrap());
    }
    let script = "echo x > /dev/null && head -c 3 /dev/zero | wc -c; head -c 2 /dev/urandom | wc -c; \
        echo x 2>/dev/null > /dev/full || echo full; ls -d /dev/pts/ptmx /dev/mqueue /dev/shm /dev/fd; \
        ip address | grep -c 'inet 127.0.0.1'; ls /sys/class/net";
    assert_eq!(
        ordinary.sh(&[], script).good(),
        "3\n2\nfull\n/dev/fd\n/dev/mqueue\n/dev/pts/ptmx\n/dev/shm\n1\nlo\n"
    );
}

#[test]
fn a_root_who_may_make_no_device_borrows_the_hosts() {
    // Inside, thimble takes itself for root, and only the kernel knows better.
    let ordinary = Ordinary::new();
    if !maps_files() {
        let root = ordinary.root();
        assert!(command("chown", &["-R", "100000"]).arg(root).status().unwrap().success());
    }
    let program = format!("{}:/thimble:ro", program().display());
    let options = ["--uidmap", "0:100000:65536", "--privileged", "-v", &program];
    let script = "/thimble run / /bin/sh -c 'echo x > /dev/null && head -c 2 /dev/urandom | wc -c; \
        echo x 2>/dev/null > /dev/full || echo full; ls /dev/pts'";
    assert_eq!(root_sh(&ordinary.root(), &options, script).good(), "2\nfull\nptmx\n");
}

#[test]
fn his_posture_is_that_of_root() {
    let ordinary = Ordinary::new();
    let script = "grep -E '^(Cap|NoNew|Seccomp|Uid|Gid|Sig[BIC]|Umask)' /proc/self/status; grep -E '^Cap' /proc/1/status; \
        grep -oE ' /(proc|sys)[^ ]* [^ ]* ' /proc/self/mountinfo | sort";
    assert_eq!(ordinary.sh(&[], script).good(), sh(&[], script).good());
    let flags = "awk '$5 == \"/\" { print $5, $6 }' /proc/self/mountinfo";
    assert_eq!(ordinary.sh(&[], flags).good(), "/ rw,nosuid,nodev,relatime\n");
}

#[test]
fn a_program_of_another_user_inside_is_the_caller_outside() {
    let ordinary = Ordinary::new();
    let script = "id -u; id -g; touch /tmp/made; grep CapEff /proc/self/status; ls -lnd /dev/shm | tr -s ' ' | cut -d' ' -f3,4";
    let out = ordinary.sh(&["-u", "1000:100"], script).good();
    assert_eq!(out, "1000\n100\nCapEff:\t0000000000000000\n1000 100\n");
    assert_eq!(fs::metadata(ordinary.root().join("tmp/made")).unwrap().uid(), USER);
}

#[test]
fn a_user_by_name_is_one_that_is_mapped() {
    let ordinary = Ordinary::new();
    let accounts = [
        ("etc/passwd", "root:x:0:0::/r:/bin/sh\nweb:x:33:44::/w:/bin/sh\n"),
        ("etc/group", "root:x:0:\nweb:x:44:\n"),
    ];
    for (file, text) in accounts {
        fs::write(ordinary.root().join(file), text).unwrap();
    }
    assert_eq!(ordinary.sh(&["-u", "root"], "id -u; id -g; echo $HOME").good(), "0\n0\n/r\n");
    // Given by its number, it is the one that is there, with the one group.
    assert_eq!(ordinary.sh(&["-u", "33"], "id -u; id -g; echo $HOME").good(), "33\n0\n/w\n");
    let ran = ordinary.sh(&["-u", "web"], "id -u");
    let lines = "thimble: set user and group: EINVAL: Invalid argument\n\
        thimble: hint: that id is not mapped in this user namespace: see --uidmap, --gidmap\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
    // Root maps all of them.
    let root = own_root();
    for (file, text) in accounts {
        fs::write(root.path().join(file), text).unwrap();
    }
    let options = ["--uidmap", "0:100000:65536", "-u", "web", "--oom-score-adj", "7"];
    let script = "id -u; id -g; echo $HOME; cat /proc/self/oom_score_adj";
    assert_eq!(root_sh(root.path(), &options, script).good(), "33\n44\n/w\n7\n");
}

#[test]
fn an_ordinary_user_may_map_his_own_id_to_any() {
    let ordinary = Ordinary::new();
    let user = format!("7:{USER}:1");
    let group = format!("8:{USER}:1");
    let out = ordinary.sh(&["--uidmap", &user, "--gidmap", &group], "id -u; id -g").good();
    assert_eq!(out, "7\n8\n");
    // The groups' map is the users' where only one is given.
    assert_eq!(ordinary.sh(&["--uidmap", &user], "id -u; id -g").good(), "7\n7\n");
}

#[test]
fn ids_that_are_not_his_are_refused_by_the_helper() {
    let ordinary = Ordinary::new();
    let own = format!("0:{USER}:1");
    let ran = ordinary.sh(&["--uidmap", &own, "--uidmap", "1:100000:10"], "true");
    assert_eq!(ran.status, Some(125), "{ran:?}");
    assert!(
        ran.err.ends_with("thimble: run newuidmap: EPERM: Operation not permitted\n"),
        "{ran:?}"
    );
    // Where there is no helper, or none that he may execute, it says what is missing.
    fs::write(ordinary.root().join("newuidmap"), "").unwrap();
    for (path, why) in [
        ("/nowhere", "ENOENT: No such file or directory"),
        (ordinary.root().to_str().unwrap(), "EACCES: Permission denied"),
    ] {
        let mut command = ordinary.command("env", &[&format!("PATH={path}")]);
        command.arg(ordinary.program()).args(["run", "--uidmap", "0:100000:10"]);
        let ran = Ran::of(command.arg(ordinary.root()).arg("true").output().unwrap());
        let lines = format!(
            "thimble: run newuidmap: {why}\n\
             thimble: hint: an ordinary user maps other ids than his own by newuidmap and newgidmap\n"
        );
        assert_eq!((ran.status, ran.err), (Some(125), lines));
    }
}

#[test]
fn root_maps_ranges_and_the_files_of_its_root_are_the_containers() {
    let root = own_root();
    let options = ["--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536"];
    let script = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; cat /proc/self/setgroups; \
        ls -lnd /bin | tr -s ' ' | cut -d' ' -f3,4; touch /made; mkdir /dev/shm/x && echo shm";
    let out = root_sh(root.path(), &options, script);
    if !maps_files() {
        // The files stay the host's users', who are nobody inside.
        assert!(out.out.contains("65534 65534\nshm\n"), "{out:?}");
        assert!(!root.path().join("made").exists());
        return;
    }
    let out = out.good();
    assert_eq!(out, "0\n0\n 0 100000 65536\n 0 200000 65536\nallow\n0 0\nshm\n");
    // On the disk they are root's, by the id-mapped mount.
    assert_eq!(fs::metadata(root.path().join("made")).unwrap().uid(), 0);
    // Another user, and his groups, are there as well.
    let out = root_sh(
        root.path(),
        &["--uidmap", "0:100000:65536", "-u", "5:6"],
        "id -u; id -g; touch /tmp/five",
    )
    .good();
    assert_eq!(out, "5\n6\n");
    assert_eq!(fs::metadata(root.path().join("tmp/five")).unwrap().uid(), 5);
    // Seen from outside, its processes are nobody's of the host's.
    let mark = format!("35{}", std::process::id());
    let words =
        ["run", "--uidmap", "0:100000:65536", root.path().to_str().unwrap(), "sleep", &mark];
    let mut child = command(thimble(), &words).spawn().unwrap();
    let sleeps = || {
        processes_with(&format!("sleep {mark}"))
            .into_iter()
            .find(|line| line.split(' ').nth(1) == Some("sleep"))
    };
    eventually("it runs", || sleeps().is_some());
    let owner = fs::metadata(sleeps().unwrap().split(' ').next().unwrap()).unwrap().uid();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(owner, 100000);
}

#[test]
fn a_userns_that_cannot_be_is_refused_before_anything_is_made() {
    let root = busybox();
    let root = root.to_str().unwrap();
    for (options, lines) in [
        (&["--userns", "private"][..], "thimble: --userns private: needs --uidmap as root\n"),
        (
            &["--userns", "host", "--uidmap", "0:1:1"],
            "thimble: --uidmap: and --gidmap need --userns private\n",
        ),
        (
            &["--uidmap", "0:1"],
            "thimble: --uidmap 0:1: must be INSIDE:OUTSIDE:COUNT, numbers of ids below 4294967295\n",
        ),
    ] {
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([root, "true"]);
        let ran = run(&words);
        assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
    }
    // Maps that overlap are for the kernel to refuse.
    let ran = run(&["run", "--uidmap", "0:1000:2", "--uidmap", "1:3000:2", root, "true"]);
    let lines = "thimble: write the container's uid_map: EINVAL: Invalid argument\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
}

#[test]
fn what_belongs_to_the_hosts_namespaces_is_bound_read_only() {
    let ordinary = Ordinary::new();
    let script = "ls /sys/class/net; touch /sys/kernel/x; awk '$5 ~ \"^/sys\" && $6 !~ \"^ro\"' /proc/self/mountinfo; ls /sys/firmware";
    let ran = ordinary.sh(&["--network", "host"], script);
    let mut host: Vec<_> = fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    host.sort();
    assert_eq!(ran.out, format!("{}\n", host.join("\n")));
    assert_eq!(ran.err, "touch: /sys/kernel/x: Read-only file system\n");
    let out = ordinary.sh(&["--ipc", "host"], "readlink /proc/self/ns/ipc; ls /dev").good();
    let ipc = fs::read_link("/proc/self/ns/ipc").unwrap();
    assert!(out.starts_with(ipc.to_str().unwrap()) && !out.contains("mqueue"), "{out}");
}

#[test]
fn the_callers_other_groups_stay_as_the_kernel_asks() {
    let ordinary = Ordinary::new();
    let user = USER.to_string();
    let mut command = command("setpriv", &["--reuid", &user, "--regid", &user, "--groups", "4,27"]);
    command.arg(ordinary.program()).arg("run").arg(ordinary.root()).args([
        "grep",
        "Groups",
        "/proc/self/status",
    ]);
    assert_eq!(Ran::of(command.output().unwrap()).good().trim_end(), "Groups:\t65534 65534");
}

#[test]
fn root_of_a_namespace_of_the_callers_own_is_an_ordinary_user_all_the_same() {
    // unshare -r maps one group, and an ordinary user's container too: another runs inside both.
    let ordinary = Ordinary::new();
    let (program, root) = (ordinary.program(), ordinary.root());
    let (program, root) = (program.to_str().unwrap(), root.to_str().unwrap());
    let inside = format!("{program} run {root} grep -E Groups /proc/self/status");
    let unshared = ["unshare", "--map-root-user", "sh", "-c", &inside];
    let contained =
        [&[program, "run", "--privileged"], OF_THE_HOST, &["/", "sh", "-c", &inside]].concat();
    let user = USER.to_string();
    for words in [&unshared[..], &contained] {
        let mut line = command("setpriv", &["--reuid", &user, "--regid", &user, "--groups", "4"]);
        let ran = Ran::of(line.args(words).output().unwrap());
        assert_eq!(ran.good().trim_end(), "Groups:\t65534", "{words:?}");
    }
    // Nor does it own the host's network, and so no /sys of that.
    let mut line = ordinary.command("unshare", &["--map-root-user", program]);
    line.args(["run", "--network", "host", root, "sh", "-c", "ls /sys/class/net; echo >/sys/x"]);
    let ran = Ran::of(line.output().unwrap());
    let host = Ran::of(command("ls", &["/sys/class/net"]).output().unwrap()).good();
    assert_eq!(ran.out, host, "{ran:?}");
    assert!(ran.err.contains("Read-only file system"), "{ran:?}");
    // More groups cannot be had.
    let mut line = ordinary.command("unshare", &["--map-root-user", program]);
    let ran = Ran::of(line.args(["run", "--group-add", "7", root, "true"]).output().unwrap());
    let says = "thimble: set the groups: EPERM: Operation not permitted\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), says));
}

#[test]
fn volumes_a_tmpfs_and_a_read_only_root_work_for_him_too() {
    let ordinary = Ordinary::new();
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("file"), "content\n").unwrap();
    std::os::unix::fs::chown(source.path(), Some(USER), Some(USER)).unwrap();
    let (one, two) = (
        format!("{}:/data", source.path().display()),
        format!("{}/file:/etc/file:ro", source.path().display()),
    );
    let options = ["-v", &one, "-v", &two, "--tmpfs", "/scratch:size=1m", "--read-only"];
    let script =
        "cat /data/file /etc/file; touch /data/new /scratch/new; touch /etc/file; touch /new";
    let ran = ordinary.sh(&options, script);
    assert_eq!(ran.out, "content\ncontent\n");
    assert_eq!(
        ran.err,
        "touch: /etc/file: Read-only file system\ntouch: /new: Read-only file system\n"
    );
    assert!(source.path().join("new").exists());
}

#[test]
fn a_source_keeps_the_flags_that_its_mount_has() {
    // A user namespace may not take noexec or ro off a mount of the host's (they are locked),
    // and need not: what it adds is added to what is there.
    let ordinary = Ordinary::new();
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let user = USER.to_string();
    let script = format!(
        "mount -t tmpfs -o noexec,ro,noatime none {0} && exec setpriv --reuid {user} --regid {user} --clear-groups \
         {1} run -v {0}:/mnt --read-only {2} sh -c \"grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f6\"",
        place.path().display(),
        ordinary.program().display(),
        ordinary.root().display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    assert_eq!(ran.good(), "ro,nosuid,nodev,noexec,noatime\n");
    // Also where that is the root itself.
    let script = format!(
        "mount --bind {1} {1} && mount -o remount,bind,ro {1} && exec setpriv --reuid {user} --regid {user} --clear-groups \
         {0} run --read-only --tmpfs /tmp {1} sh -c 'touch /x; touch /tmp/x && echo well'",
        ordinary.program().display(),
        ordinary.root().display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        ("well\n", "touch: /x: Read-only file system\n")
    );
}

#[test]
fn where_proc_is_covered_it_says_so() {
    let ordinary = Ordinary::new();
    let user = USER.to_string();
    let script = format!(
        "mount -t tmpfs none /proc/irq; exec setpriv --reuid {user} --regid {user} \
         --clear-groups {} run {} true",
        ordinary.program().display(),
        ordinary.root().display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    let lines = "thimble: mount proc on /proc: EPERM: Operation not permitted\n\
        thimble: hint: parts of this /proc are covered, as inside other containers\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
}

#[test]
fn without_a_proc_of_the_hosts_it_says_so() {
    let ordinary = Ordinary::new();
    let user = USER.to_string();
    let script = format!(
        "umount -l /proc; exec setpriv --reuid {user} --regid {user} --clear-groups {} run {} true",
        ordinary.program().display(),
        ordinary.root().display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    assert_eq!(ran.status, Some(125));
    assert!(
        ran.err.ends_with("thimble: hint: a user namespace needs the host's /proc\n"),
        "{ran:?}"
    );
}

#[test]
fn signals_statuses_and_files_as_input_work_for_him_too() {
    let ordinary = Ordinary::new();
    assert_eq!(ordinary.sh(&[], "exit 42").status, Some(42));
    assert_eq!(ordinary.sh(&[], "kill -TERM $$").status, Some(143));
    let input = ordinary.root().join("input");
    fs::write(&input, "one\n").unwrap();
    let mut command = ordinary.thimble(&["run"]);
    command.arg(ordinary.root()).args(["sh", "-c", "cat; echo two > /proc/self/fd/0"]);
    command.stdin(fs::File::open(&input).unwrap());
    assert_eq!(Ran::of(command.output().unwrap()).out, "one\n");
    assert_eq!(fs::read_to_string(&input).unwrap(), "one\n");
}

#[test]
fn the_hosts_root_serves_him_too() {
    let ordinary = Ordinary::new();
    let script = "id -u; test -w /etc || echo no; cat /etc/shadow";
    let mut command =
        ordinary.thimble(&[&["run"], OF_THE_HOST, &["/", "sh", "-c", script]].concat());
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.out, "0\nno\n");
    assert!(ran.err.contains("ermission denied"), "{ran:?}");
}

#[test]
fn links_of_the_image_lead_him_nowhere() {
    let ordinary = Ordinary::new();
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(outside.path(), Some(USER), Some(USER)).unwrap();
    symlink(outside.path(), ordinary.root().join("link")).unwrap();
    let source = format!("{}:/link/deep", ordinary.root().join("etc").display());
    ordinary.sh(&["-v", &source], "true");
    assert!(fs::read_dir(outside.path()).unwrap().next().is_none());
}

//! Namespaces: which are the container's own, and which the host's.

mod common;
use common::*;

use std::fs;

/// The kinds of namespace in which a container with these options differs from the host.
fn own(options: &[&str]) -> Vec<&'static str> {
    let script =
        "for kind in mnt pid uts ipc net cgroup user time; do readlink /proc/self/ns/$kind; done";
    let inside = sh(options, script).good();
    let kinds = ["mnt", "pid", "uts", "ipc", "net", "cgroup", "user", "time"];
    let host = kinds.map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap());
    kinds
        .into_iter()
        .zip(inside.lines().zip(host))
        .filter_map(|(kind, (inside, host))| (host.to_str() != Some(inside)).then_some(kind))
        .collect()
}

#[test]
fn by_default_all_but_user_and_time_are_the_containers() {
    assert_eq!(own(&[]), ["mnt", "pid", "uts", "ipc", "net", "cgroup"]);
}

#[test]
fn bare_has_the_articles_three() {
    assert_eq!(own(&["--bare"]), ["mnt", "pid", "uts"]);
    assert_eq!(own(&["--bare", "--network", "none"]), ["mnt", "pid", "uts", "net"]);
    assert_eq!(own(&["--bare", "--ipc", "private"]), ["mnt", "pid", "uts", "ipc"]);
    assert_eq!(own(&["--bare", "--cgroupns=private"]), ["mnt", "pid", "uts", "cgroup"]);
}

#[test]
fn each_can_be_the_hosts() {
    for (options, without) in [
        (&["--network", "host"][..], "net"),
        (&["--ipc", "host"], "ipc"),
        (&["--uts", "host"], "uts"),
        (&["--cgroupns", "host"], "cgroup"),
        (&["--pid", "host", "--pids-limit", "-1"], "pid"),
    ] {
        let mut want = vec!["mnt", "pid", "uts", "ipc", "net", "cgroup"];
        want.retain(|kind| *kind != without);
        assert_eq!(own(options), want, "{options:?}");
    }
}

#[test]
fn the_host_name_variable_is_the_name_that_the_program_finds() {
    assert_eq!(sh(&["--name", "one"], "hostname; echo $HOSTNAME").good(), "one\none\n");
    assert_eq!(
        sh(&["-h", "two", "--name", "one"], "hostname; echo $HOSTNAME").good(),
        "two\ntwo\n"
    );
    let out = sh(&[], "hostname; echo $HOSTNAME").good();
    let (first, second) = out.trim().split_once('\n').unwrap();
    assert_eq!(first, second);
    assert!(first.starts_with("thimble-"), "{first}");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(sh(&["--uts", "host"], "hostname; echo $HOSTNAME").good(), format!("{host}{host}"));
}

#[test]
fn its_own_network_has_a_working_loopback_and_nothing_else() {
    let out = sh(
        &[],
        "ip -o link | grep -c UP; ls /sys/class/net; ip -o address show up | cut -d' ' -f7",
    )
    .good();
    assert_eq!(out, "1\nlo\n127.0.0.1/8\n::1/128\n");
    assert_eq!(
        sh(&[], "httpd -p 127.0.0.1:8080 -h /etc; wget -q -O - http://127.0.0.1:8080/group").good(),
        "root:x:0:\n"
    );
}

#[test]
fn it_can_join_a_network_namespace_by_its_file() {
    // A process that holds a network namespace open for as long as its input lasts.
    let mut holder = command("unshare", &["--net", "cat"]);
    let mut holder = holder.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let path = format!("/proc/{}/ns/net", holder.id());
    let host = fs::read_link("/proc/self/ns/net").unwrap();
    eventually("it has its own", || fs::read_link(&path).is_ok_and(|link| link != host));
    let inside = sh(&["--network", &format!("ns:{path}")], "readlink /proc/self/ns/net").good();
    assert_eq!(inside.trim(), fs::read_link(&path).unwrap().to_str().unwrap());
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

#[test]
fn the_cgroup_namespace_begins_at_the_containers_cgroup() {
    let name = unique_name();
    let out = sh(&["--name", &name, "--pids-limit", "9"], "grep pids /proc/self/cgroup").good();
    assert!(out.ends_with(":pids:/\n"), "{out}");
    let options = ["--name", &name, "--pids-limit", "9", "--cgroupns", "host"];
    let out = sh(&options, "grep pids /proc/self/cgroup").good();
    assert!(out.ends_with(&format!(":pids:/{name}\n")), "{out}");
}

#[test]
fn the_program_has_a_session_of_its_own_and_three_descriptors() {
    assert_eq!(sh(&[], "cut -d' ' -f1,6 /proc/$$/stat").good(), "2 1\n");
    let root = busybox();
    let mut command = command(
        thimble(),
        &["run", root.to_str().unwrap(), "/bin/sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"],
    );
    use std::os::unix::process::CommandExt;
    // Descriptors that the caller forgot: none of them is there inside. (ls itself opens one.)
    // SAFETY: only dup2 between fork and exec.
    unsafe {
        command.pre_exec(|| {
            for number in [3, 5, 9, 77] {
                libc::dup2(2, number);
            }
            Ok(())
        });
    }
    assert_eq!(Ran::of(command.output().unwrap()).good(), "0 1 2 3 ");
}

#[test]
fn closed_standard_descriptors_become_dev_null() {
    let (root, program) = (busybox(), thimble());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("err");
    let run = format!(
        "{} run --verbose --cgroupns host --pids-limit 9 {}",
        program.display(),
        root.display()
    );
    // Each of them closed in turn, and all: the program finds three open ones, and its limit.
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"] {
        let out = place.path().join("out");
        let script = format!(
            "{run} sh -c 'test -e /proc/self/fd/0 -a -e /proc/self/fd/1 -a -e /proc/self/fd/2 && grep -q :pids:/thimble /proc/self/cgroup' {closed}; echo $? > {}",
            out.display()
        );
        command("sh", &["-c", &script]).output().unwrap();
        assert_eq!(fs::read_to_string(&out).unwrap(), "0\n", "{closed}");
    }
    // Those that are open stay what they are.
    let script = format!(
        "{} run {} sh -c 'echo to-err >&2' <&- >&- 2>{}",
        program.display(),
        root.display(),
        file.display()
    );
    command("sh", &["-c", &script]).output().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "to-err\n");
}

#[test]
fn controllers_that_share_a_hierarchy_share_the_directory() {
    let (root, program, name) = (busybox(), thimble(), unique_name());
    let script = format!(
        "mount --bind /sys/fs/cgroup/cpu /sys/fs/cgroup/cpuacct && {} run --name {name} \
         --cgroup-conf cpu.shares=512 --cgroup-conf cpu.cfs_period_us=50000 --cgroup-conf cpuacct.frob=0 {} true",
        program.display(),
        root.display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    // As far as the file that no controller has.
    let want = "thimble: write the cgroup's cpuacct.frob: ENOENT: No such file or directory\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), want));
    assert!(cgroups_with(&name).is_empty());
}

#[test]
fn no_mount_reaches_a_shared_host_mount() {
    // thimble in a mount namespace of its own in which everything is shared.
    let root = busybox();
    let (place, mark) = (tempfile::tempdir().unwrap(), unique_name());
    let script = format!(
        "mount --make-rshared / && mkfifo {place}/on {place}/go || exit; \
         {} run --privileged {} sh -c 'mount -t tmpfs {mark} /tmp && echo on; read x' \
         >{place}/on <>{place}/go & read on <{place}/on; echo $on; \
         cat /proc/self/mountinfo; echo 1<>{place}/go; wait",
        thimble().display(),
        root.display(),
        place = place.path().display(),
    );
    let out =
        Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap()).good();
    assert!(out.starts_with("on\n") && out.contains(" / / "), "{out}");
    assert!(!out.contains(root.to_str().unwrap()), "{out}");
    assert!(!out.contains(&mark), "{out}");
}

#[test]
fn limits_are_in_place_before_the_first_step() {
    let name = unique_name();
    let options = [
        "--name",
        &name,
        "--cgroup-conf",
        "pids.max=4",
        "--cgroup-conf",
        "memory.limit_in_bytes=64m",
    ];
    let child = {
        let root = busybox();
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([root.to_str().unwrap(), "cat"]);
        command(thimble(), &words).stdin(std::process::Stdio::piped()).spawn().unwrap()
    };
    let pids = cgroup_v1("pids").join(&name);
    let memory = cgroup_v1("memory").join(&name);
    eventually("it runs", || {
        fs::read_to_string(memory.join("cgroup.procs")).is_ok_and(|list| list.lines().count() == 2)
    });
    assert_eq!(fs::read_to_string(pids.join("pids.max")).unwrap(), "4\n");
    assert_eq!(fs::read_to_string(memory.join("memory.limit_in_bytes")).unwrap(), "67108864\n");
    assert_eq!(fs::read_to_string(memory.join("notify_on_release")).unwrap(), "1\n");
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(0));
    assert!(cgroups_with(&name).is_empty());
}

#[test]
fn the_parent_cgroup_can_be_chosen() {
    let parent = unique_name();
    let name = unique_name();
    fs::create_dir(cgroup_v1("pids").join(&parent)).unwrap();
    let options = ["--name", &name, "--cgroup-parent", &parent, "--cgroupns", "host"];
    let ran = sh(&options, "grep pids /proc/self/cgroup");
    let left = cgroups_with(&name);
    fs::remove_dir(cgroup_v1("pids").join(&parent)).unwrap();
    assert!(ran.clone().good().ends_with(&format!(":pids:/{parent}/{name}\n")), "{ran:?}");
    assert!(left.is_empty());
}

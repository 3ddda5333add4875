//! The last program of the article *Creating Your Own Containers*, row by row
//! of its table: `thimble run --bare --verbose --name container
//! --hostname my-container --pids-limit 5 ./root /bin/sh`.

mod common;
use common::*;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// The article's options, with a name of the test's own.
fn article(name: &str, script: &str) -> Ran {
    sh(&["--bare", "--name", name, "--hostname", "my-container", "--pids-limit", "5"], script)
}

#[test]
fn ps_shows_pid_1_and_the_program_as_pid_2() {
    let out = article(&unique_name(), "ps -o pid,comm; :").good();
    let rows: Vec<Vec<&str>> = out.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["PID", "COMMAND"]);
    assert_eq!(rows[1], ["1", "thimble"]);
    assert_eq!(rows[2], ["2", "sh"]);
    assert_eq!(rows[3][1], "ps");
    assert_eq!(rows.len(), 4);
}

#[test]
fn the_host_name_is_set_inside_and_unchanged_outside() {
    let before = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(article(&unique_name(), "hostname").good(), "my-container\n");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), before);
    assert_ne!(before, "my-container\n");
}

#[test]
fn the_environment_is_cleared() {
    let root = busybox();
    let words = ["run", "--bare", "--hostname", "my-container", root.to_str().unwrap(), "env"];
    let out = Ran::of(command(thimble(), &words).env("SECRET", "1").output().unwrap()).good();
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "HOME=/root",
            "HOSTNAME=my-container",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM=xterm-256color",
        ]
    );
}

#[test]
fn the_root_is_the_containers() {
    let out = article(&unique_name(), "ls -a / | sort; ls -a /.. | sort; pwd").good();
    let own = "bin dev etc proc root sys tmp".split(' ').collect::<Vec<_>>().join("\n");
    let listed = format!(".\n..\n.complete\n{own}\n");
    assert_eq!(out, format!("{listed}{listed}/\n"));
}

#[test]
fn proc_is_the_containers_own_and_the_hosts_mounts_never_change() {
    let before = mounts();
    let name = unique_name();
    let script = "echo /proc/[0-9]*; while read -r _ _ _ _ point _; do echo $point; done < /proc/self/mountinfo; echo on; read x";
    let root = busybox();
    let words = ["run", "--bare", "--name", &name, root.to_str().unwrap(), "sh", "-c", script];
    let mut command = command(thimble(), &words);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut out = String::new();
    while !out.ends_with("on\n") {
        assert!(output.read_line(&mut out).unwrap() > 0, "{out}");
    }
    assert_eq!(mounts(), before, "while it runs");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(1), "the end of its input");
    assert_eq!(out, "/proc/1 /proc/2\n/\n/proc\non\n");
    assert_eq!(mounts(), before, "afterwards");
}

#[test]
fn a_fork_beyond_the_limit_of_five_is_refused_and_the_cgroup_says_so() {
    let name = unique_name();
    let place = cgroup_v1("pids").join(&name);
    // pid 1, the shell, its subshell and two children are five; the third child is one too
    // many. The subshell gives up, and one more child of the shell is five again.
    let script = "(sleep 60 & sleep 60 & sleep 60 & wait); sleep 60 & read x; exit 9";
    let root = busybox();
    let words = [
        "run",
        "--bare",
        "--name",
        &name,
        "--pids-limit",
        "5",
        root.to_str().unwrap(),
        "sh",
        "-c",
        script,
    ];
    let mut command = command(thimble(), &words);
    let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = |file: &str| std::fs::read_to_string(place.join(file)).unwrap_or_default();
    eventually("the limit is hit", || read("pids.events") == "max 1\n");
    assert_eq!(read("pids.max"), "5\n");
    eventually("five again", || read("pids.current") == "5\n");
    assert_eq!(read("notify_on_release"), "1\n");
    eventually("all five are listed", || read("cgroup.procs").lines().count() == 5);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(ran.err.contains("can't fork"), "{ran:?}");
    assert_eq!(ran.status, Some(9));
    assert!(!place.exists(), "the cgroup is gone");
    assert!(cgroups_with(&name).is_empty());
}

#[test]
fn the_exit_status_is_passed_on() {
    assert_eq!(article(&unique_name(), "exit 42").status, Some(42));
}

#[test]
fn verbose_tells_the_articles_lines_in_their_order() {
    let name = unique_name();
    let ran = sh(&["--bare", "--verbose", "--name", &name, "--pids-limit", "5"], "true");
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), ""));
    let lines: Vec<_> = ran.err.lines().collect();
    let place = |wanted: &str| {
        lines
            .iter()
            .position(|line| *line == wanted)
            .unwrap_or_else(|| panic!("{wanted}: {lines:#?}"))
    };
    assert!(lines.iter().any(|line| line.starts_with("thimble: parent pid: ")));
    assert!(place("thimble: child pid: 1") < place("thimble: mount proc on /proc"));
    assert!(
        place("thimble: write the cgroup's cgroup.procs")
            < place("thimble: write the cgroup's notify_on_release")
    );
    assert!(
        place("thimble: write the cgroup's notify_on_release")
            < place("thimble: write the cgroup's pids.max")
    );
    assert!(
        place("thimble: write the cgroup's pids.max") < place("thimble: release the container")
    );
    assert!(place("thimble: write the cgroup's pids.max") < place("thimble: child pid: 1"));
    let chroot = format!("thimble: chroot {}", busybox().display());
    let pivot = format!("thimble: pivot_root {}", busybox().display());
    assert!(place("thimble: mount proc on /proc") < place(&pivot));
    assert!(place(&pivot) < place(&chroot));
    assert!(place(&chroot) < place("thimble: execute /bin/sh"));
}

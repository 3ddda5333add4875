//! Kernels without the newer calls (Linux 5.2 to 5.14): the same tests of what a container is
//! and keeps out, with a filter around thimble that answers ENOSYS for each of them (`common`):
//! all at once, and then each by itself, where another call may be there that goes with it.

#![allow(clippy::duplicate_mod)] // each brings what the tests share

#[path = "attacks.rs"]
mod attacks;
#[path = "cgroups.rs"]
mod cgroups;
#[path = "descriptors.rs"]
mod descriptors;
#[path = "ephemeral.rs"]
mod ephemeral;
#[path = "filesystem.rs"]
mod filesystem;
#[path = "golden.rs"]
mod golden;
#[path = "isolation.rs"]
mod isolation;
#[path = "life.rs"]
mod life;
#[path = "privileges.rs"]
mod privileges;
#[path = "races.rs"]
mod races;
#[path = "rootless.rs"]
mod rootless;
#[path = "users.rs"]
mod users;
#[path = "volumes.rs"]
mod volumes;

mod common;
use common::*;

use std::fs;

/// Runs the tests of some modules of this program with one of the calls hidden alone.
fn alone(call: &str, modules: &[&str]) {
    let own = std::env::current_exe().unwrap();
    let ran = Ran::of(command(own, modules).env("THIMBLE_HIDE", call).output().unwrap());
    println!("{}{}", ran.out, ran.err);
    assert_eq!(ran.status, Some(0), "without {call}");
    assert!(!ran.out.contains(" 0 passed"), "without {call}");
}

#[test]
fn without_close_range_alone() {
    alone("close_range", &["descriptors::", "life::", "golden::"]);
}

#[test]
fn without_mount_setattr_alone() {
    alone("mount_setattr", &["volumes::", "ephemeral::", "rootless::root", "golden::"]);
}

#[test]
fn without_open_tree_alone() {
    alone("open_tree", &["rootless::root", "rootless::a_root", "ephemeral::", "golden::"]);
}

#[test]
fn without_move_mount_alone() {
    alone("move_mount", &["rootless::root", "rootless::a_root", "ephemeral::", "golden::"]);
}

#[test]
fn each_newer_call_is_tried_and_then_done_without() {
    const MAPPED: &[&str] = &["--uidmap", "0:100000:65536"];
    let bound = "mount(\".\", \"/\", NULL, MS_BIND|MS_REC, NULL)";
    for (call, options, instead) in [
        ("close_range", &[][..], "openat(AT_FDCWD, \"/proc/self/status\""),
        ("mount_setattr", &[], "MS_REMOUNT|MS_BIND"),
        ("mount_setattr", MAPPED, bound),
        ("open_tree", MAPPED, bound),
        ("move_mount", MAPPED, bound),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut strace = command("strace", &["-f", "-qq", "-o"]);
        let words = [file.path(), &hiding(call, "traced", &program())];
        strace.args(words).arg("run").args(options).arg(busybox()).arg("/bin/true");
        assert_eq!(Ran::of(strace.output().unwrap()).good(), "", "{call}");
        let calls = fs::read_to_string(file.path()).unwrap();
        let tried = |line: &&str| line.contains(&format!(" {call}(")) && line.contains("ENOSYS");
        let mut lines = calls.lines();
        assert!(lines.any(|line| tried(&line)), "{call} is not tried: {calls}");
        assert!(lines.any(|line| line.contains(instead)), "{call} is not done without: {calls}");
    }
}

#[test]
fn the_filter_is_on_and_hides_the_calls() {
    // perl asks for mount_setattr, inside, where thimble's own filter is off.
    let ask = format!("$! = 0; syscall({}, -1, 0, 0, 0, 0); print $! + 0", libc::SYS_mount_setattr);
    let root = debian();
    let words = ["run", "--privileged", root.to_str().unwrap(), "perl", "-e", &ask];
    assert_eq!(run(&words).good(), libc::ENOSYS.to_string());
}

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
    alone("close_range", &["descriptors::", "life::"]);
}

#[test]
fn without_mount_setattr_alone() {
    alone("mount_setattr", &["volumes::", "filesystem::", "ephemeral::"]);
}

#[test]
fn without_open_tree_alone() {
    alone("open_tree", &["rootless::"]);
}

#[test]
fn without_move_mount_alone() {
    alone("move_mount", &["rootless::"]);
}

#[test]
fn the_filter_is_on_and_hides_the_calls() {
    // perl asks for mount_setattr, inside, where thimble's own filter is off.
    let ask = format!("$! = 0; syscall({}, -1, 0, 0, 0, 0); print $! + 0", libc::SYS_mount_setattr);
    let root = debian();
    let words = ["run", "--privileged", root.to_str().unwrap(), "perl", "-e", &ask];
    assert_eq!(run(&words).good(), libc::ENOSYS.to_string());
}

//! Kernels without the newer mount calls (openat2, open_tree, move_mount,
//! mount_setattr: Linux 5.2 to 5.12): the same tests of all that is mounted, with
//! a filter around thimble that answers ENOSYS for each of them (`common`).

#![allow(clippy::duplicate_mod)] // each brings what the tests share

#[path = "ephemeral.rs"]
mod ephemeral;
#[path = "filesystem.rs"]
mod filesystem;
#[path = "races.rs"]
mod races;
#[path = "volumes.rs"]
mod volumes;

mod common;
use common::*;

#[test]
fn the_filter_is_on_and_hides_the_calls() {
    // perl asks for mount_setattr, inside, where thimble's own filter is off.
    let ask = format!("$! = 0; syscall({}, -1, 0, 0, 0, 0); print $! + 0", libc::SYS_mount_setattr);
    let root = debian();
    let words = ["run", "--privileged", root.to_str().unwrap(), "perl", "-e", &ask];
    assert_eq!(run(&words).good(), libc::ENOSYS.to_string());
}

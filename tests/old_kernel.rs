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

use std::fs;

#[test]
fn the_filter_is_on_and_hides_the_calls() {
    // perl asks for mount_setattr, inside, where thimble's own filter is off.
    let ask = format!("$! = 0; syscall({}, -1, 0, 0, 0, 0); print $! + 0", libc::SYS_mount_setattr);
    let root = debian();
    let words = ["run", "--privileged", root.to_str().unwrap(), "perl", "-e", &ask];
    assert_eq!(run(&words).good(), libc::ENOSYS.to_string());
}

#[test]
fn a_file_given_as_input_comes_through_a_pipe_and_cannot_be_written_to() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (path, program, root) = (file.path().display(), thimble(), busybox());
    fs::write(file.path(), "first\n").unwrap();
    let write = "for n in 0 3; do echo changed > /proc/self/fd/$n; done; cat";
    let script = format!("{} run {} sh -c '{write}' < {path}", program.display(), root.display());
    // Its own pipe it may write to.
    let out = Ran::of(command("sh", &["-c", &script]).output().unwrap()).out;
    assert_eq!(out, "first\nchanged\n");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), "first\n");
    // More than a pipe holds.
    let text = "a line of the file\n".repeat(20_000);
    fs::write(file.path(), &text).unwrap();
    let script = format!("{} run {} cat < {path}", program.display(), root.display());
    assert_eq!(Ran::of(command("sh", &["-c", &script]).output().unwrap()).good(), text);
    // Who does not read it to its end leaves nobody behind; and from where the caller had read to.
    let script = format!(
        "{{ read line; {} run {} head -n 1; }} < {path}",
        program.display(),
        root.display()
    );
    let out = Ran::of(command("bash", &["-c", &script]).output().unwrap()).good();
    assert_eq!(out, "a line of the file\n");
    eventually("the reader of the file is gone", || {
        processes_with(&format!("thimble run {} head", root.display())).is_empty()
    });
    let script = format!("{} run {} cat < /proc/version", program.display(), root.display());
    let out = Ran::of(command("sh", &["-c", &script]).output().unwrap()).good();
    assert_eq!(out, fs::read_to_string("/proc/version").unwrap());
}

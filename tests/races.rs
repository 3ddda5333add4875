//! Races for the places of mounts: a live process that shares ROOTFS swaps a
//! directory for something else, over and over, while containers start in it
//! (CVE-2021-30465, CVE-2024-45310, CVE-2025-52881).

mod common;
use common::*;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Child;

const ROUNDS: usize = 1000;

/// A process that swaps `a` and `b` of a directory until it is dropped.
struct Racer(Child);

impl Racer {
    fn start(root: &Path, a: &str, b: &str) -> Racer {
        let place = tempfile::tempdir().unwrap();
        let (source, binary) = (place.path().join("swap.c"), place.path().join("swap"));
        fs::write(
            &source,
            "#define _GNU_SOURCE\n#include <stdio.h>\n#include <fcntl.h>\n#include <unistd.h>\n\
             int main(int n, char **a) { if (n != 4 || chdir(a[1])) return 1; \
             while (!renameat2(AT_FDCWD, a[2], AT_FDCWD, a[3], 2)) usleep(10); perror(\"swap\"); return 1; }",
        )
        .unwrap();
        let built = command("cc", &["-o"]).arg(&binary).arg(&source).status().unwrap();
        assert!(built.success());
        let child = command(&binary, &[root.as_os_str(), a.as_ref(), b.as_ref()]).spawn().unwrap();
        eventually("the swapping has begun", || {
            fs::read_to_string(format!("/proc/{}/comm", child.id()))
                .is_ok_and(|name| name == "swap\n")
        });
        Racer(child)
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let ended = self.0.try_wait();
        let _ = self.0.kill();
        let _ = self.0.wait();
        if !std::thread::panicking() {
            assert!(matches!(ended, Ok(None)), "it was swapped all the time");
        }
    }
}

/// A directory of the host, to which the links lead, and what is to stay so.
fn outside() -> (tempfile::TempDir, String) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "host\n").unwrap();
    fs::create_dir(outside.path().join("deep")).unwrap();
    let listed = listing(outside.path());
    (outside, listed)
}

/// Starts containers while `place` of ROOTFS is swapped for a link to the host
/// and then for another directory. `want` is what the script prints where all is
/// as it should be, which must happen; nothing of the host ever changes.
fn raced(place: &str, options: &[&str], script: &str, want: &str) {
    let (outside, before) = outside();
    let host = mounts();
    for link in [true, false] {
        let root = own_root();
        let _ = fs::create_dir(root.path().join(place));
        let other = root.path().join("other");
        if link {
            symlink(outside.path(), &other).unwrap();
        } else {
            fs::create_dir(&other).unwrap();
        }
        let racer = Racer::start(root.path(), place, "other");
        let mut right = 0;
        for _ in 0..ROUNDS / 2 {
            let mut words = vec!["run"];
            words.extend(options);
            words.extend([root.path().to_str().unwrap(), "sh", "-c", script]);
            let ran = run(&words);
            right += usize::from(ran.out == want);
            // A refusal is one of thimble's, and never for want of a message.
            assert!(ran.status != Some(125) || ran.err.starts_with("thimble: "), "{ran:?}");
        }
        drop(racer);
        assert!(right > 0, "it was never right");
        assert_eq!(listing(outside.path()), before);
    }
    assert_eq!(mounts(), host);
}

fn source() -> tempfile::TempDir {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("content"), "content\n").unwrap();
    source
}

#[test]
fn for_the_target_of_a_volume() {
    let source = source();
    let volume = format!("{}:/target/made/deep", source.path().display());
    let script = "cat /target/made/deep/content /other/made/deep/content 2>/dev/null";
    raced("target", &["-v", &volume], script, "content\n");
}

#[test]
fn for_the_target_of_a_tmpfs() {
    let script = "for place in target other; do \
        grep -q \" /$place/made/deep \" /proc/self/mountinfo && touch /$place/made/deep/new && echo memory; done";
    raced("target", &["--tmpfs", "/target/made/deep"], script, "memory\n");
}

#[test]
fn for_dev() {
    let script = "[ -c /dev/full ] && [ -d /dev/pts ] && echo x > /dev/null && echo well";
    raced("dev", &[], script, "well\n");
}

#[test]
fn for_proc() {
    let script = "read -r name < /proc/1/comm && echo $name; [ ! -s /proc/keys ] || echo unmasked";
    raced("proc", &["--security-opt", "seccomp=unconfined"], script, &name_of_pid_1());
}

fn name_of_pid_1() -> String {
    sh(&[], "cat /proc/1/comm").good()
}

#[test]
fn for_an_ephemeral_root_with_a_volume() {
    let source = source();
    let volume = format!("{}:/target/made/deep", source.path().display());
    let script = "cat /target/made/deep/content /other/made/deep/content 2>/dev/null; \
        touch /target/new /other/new /target/file /other/file 2>/dev/null";
    raced("target", &["-x", "-v", &volume], script, "content\n");
}

#[test]
fn for_what_is_mounted_below_an_ephemeral_root() {
    // The racer does not see the mount, so it can swap the directory on which it lies.
    let (outside, before) = outside();
    let root = own_root();
    fs::create_dir_all(root.path().join("target/deep")).unwrap();
    symlink(outside.path(), root.path().join("other")).unwrap();
    let path = root.path().display();
    // The look at the end goes by the shell's working directory, which is the mount.
    let script = format!(
        "mount -t tmpfs none {path}/target/deep && cd {path}/target/deep && echo below > f && touch ready && \
         until [ -e {path}/go ]; do sleep 0.01; done; n=0; \
         while [ $n -lt {ROUNDS} ]; do n=$((n + 1)); {} run -x {path} sh -c \
         'for place in target other; do echo x > /$place/deep/f && cat /$place/deep/f; echo x > /$place/file; done' 2>/dev/null; done \
         | sort | uniq -c | tr -s ' '; ls; cat f",
        thimble().display(),
    );
    let child = command("unshare", &["--mount", "sh", "-c", &script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the mount is there", || {
        let seen = format!("/proc/{}/root{path}/target/deep/ready", child.id());
        Path::new(&seen).exists()
    });
    let racer = Racer::start(root.path(), "target", "other");
    fs::write(root.path().join("go"), "").unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(racer);
    let lines: Vec<_> = ran.out.lines().collect();
    // `x` was written in some rounds, inside; the mount and the host have nothing of it.
    assert!(lines[0].ends_with(" x") && lines[1..] == ["f", "ready", "below"], "{ran:?}");
    assert_eq!(listing(outside.path()), before);
}

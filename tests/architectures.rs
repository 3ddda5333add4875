//! The program for the other architectures, as far as qemu's user mode goes: it translates
//! system calls one by one and knows no new namespaces, so that a run ends at its clone(2).

mod common;
use common::*;

use std::path::Path;

/// The program for an architecture, with what runs it; `None` if it cannot be had here.
fn emulated(architecture: &str, emulator: &str) -> Option<[String; 2]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("target/dist/thimble-{architecture}"))
        .into_os_string()
        .into_string()
        .unwrap();
    let built = command("tests/tools/dist.sh", &[architecture]).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    if !Path::new(&path).exists() {
        println!("skipped: {}", String::from_utf8_lossy(&built.stdout));
        return None;
    }
    Some([emulator.into(), path])
}

/// The lines of a text up to and without the first that tells of the clone, be it one of the new
/// process, and without those that tell a number that differs from run to run.
fn before_clone(text: &str) -> Vec<String> {
    let clone = ["thimble: clone", "thimble: set the death signal"];
    let lines = text.lines().take_while(|line| !clone.iter().any(|end| line.contains(end)));
    lines.filter(|line| !line.contains("pid:")).map(String::from).collect()
}

fn does_all_that_comes_before_the_clone(architecture: &str, emulator: &str) {
    let Some([emulator, program]) = emulated(architecture, emulator) else { return };
    let both = |words: &[&str]| {
        let there =
            Ran::of(command(&emulator, &[&[program.as_str()], words].concat()).output().unwrap());
        (there, run(words))
    };
    let root = busybox();
    let root = root.to_str().unwrap();
    for words in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &[],
        &["run"],
        &["run", "--hostnam", "x", "/"],
        &["run", "-m", "16e", "/"],
        &["run", "-m", "18446744073709551616", "/"],
        &["run", "--cpus", "0.0000001", "/"],
        &["run", "--pids-limit", "4194305", "/"],
        &["run", "--ulimit", "nofile=18446744073709551616", "/"],
        &["run", "-u", "4294967295", "/"],
        &["run", "/nowhere/at/all"],
        &["run", "--env-file", "/nowhere", root],
        &["run", "-v", "/nowhere:/x", root],
        &["run", "--device", "/etc/passwd", root],
        &["run", "--security-opt", "seccomp=/etc/passwd", root],
        &["run", "--network", "ns:/etc/passwd", root],
    ] {
        let (there, here) = both(words);
        assert_eq!(there, here, "{architecture}: {words:?}");
    }
    // Everything up to the clone, told step by step, and taken back.
    let name = unique_name();
    let limits = ["--pids-limit", "5", "--name", &name];
    let options =
        [&["run", "--verbose", "-e", "A=b"], &limits[..], &["-v", "/etc:/tmp", root, "true"]];
    let (there, here) = both(&options.concat());
    let told = before_clone(&there.err);
    assert_eq!(told, before_clone(&here.err), "{architecture}");
    assert!(told.iter().any(|line| line.contains("make the cgroup")), "{told:?}");
    assert!(there.err.contains("thimble: clone: EINVAL: Invalid argument\n"), "{there:?}");
    assert_eq!((there.status, here.status), (Some(125), Some(0)));
    assert_eq!(cgroups_with(&name), Default::default(), "{architecture}");
}

#[test]
fn riscv64() {
    does_all_that_comes_before_the_clone("riscv64", "qemu-riscv64-static");
}

#[test]
fn armv7() {
    does_all_that_comes_before_the_clone("armv7", "qemu-arm-static");
}

#[test]
fn aarch64() {
    does_all_that_comes_before_the_clone("aarch64", "qemu-aarch64-static");
}

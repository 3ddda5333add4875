//! Root file systems: three real ones, and how the root is entered.

mod common;
use common::*;

use std::path::Path;

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
    let out =
        run(&["run", "/", "/bin/sh", "-c", "cat /etc/os-release; ls /proc | grep -c '^[0-9]'"]);
    let host = std::fs::read_to_string("/etc/os-release").unwrap();
    assert_eq!(out.good(), format!("{host}4\n"), "sh, pid 1, ls and grep are all that runs");
}

#[test]
fn a_relative_root_and_one_behind_a_link_are_found() {
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(busybox(), place.path().join("link")).unwrap();
    for root in ["link", "./link", "../".to_string().as_str()] {
        if root == "../" {
            continue; // no root file system there
        }
        let output = command(thimble(), &["run", root, "ls", "/bin/busybox"])
            .current_dir(place.path())
            .output();
        assert_eq!(Ran::of(output.unwrap()).good(), "/bin/busybox\n");
    }
}

#[test]
fn the_root_has_no_way_back_with_pivot_root_and_without() {
    for options in [&["--bare"][..], &["--bare", "--no-pivot"], &[], &["--no-pivot"]] {
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
            assert_eq!(points, "/\n/proc\n", "{options:?}: no mount of the host's");
        }
    }
}

#[test]
fn proc_is_fresh_and_neither_set_uid_nor_devices_nor_programs_count_in_it() {
    let out = sh(&[], "grep ' /proc ' /proc/self/mountinfo").good();
    assert!(out.contains(" /proc rw,nosuid,nodev,noexec,relatime - proc proc rw"), "{out}");
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

//! `--security-opt seccomp=FILE`: a compiled filter of the caller's own.

mod common;
use common::*;

use std::fs;
use std::io::Write;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EXDEV as u32;

/// What makes a directory; the older of the calls is not on every architecture.
const MKDIR: &[libc::c_long] = &[
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
];

/// A file with these instructions: code, jumps, operand.
fn file(instructions: &[(u16, u8, u8, u32)]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (code, yes, no, operand) in instructions {
        file.write_all(&code.to_ne_bytes()).unwrap();
        file.write_all(&[*yes, *no]).unwrap();
        file.write_all(&operand.to_ne_bytes()).unwrap();
    }
    file
}

/// A filter with one verdict for these calls, and another one for all the others.
fn filter(calls: &[libc::c_long], verdict: u32, otherwise: u32) -> tempfile::NamedTempFile {
    let mut instructions = vec![(0x20, 0, 0, 0)]; // load the number
    for call in calls {
        instructions.push((0x15, 0, 1, *call as u32)); // unless equal, leave out the next
        instructions.push((0x06, 0, 0, verdict));
    }
    instructions.push((0x06, 0, 0, otherwise));
    file(&instructions)
}

/// Runs a script in busybox with this filter.
fn under(filter: &tempfile::NamedTempFile, options: &[&str], script: &str) -> Ran {
    let option = format!("seccomp={}", filter.path().display());
    sh(&[&["--security-opt", &option], options].concat(), script)
}

const KEPT: &[&str] = &["--security-opt", "no-new-privileges=false"];

/// Every way to be somebody, with and without no_new_privs.
const WAYS: &[&[&str]] = &[
    &[],
    KEPT,
    &["-u", "1000:100"],
    &["-u", "1000:100", KEPT[0], KEPT[1]],
    &["-u", "1000", "--cap-add", "NET_RAW"],
    &["-u", "1000", "--cap-add", "NET_RAW", KEPT[0], KEPT[1]],
    &["--cap-drop", "ALL", KEPT[0], KEPT[1]],
    &["--bare"],
    &["--bare", "-u", "1000"],
    &["--privileged"],
    &["--privileged", "-u", "1000", KEPT[0], KEPT[1]],
];

#[test]
fn the_filter_of_a_file_is_the_programs() {
    let refuse = filter(MKDIR, REFUSE, ALLOW);
    for way in WAYS {
        let ran = under(&refuse, way, "mkdir /dev/shm/x");
        let why = "mkdir: can't create directory '/dev/shm/x': Invalid cross-device link\n";
        assert_eq!((ran.status, ran.err.as_str()), (Some(1), why), "{way:?}");
    }
    // It takes the place of the default one, which refuses this.
    let script = "unshare -m true && echo done";
    let options = ["--cap-add", "SYS_ADMIN"];
    assert_eq!(under(&refuse, &options, script).good(), "done\n");
    assert_ne!(sh(&options, script).status, Some(0));
    // The last option counts.
    let options = ["--security-opt", "seccomp=default"];
    assert_eq!(under(&refuse, &options, "mkdir /dev/shm/x").good(), "");
}

#[test]
fn the_program_has_by_it_no_privilege_and_pid_1_is_under_the_default_filter() {
    let allow = filter(&[], ALLOW, ALLOW);
    for way in WAYS {
        // pid 1 settles while the program already runs.
        let script = "until grep -q 'Seccomp:.2' /proc/1/status; do sleep 0.02; done; grep -hE '^(Cap|NoNew|Seccomp)' /proc/self/status; echo; grep -hE '^(Cap|Seccomp)' /proc/1/status";
        let with = under(&allow, way, script).good();
        let (own, first) = with.split_once("\n\n").unwrap();
        let without = sh(
            &[way, &["--security-opt", "seccomp=unconfined"][..]].concat(),
            "grep -hE '^(Cap|NoNew|Seccomp)' /proc/self/status; echo; grep -hE '^Cap' /proc/1/status",
        )
        .good();
        let (want, want_first) = without.split_once("\n\n").unwrap();
        let want = want.replace("Seccomp:\t0", "Seccomp:\t2").replace("filters:\t0", "filters:\t1");
        assert_eq!(own, want, "{way:?}");
        let want_first = format!("{want_first}Seccomp:\t2\nSeccomp_filters:\t1\n");
        assert_eq!(first, want_first, "pid 1, {way:?}");
    }
}

#[test]
fn a_filter_that_forbids_what_pid_1_and_the_start_of_the_program_do_breaks_neither() {
    // All that is done for the program between the clone and its exec, and all that pid 1 does.
    let calls = [
        libc::SYS_wait4,
        libc::SYS_kill,
        libc::SYS_rt_sigtimedwait,
        #[cfg(target_arch = "x86")]
        421, // rt_sigtimedwait_time64
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setgroups,
        #[cfg(target_arch = "x86")]
        libc::SYS_setresuid32,
        #[cfg(target_arch = "x86")]
        libc::SYS_setresgid32,
        #[cfg(target_arch = "x86")]
        libc::SYS_setgroups32,
        libc::SYS_capset,
        libc::SYS_chdir,
        libc::SYS_rt_sigaction,
        libc::SYS_close_range,
    ];
    let kill = filter(&calls, KILL, ALLOW);
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("program.c");
    let script = "#define _GNU_SOURCE\n#include <unistd.h>\n#include <sys/syscall.h>\n\
        int main(int n, char **v) { if (n > 1 && *v) syscall(SYS_wait4, -1, 0, 0, 0); return 42; }";
    fs::write(&source, script).unwrap();
    let root = own_root();
    let out = root.path().join("program");
    cc(&source, &out);
    let option = format!("seccomp={}", kill.path().display());
    for way in WAYS {
        let run_it = |more: &[&str]| {
            let mut words = vec!["run", "--ulimit", "nofile=64", "--security-opt", &option];
            words.extend(*way);
            words.extend([root.path().to_str().unwrap(), "/program"]);
            words.extend(more);
            run(&words)
        };
        let ran = run_it(&[]);
        assert_eq!((ran.status, ran.err.as_str()), (Some(42), ""), "{way:?}");
        // The control: the filter is there.
        assert_eq!(run_it(&["x"]).status, Some(128 + libc::SIGSYS), "{way:?}");
    }
}

#[test]
fn a_filter_may_allow_the_exec_alone() {
    // Everything else ends the program at its first call, and no sooner: it was executed.
    let only = filter(&[libc::SYS_execve], ALLOW, KILL);
    for way in WAYS {
        let ran = under(&only, way, "true");
        assert_eq!((ran.status, ran.err.as_str()), (Some(128 + libc::SIGSYS), ""), "{way:?}");
    }
    let refuse = filter(&[libc::SYS_execve], libc::SECCOMP_RET_ERRNO | libc::EACCES as u32, ALLOW);
    let ran = under(&refuse, &[], "true");
    let lines = "thimble: execute /bin/sh: EACCES: Permission denied\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(126), lines));
}

#[test]
fn an_ordinary_users_container_takes_one_too() {
    let ordinary = Ordinary::new();
    let refuse = filter(MKDIR, REFUSE, ALLOW);
    fs::set_permissions(refuse.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let option = format!("seccomp={}", refuse.path().display());
    // His program's ids are root's inside, or others with a capability of theirs.
    for way in
        [&[][..], KEPT, &["-u", "5:6"], &["-u", "5:6", "--cap-add", "NET_RAW", KEPT[0], KEPT[1]]]
    {
        let script = "mkdir /dev/shm/x; grep -E 'CapAmb|NoNew|Seccomp:' /proc/self/status";
        let ran = ordinary.sh(&[&["--security-opt", &option], way].concat(), script);
        let why = "mkdir: can't create directory '/dev/shm/x': Invalid cross-device link\n";
        assert_eq!(ran.err, why, "{way:?}");
        let ambient =
            if way.contains(&"NET_RAW") { "0000000000002000" } else { "0000000000000000" };
        let kept = if way.contains(&KEPT[1]) { 0 } else { 1 };
        let want = format!("CapAmb:\t{ambient}\nNoNewPrivs:\t{kept}\nSeccomp:\t2\n");
        assert_eq!(ran.out, want, "{way:?}");
    }
}

#[test]
fn a_file_that_can_be_no_filter_is_refused_before_anything_is_done() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("filter");
    let shown = path.display();
    // The root is not there either: nothing was done yet when the file was read.
    let refused = |why: &str| {
        let option = format!("seccomp={shown}");
        let ran = run(&["run", "--security-opt", &option, "/nowhere", "true"]);
        let lines = format!("thimble: read the seccomp filter {shown}: {why}\n");
        assert_eq!((ran.status, ran.err, ran.out.as_str()), (Some(125), lines, ""));
    };
    refused("ENOENT: No such file or directory");
    let no_filter = "EINVAL: Invalid argument\n\
        thimble: hint: it must be a regular file of 1 to 4096 compiled instructions of 8 bytes";
    for length in [0, 1, 7, 9, 4096 * 8 + 8, 4096 * 8 + 1, 65536 * 8 + 8] {
        fs::write(&path, vec![0; length]).unwrap();
        refused(no_filter);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(no_filter);
    fs::remove_dir(&path).unwrap();
    assert!(command("mkfifo", &[&path]).status().unwrap().success());
    refused(no_filter);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    refused(no_filter);
}

#[test]
fn what_the_kernel_does_not_take_is_told_and_nothing_is_left() {
    let (host, name) = (mounts(), unique_name());
    for bad in [
        file(&[(0x20, 0, 0, 0)]),                        // no verdict at the end
        file(&[(0x20, 0, 0, 3), (0x06, 0, 0, ALLOW)]),   // an odd offset
        file(&[(0x15, 9, 9, 0), (0x06, 0, 0, ALLOW)]),   // a jump behind the end
        file(&[(0xffff, 0, 0, 0), (0x06, 0, 0, ALLOW)]), // no such instruction
    ] {
        let lines = format!(
            "thimble: load the seccomp filter of {}: EINVAL: Invalid argument\n\
             thimble: hint: the kernel does not take it for a filter: see seccomp(2)\n",
            bad.path().display()
        );
        for way in WAYS {
            let options = [&["--name", &name, "--pids-limit", "9"], *way].concat();
            let ran = under(&bad, &options, "echo ran");
            assert_eq!(
                (ran.status, &ran.err, ran.out.as_str()),
                (Some(125), &lines, ""),
                "{way:?}"
            );
        }
        assert!(cgroups_with(&name).is_empty());
        assert_eq!(processes_with(&name), [""; 0]);
        assert_eq!(mounts(), host);
    }
    // The longest that the kernel takes.
    let mut longest = vec![(0x20, 0, 0, 0); 4095];
    longest.push((0x06, 0, 0, ALLOW));
    assert_eq!(under(&file(&longest), &[], "echo ran").good(), "ran\n");
}

//! The default filter of system calls, by running each call that it refuses. The
//! control is the same call without the filter.

mod common;
use common::*;

/// The errno with which a system call answers inside; 0 for success.
fn answer(options: &[&str], call: libc::c_long, arguments: &str) -> i32 {
    let (root, call) = (probe_root(), call.to_string());
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.path().to_str().unwrap(), "probe", "call", &call]);
    words.extend(arguments.split_whitespace());
    let ran = run(&words);
    ran.out.parse().unwrap_or_else(|_| panic!("{ran:?}"))
}

const UNFILTERED: &[&str] = &["--security-opt", "seccomp=unconfined"];

#[test]
fn each_call_that_the_filter_denies_is_denied() {
    // By a call that is harmless in itself, or senseless: what counts is who refuses it.
    for (call, arguments) in [
        (libc::SYS_mount, "0 0 0 0 0"),
        (libc::SYS_umount2, "p 0"),
        (libc::SYS_pivot_root, "p p"),
        (libc::SYS_open_tree, "-1 e 0"),
        (libc::SYS_move_mount, "-1 e -1 e 0"),
        (libc::SYS_fsopen, "t 0"),
        (libc::SYS_fsmount, "-1 0 0"),
        (libc::SYS_fsconfig, "-1 0 0 0 0"),
        (libc::SYS_fspick, "-1 e 0"),
        (libc::SYS_mount_setattr, "-1 e 0 0 0"),
        (457, "0 0 0 0"),    // statmount
        (458, "0 0 0 0"),    // listmount
        (467, "-1 e 0 0 0"), // open_tree_attr
        (libc::SYS_setns, "-1 0"),
        (libc::SYS_bpf, "0 0 0"),
        (libc::SYS_perf_event_open, "0 0 0 0 0"),
        (libc::SYS_userfaultfd, "0"),
        (libc::SYS_open_by_handle_at, "-1 0 0"),
        (libc::SYS_name_to_handle_at, "-1 0 0 0 0"),
        (libc::SYS_kexec_load, "0 0 0 0"),
        #[cfg(not(target_arch = "x86"))]
        (libc::SYS_kexec_file_load, "-1 -1 0 0 0"),
        #[cfg(target_arch = "x86")]
        (libc::SYS_umount, "p"),
        #[cfg(target_arch = "x86")]
        (libc::SYS_stime, "0"),
        #[cfg(target_arch = "x86")]
        (404, "0 0"), // clock_settime64
        #[cfg(target_arch = "x86")]
        (405, "0 0"), // clock_adjtime64
        #[cfg(target_arch = "x86")]
        (libc::SYS_vm86, "0 0"),
        (libc::SYS_init_module, "0 0 0"),
        (libc::SYS_finit_module, "-1 0 0"),
        (libc::SYS_delete_module, "0 0"),
        (libc::SYS_reboot, "0 0 0 0"),
        (libc::SYS_swapon, "0 0"),
        (libc::SYS_swapoff, "0"),
        (libc::SYS_syslog, "10 0 0"),
        (libc::SYS_acct, "p"),
        (libc::SYS_quotactl, "0 0 0 0"),
        (libc::SYS_fanotify_init, "0 0"),
        (libc::SYS_kcmp, "0 0 0 0 0"),
        (libc::SYS_pidfd_getfd, "-1 0 0"),
        (libc::SYS_process_vm_readv, "1 0 0 0 0 0"),
        (libc::SYS_process_vm_writev, "1 0 0 0 0 0"),
        (libc::SYS_lookup_dcookie, "0 0 0"),
        (libc::SYS_vhangup, ""),
        (libc::SYS_settimeofday, "0 0"),
        (libc::SYS_clock_settime, "0 0"),
        (libc::SYS_adjtimex, "0"),
        (libc::SYS_clock_adjtime, "0 0"),
        (libc::SYS_add_key, "0 0 0 0 0"),
        (libc::SYS_request_key, "0 0 0 0"),
        (libc::SYS_keyctl, "0 0"),
    ] {
        // All capabilities, so that it is the filter that refuses.
        assert_eq!(answer(&["--cap-add", "ALL"], call, arguments), libc::EPERM, "call {call}");
        // The control: without the filter the kernel answers by the arguments, or does it.
        if ![libc::SYS_reboot, libc::SYS_vhangup].contains(&call) {
            let options = ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined"];
            assert_ne!(answer(&options, call, arguments), libc::EPERM, "call {call}, unfiltered");
        }
    }
}

#[test]
fn clone3_io_uring_and_unknown_calls_are_as_if_the_kernel_had_none() {
    for (call, arguments) in [
        (libc::SYS_clone3, "0 0"),
        (libc::SYS_io_uring_setup, "0 0"),
        (libc::SYS_io_uring_enter, "-1 0 0 0 0 0"),
        (libc::SYS_io_uring_register, "-1 0 0 0"),
        (1000, ""),
    ] {
        assert_eq!(answer(&[], call, arguments), libc::ENOSYS, "call {call}");
    }
    assert_ne!(answer(UNFILTERED, libc::SYS_io_uring_setup, "0 0"), libc::ENOSYS);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_of_the_x32_and_i386_abis_are_refused() {
    let getpid = 0x4000_0000 + libc::SYS_getpid;
    assert_eq!(answer(&[], getpid, ""), libc::ENOSYS);
    // int 0x80 with i386's getpid: the filter ends the process (SIGSYS).
    let root = probe_root();
    let status = |options: &[&str]| {
        let words = ["run", root.path().to_str().unwrap(), "probe", "i386"];
        run(&[&words[..1], options, &words[1..]].concat()).status
    };
    assert_eq!(status(&[]), Some(128 + libc::SIGSYS));
    // The control: it is done, or the kernel has no such calls.
    assert!([Some(0), Some(128 + libc::SIGSEGV)].contains(&status(UNFILTERED)));
}

#[test]
#[cfg(target_arch = "x86")]
fn programs_of_the_machines_other_architecture_are_ended() {
    let root = probe_root();
    let source = std::path::Path::new("tests/probes/probe.c");
    let out = root.path().join("bin/wide");
    let built = command("cc", &["-static", "-o"]).arg(out).arg(source).status();
    assert!(built.unwrap().success());
    let call = libc::SYS_socketcall.to_string();
    let status = |options: &[&str]| {
        let words = ["run", root.path().to_str().unwrap(), "wide", "call", &call];
        run(&[&words[..1], options, &words[1..]].concat()).status
    };
    assert_eq!(status(&[]), Some(128 + libc::SIGSYS));
    assert_eq!(status(UNFILTERED), Some(0));
}

#[test]
fn no_new_namespace_of_any_kind() {
    for flag in [
        0x0002_0000u64,
        0x0200_0000,
        0x0400_0000,
        0x0800_0000,
        0x1000_0000,
        0x2000_0000,
        0x4000_0000,
    ] {
        // What is above 32 bits exists where an argument has more.
        for high in if cfg!(target_pointer_width = "64") { vec![0, 1u64 << 40] } else { vec![0] } {
            let arguments = format!("{}", flag | high);
            let all = ["--cap-add", "ALL"];
            assert_eq!(
                answer(&all, libc::SYS_unshare, &arguments),
                libc::EPERM,
                "unshare {flag:#x}"
            );
            let arguments = format!("{} 0 0 0 0", flag | high | 17);
            assert_eq!(answer(&all, libc::SYS_clone, &arguments), libc::EPERM, "clone {flag:#x}");
        }
        let options = ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined"];
        assert_eq!(answer(&options, libc::SYS_unshare, &flag.to_string()), 0, "{flag:#x}");
    }
    assert_eq!(answer(&["--cap-add", "ALL"], libc::SYS_unshare, "128"), libc::EPERM);
}

#[test]
fn only_sockets_of_common_families() {
    for family in 0..48 {
        let arguments = format!("{family} 1 0");
        let common = [1, 2, 10, 16, 17].contains(&family);
        let got = answer(&[], libc::SYS_socket, &arguments);
        assert_eq!(got == libc::EAFNOSUPPORT, !common, "family {family}: {got}");
    }
    // The control, where the host has such: AF_ALG, whose holes were many.
    let socket = libc::SYS_socket.to_string();
    let host = command(probe(), &["call", &socket, "38", "5", "0"]).output().unwrap();
    if Ran::of(host).out == "0" {
        assert_eq!(answer(UNFILTERED, libc::SYS_socket, "38 5 0"), 0);
    }
}

#[test]
fn no_personality_that_weakens_the_others_defences() {
    // READ_IMPLIES_EXEC and ADDR_NO_RANDOMIZE.
    for persona in [0x0040_0000, 0x0004_0000] {
        let arguments = persona.to_string();
        assert_eq!(answer(&[], libc::SYS_personality, &arguments), libc::EPERM);
        assert_eq!(answer(UNFILTERED, libc::SYS_personality, &arguments), 0);
    }
}

#[test]
fn ptrace_is_refused_by_old_kernels_only() {
    // To a program with the personality UNAME26 this kernel calls itself 2.6; and close_range(2)
    // is not there, by which thimble would know better.
    let root = probe_root();
    let program = hiding("close_range", "thimble", &program());
    let call = libc::SYS_ptrace.to_string();
    let old = |options: &[&str]| {
        let mut command = command("setarch", &["--uname-2.6"]);
        command.arg(&program).arg("run").args(options).arg(root.path());
        // PTRACE_CONT of a process that is not traced.
        let ran = Ran::of(command.args(["probe", "call", &call, "7", "1"]).output().unwrap());
        ran.out.parse::<i32>().unwrap_or_else(|_| panic!("{ran:?}"))
    };
    assert_eq!(old(&[]), libc::EPERM);
    assert_eq!(old(UNFILTERED), libc::ESRCH);
    assert_eq!(answer(&[], libc::SYS_ptrace, "7 1"), libc::ESRCH);
}

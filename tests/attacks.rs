//! Ways out of a container that were found in others, each tried by the
//! container's root against the default posture, and each with a control: the
//! same probe where the defence in question was given up by its option, so that
//! the test cannot pass because the probe is broken.

mod common;
use common::*;

use std::fs;

/// Runs a perl script in Debian with these options.
fn perl(options: &[&str], script: &str) -> Ran {
    let root = debian();
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.to_str().unwrap(), "perl", "-e", script]);
    run(&words)
}

/// The errno with which a system call answers inside; 0 for success.
fn answer(options: &[&str], call: libc::c_long, arguments: &str) -> i32 {
    let script = format!(
        "my ($n, $e, $t) = ('/nowhere', '', 'tmpfs'); $! = 0; print syscall({call}{arguments}) == -1 ? $! + 0 : 0"
    );
    let ran = perl(options, &script);
    ran.out.parse().unwrap_or_else(|_| panic!("{ran:?}"))
}

const UNFILTERED: &[&str] = &["--security-opt", "seccomp=unconfined"];

#[test]
fn each_call_that_the_filter_denies_is_denied() {
    // By a call that is harmless in itself, or senseless: what counts is who refuses it.
    for (call, arguments) in [
        (libc::SYS_mount, ", 0, 0, 0, 0, 0"),
        (libc::SYS_umount2, ", $n, 0"),
        (libc::SYS_pivot_root, ", $n, $n"),
        (libc::SYS_open_tree, ", -1, $e, 0"),
        (libc::SYS_move_mount, ", -1, $e, -1, $e, 0"),
        (libc::SYS_fsopen, ", $t, 0"),
        (libc::SYS_fsmount, ", -1, 0, 0"),
        (libc::SYS_fsconfig, ", -1, 0, 0, 0, 0"),
        (libc::SYS_fspick, ", -1, $e, 0"),
        (libc::SYS_mount_setattr, ", -1, $e, 0, 0, 0"),
        (457, ", 0, 0, 0, 0"),      // statmount
        (458, ", 0, 0, 0, 0"),      // listmount
        (467, ", -1, $e, 0, 0, 0"), // open_tree_attr
        (libc::SYS_setns, ", -1, 0"),
        (libc::SYS_bpf, ", 0, 0, 0"),
        (libc::SYS_perf_event_open, ", 0, 0, 0, 0, 0"),
        (libc::SYS_userfaultfd, ", 0"),
        (libc::SYS_open_by_handle_at, ", -1, 0, 0"),
        (libc::SYS_name_to_handle_at, ", -1, 0, 0, 0, 0"),
        (libc::SYS_kexec_load, ", 0, 0, 0, 0"),
        (libc::SYS_kexec_file_load, ", -1, -1, 0, 0, 0"),
        (libc::SYS_init_module, ", 0, 0, 0"),
        (libc::SYS_finit_module, ", -1, 0, 0"),
        (libc::SYS_delete_module, ", 0, 0"),
        (libc::SYS_reboot, ", 0, 0, 0, 0"),
        (libc::SYS_swapon, ", 0, 0"),
        (libc::SYS_swapoff, ", 0"),
        (libc::SYS_syslog, ", 10, 0, 0"),
        (libc::SYS_acct, ", $n"),
        (libc::SYS_quotactl, ", 0, 0, 0, 0"),
        (libc::SYS_fanotify_init, ", 0, 0"),
        (libc::SYS_kcmp, ", 0, 0, 0, 0, 0"),
        (libc::SYS_pidfd_getfd, ", -1, 0, 0"),
        (libc::SYS_process_vm_readv, ", 1, 0, 0, 0, 0, 0"),
        (libc::SYS_process_vm_writev, ", 1, 0, 0, 0, 0, 0"),
        (libc::SYS_lookup_dcookie, ", 0, 0, 0"),
        (libc::SYS_vhangup, ""),
        (libc::SYS_settimeofday, ", 0, 0"),
        (libc::SYS_clock_settime, ", 0, 0"),
        (libc::SYS_adjtimex, ", 0"),
        (libc::SYS_clock_adjtime, ", 0, 0"),
        (libc::SYS_add_key, ", 0, 0, 0, 0, 0"),
        (libc::SYS_request_key, ", 0, 0, 0, 0"),
        (libc::SYS_keyctl, ", 0, 0"),
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
        (libc::SYS_clone3, ", 0, 0"),
        (libc::SYS_io_uring_setup, ", 0, 0"),
        (libc::SYS_io_uring_enter, ", -1, 0, 0, 0, 0, 0"),
        (libc::SYS_io_uring_register, ", -1, 0, 0, 0"),
        (1000, ""),
    ] {
        assert_eq!(answer(&[], call, arguments), libc::ENOSYS, "call {call}");
    }
    assert_ne!(answer(UNFILTERED, libc::SYS_io_uring_setup, ", 0, 0"), libc::ENOSYS);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_of_the_x32_and_i386_abis_are_refused() {
    let getpid = 0x4000_0000 + libc::SYS_getpid;
    assert_eq!(answer(&[], getpid, ""), libc::ENOSYS);
    // int 0x80 with i386's getpid: the filter ends the process (SIGSYS).
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("i386.c");
    fs::write(
        &source,
        "int main(void) { int pid; __asm__ volatile(\"int $0x80\" : \"=a\"(pid) : \"a\"(20)); return pid != 2; }",
    )
    .unwrap();
    let root = own_root();
    let built =
        command("cc", &["-static", "-o"]).arg(root.path().join("i386")).arg(&source).status();
    assert!(built.unwrap().success());
    let path = root.path().to_str().unwrap();
    assert_eq!(run(&["run", path, "/i386"]).status, Some(128 + libc::SIGSYS));
    let unfiltered = run(&["run", "--security-opt", "seccomp=unconfined", path, "/i386"]).status;
    assert_ne!(unfiltered, Some(128 + libc::SIGSYS));
}

#[test]
fn no_new_namespace_of_any_kind() {
    // And so none in which a nested root would mount something (CVE-2022-0492 by a user namespace).
    for flag in [
        0x0002_0000u64,
        0x0200_0000,
        0x0400_0000,
        0x0800_0000,
        0x1000_0000,
        0x2000_0000,
        0x4000_0000,
    ] {
        for high in [0, 1u64 << 40] {
            let arguments = format!(", {}", flag | high);
            let all = ["--cap-add", "ALL"];
            assert_eq!(
                answer(&all, libc::SYS_unshare, &arguments),
                libc::EPERM,
                "unshare {flag:#x}"
            );
            let arguments = format!(", {}, 0, 0, 0, 0", flag | high | 17);
            assert_eq!(answer(&all, libc::SYS_clone, &arguments), libc::EPERM, "clone {flag:#x}");
        }
        let options = ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined"];
        assert_eq!(answer(&options, libc::SYS_unshare, &format!(", {flag}")), 0, "{flag:#x}");
    }
    assert_eq!(answer(&["--cap-add", "ALL"], libc::SYS_unshare, ", 128"), libc::EPERM);
}

#[test]
fn no_input_is_pushed_into_a_terminal() {
    // CVE-2017-5226, and with high bits set CVE-2019-10063; TIOCLINUX, CVE-2023-1523.
    for request in [0x5412u64, 0x541c, 0x1_0000_5412, 0xffff_ffff_0000_541c] {
        let arguments = format!(", 0, {request}, 0");
        assert_eq!(
            answer(&["--cap-add", "ALL"], libc::SYS_ioctl, &arguments),
            libc::EPERM,
            "{request:#x}"
        );
        // The control: the kernel finds that descriptor 0 is no terminal.
        assert_eq!(answer(UNFILTERED, libc::SYS_ioctl, &arguments), libc::ENOTTY, "{request:#x}");
    }
}

#[test]
fn only_sockets_of_common_families() {
    for family in 0..48 {
        let arguments = format!(", {family}, 1, 0");
        let common = [1, 2, 10, 16, 17].contains(&family);
        let got = answer(&[], libc::SYS_socket, &arguments);
        assert_eq!(got == libc::EAFNOSUPPORT, !common, "family {family}: {got}");
    }
    // The control, where the host has such: AF_ALG, whose holes were many.
    let host = Ran::of(command("perl", &["-e", "print syscall(41, 38, 5, 0)"]).output().unwrap());
    if host.out != "-1" {
        assert_eq!(answer(UNFILTERED, libc::SYS_socket, ", 38, 5, 0"), 0);
    }
}

#[test]
fn no_personality_that_weakens_the_others_defences() {
    // READ_IMPLIES_EXEC and ADDR_NO_RANDOMIZE.
    for persona in [0x0040_0000, 0x0004_0000] {
        let arguments = format!(", {persona}");
        assert_eq!(answer(&[], libc::SYS_personality, &arguments), libc::EPERM);
        assert_eq!(answer(UNFILTERED, libc::SYS_personality, &arguments), 0);
    }
}

#[test]
fn a_second_chroot_leads_nowhere() {
    let root = tempfile::tempdir().unwrap();
    let copied = command("cp", &["-a"]).arg(debian().join(".")).arg(root.path()).status();
    assert!(copied.unwrap().success());
    // The classic way: a second chroot below, and up from there. Out is where the image itself
    // can be seen.
    let script = format!(
        "mkdir '/tmp/below'; chroot '/tmp/below' or print 'refused'; chdir '..' for 1..64; \
         chroot '.'; print -e '{}' ? 'out' : 'in'",
        root.path().display()
    );
    let escape = |options: &[&str]| {
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([root.path().to_str().unwrap(), "perl", "-e", &script]);
        run(&words).out
    };
    for options in
        [&[][..], &["--no-pivot"], &["--bare"], &["--bare", "--no-pivot"], &["--privileged"]]
    {
        assert_eq!(escape(options), "in", "{options:?}");
    }
    // The control: a mere chroot(1).
    let chrooted =
        command("chroot", &[root.path().to_str().unwrap(), "perl", "-e", &script]).output();
    assert_eq!(Ran::of(chrooted.unwrap()).out, "out");
}

#[test]
fn no_descriptor_and_no_directory_of_the_host_leaks() {
    // CVE-2024-21626: a working directory or a descriptor that lies outside.
    let (root, program) = (busybox(), thimble());
    let place = tempfile::tempdir().unwrap();
    let script = format!(
        "cd {} && exec 7</ 8</etc/passwd 9<{} && {} run {} sh -c \
         'ls /proc/self/fd | tr \"\\n\" \" \"; pwd; ls /proc/self/cwd/ | wc -l; cd /proc/self/fd/7 || cd /proc/self/fd/8/../..'",
        place.path().display(),
        place.path().display(),
        program.display(),
        root.display()
    );
    let ran = Ran::of(command("sh", &["-c", &script]).output().unwrap());
    assert!(ran.out.starts_with("0 1 2 3 /\n7\n"), "{ran:?}");
    assert!(ran.err.contains("fd/7: No such file"), "{ran:?}");
    // A working directory that is to be one of them.
    for workdir in ["/proc/self/fd/7", "/proc/self/fd/8", "/proc/1/cwd/..", "/proc/self/fd/3"] {
        let script = format!(
            "exec 7</ 8</etc; {} run -w {workdir} {} ls",
            program.display(),
            root.display()
        );
        let ran = Ran::of(command("sh", &["-c", &script]).output().unwrap());
        let inside = ran.out.lines().any(|line| line == "busybox" || line == "bin");
        assert!(ran.status == Some(125) || inside, "{workdir}: {ran:?}");
        assert!(!ran.out.contains("boot"), "{workdir}: {ran:?}");
    }
}

#[test]
fn a_file_given_as_input_cannot_be_written_to() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "first\nsecond\n").unwrap();
    let (path, program, root) = (file.path().display(), thimble(), busybox());
    let write = "for n in 0 3; do echo changed > /proc/self/fd/$n; done; cat";
    let script = format!("{} run {} sh -c '{write}' < {path}", program.display(), root.display());
    let ran = Ran::of(command("sh", &["-c", &script]).output().unwrap());
    assert!(ran.out.starts_with("first\nsecond\n"), "{ran:?}");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), "first\nsecond\n");
    // The control: outside, such a descriptor can be opened for writing.
    fs::write(file.path(), "first\n").unwrap();
    let script = format!("sh -c 'echo changed > /proc/self/fd/0' < {path}");
    Ran::of(command("sh", &["-c", &script]).output().unwrap()).good();
    assert_eq!(fs::read_to_string(file.path()).unwrap(), "changed\n");
}

#[test]
fn no_standard_descriptor_is_a_directory() {
    // From one, `..` leads everywhere: sh < / is enough.
    let root = busybox();
    for redirection in ["</", "</tmp", "<.", "2</", "1</"] {
        let script = format!(
            "{} run {} sh -c 'ls /proc/self/fd/0/.. /proc/self/fd/2/..' {redirection}",
            thimble().display(),
            root.display()
        );
        let ran = Ran::of(command("sh", &["-c", &script]).output().unwrap());
        let lines = "thimble: take over the standard descriptors: EISDIR: Is a directory\n\
            thimble: hint: one of them is a directory, which would lead out of the container\n";
        let told = if redirection == "2</" { "" } else { lines };
        assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (Some(125), "", told));
    }
}

#[test]
fn pid_1_cannot_be_looked_into_or_written_to() {
    // CVE-2019-5736 begins with /proc/1/exe; the memory of pid 1 would do as well.
    for entry in
        ["exe", "mem", "root", "root/etc", "fd/0", "fd/4", "cwd", "environ", "maps", "ns/mnt"]
    {
        let script = format!(
            "open(my $f, '<', '/proc/1/{entry}') or opendir($f, '/proc/1/{entry}') or readlink('/proc/1/{entry}') \
             or do {{ print 'refused'; exit }}; print defined(readline $f) ? 'read' : 'opened'"
        );
        let got = perl(&[], &script).out;
        // The entries that have another owner's check open and give nothing.
        assert_eq!(got, "refused", "{entry}");
    }
    // The binary cannot be opened for writing by any of the names that a container has for it.
    let before = fs::read(thimble()).unwrap();
    let script = "for (1 .. 400) { for my $n ('/proc/1/exe', '/proc/self/exe', map { qq(/proc/$_/exe) } 1 .. 9) { \
        open(my $f, '+<', $n) and readlink($n) =~ /thimble/ and syswrite($f, 'x') and print 'written' } }";
    assert_eq!(perl(&[], script).out, "");
    assert_eq!(fs::read(thimble()).unwrap(), before);
    // PTRACE_SEIZE of pid 1 (the numbers are those of x86_64 and aarch64 alike).
    let seize = ", 0x4206, 1, 0, 0";
    assert_eq!(answer(&[], libc::SYS_ptrace, seize), libc::EPERM);
    assert_eq!(answer(UNFILTERED, libc::SYS_ptrace, seize), libc::EPERM);
    // The control: with the capability for it, one can.
    assert_eq!(answer(&["--cap-add", "SYS_PTRACE"], libc::SYS_ptrace, seize), 0);
}

#[test]
fn pid_1_survives_every_signal_from_inside() {
    let ran = perl(
        &[],
        "for my $s (1 .. 64) { next if $s == 18 || $s == 19; kill $s, 1 unless grep { $_ == $s } 1, 2, 3, 15; } sleep 0.2; print 'alive'",
    );
    // Those that it passes on come back to the program: the rest has no effect on pid 1 itself.
    assert!(
        ran.status == Some(0) && ran.out == "alive" || ran.status.is_some_and(|s| s > 128),
        "{ran:?}"
    );
    assert_eq!(
        perl(&[], "kill 'KILL', 1; kill 'STOP', 1; select undef, undef, undef, 0.1; print 'alive'")
            .out,
        "alive"
    );
}

#[test]
fn the_kernels_switches_cannot_be_written() {
    // core_pattern, modprobe and the like run programs on the host (uevent_helper, CVE-2022-0492).
    for file in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/fs/cgroup/release_agent",
    ] {
        let script = format!("print open(my $f, '>', '{file}') ? 'open' : 'refused'");
        assert_eq!(perl(&[], &script).out, "refused", "{file}");
        assert_eq!(perl(&["--cap-add", "ALL"], &script).out, "refused", "{file}, all capabilities");
    }
    // The control: privileged, it opens (and is not written to).
    let script = "print open(my $f, '+<', '/proc/sys/kernel/core_pattern') ? 'open' : 'refused'";
    assert_eq!(perl(&["--privileged"], script).out, "open");
    // What is masked gives nothing, and privileged, as the control, it does.
    let read =
        |options: &[&str]| sh(options, "cat /proc/keys /proc/timer_list /proc/interrupts").out;
    assert_eq!(read(&["--cap-add", "ALL"]), "");
    assert!(read(&["--privileged"]).lines().count() > 5);
}

#[test]
fn no_device_can_be_made_or_brought_along() {
    // A node that the image brings along, and one made inside: the host's memory and disks.
    let root = own_root();
    let made =
        command("mknod", &[root.path().join("zero").to_str().unwrap(), "c", "1", "5"]).status();
    assert!(made.unwrap().success());
    let path = root.path().to_str().unwrap();
    let read = |options: &[&str]| {
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([path, "sh", "-c", "head -c 2 /zero | wc -c"]);
        run(&words).out
    };
    assert_eq!(read(&[]), "0\n");
    assert_eq!(read(&["--cap-add", "ALL"]), "0\n", "nodev, whatever the capabilities");
    assert_eq!(read(&["--privileged"]), "2\n", "the control");
    let make = "my $n = '/dev/made'; print syscall(133, $n, 0020666, 0x101) == -1 ? $! + 0 : 0";
    if cfg!(target_arch = "x86_64") {
        assert_eq!(perl(&[], make).out, libc::EPERM.to_string());
        assert_eq!(perl(&["--cap-add", "MKNOD"], make).out, "0", "the control");
    }
}

#[test]
fn the_images_dev_is_not_used() {
    // CVE-2025-31133 and CVE-2025-52565: /dev/null or /dev/console of the image as links.
    let root = own_root();
    let host = tempfile::NamedTempFile::new().unwrap();
    fs::write(host.path(), "the host's").unwrap();
    for name in ["null", "console", "zero", "ptmx", "pts", "shm", "mask"] {
        let path = root.path().join("dev").join(name);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(host.path(), path).unwrap();
    }
    let before = listing(root.path());
    let path = root.path().to_str().unwrap();
    let out = run(&[
        "run",
        path,
        "sh",
        "-c",
        "echo x > /dev/null; cat /dev/null; ls -l /dev | grep -c tmp",
    ])
    .out;
    assert_eq!(out, "0\n");
    assert_eq!(fs::read_to_string(host.path()).unwrap(), "the host's");
    assert_eq!(listing(root.path()), before);
}

#[test]
fn a_hostile_environment_is_only_text() {
    let root = busybox();
    let hostile = "A=x\nLD_PRELOAD=/evil.so\n\x1b[2J";
    let words = [
        "run",
        "-e",
        hostile,
        "-e",
        "IFS=/",
        "-e",
        "B=../../..",
        root.to_str().unwrap(),
        "sh",
        "-c",
        "echo \"$A\"; echo $B",
    ];
    let out =
        Ran::of(command(thimble(), &words).env("LD_PRELOAD", "/evil.so").output().unwrap()).good();
    assert_eq!(out, "x\nLD_PRELOAD=/evil.so\n\x1b[2J\n.. .. ..\n".replace(".. .. ..", "../../.."));
    // Names that would lead elsewhere are refused before anything is made.
    for (option, value) in [
        ("--name", "../x"),
        ("--name", "a/b"),
        ("--cgroup-parent", "/../x"),
        ("--cgroup-conf", "../../x=1"),
    ] {
        let ran = run(&["run", option, value, root.to_str().unwrap(), "true"]);
        assert_eq!(ran.status, Some(125), "{option} {value}");
    }
}

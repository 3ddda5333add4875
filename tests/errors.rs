//! Every failure that is expected: its whole line, its hint, its exit status,
//! and that nothing is left behind.

mod common;
use common::*;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs a case that has to fail with exactly these lines, and looks at the host.
fn fails(name: &str, mut case: std::process::Command, status: i32, lines: &str) {
    let host = mounts();
    let ran = Ran::of(case.output().unwrap());
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (Some(status), "", lines));
    assert_eq!(mounts(), host);
    assert!(cgroups_with(name).is_empty());
    assert_eq!(processes_with(name), [""; 0]);
}

/// `thimble run --name NAME --pids-limit 9 ROOT WORDS`: with a cgroup to be taken back.
fn limited(name: &str, root: &Path, words: &[&str]) -> std::process::Command {
    let mut all = vec!["run", "--name", name, "--pids-limit", "9", root.to_str().unwrap()];
    all.extend(words);
    command(thimble(), &all)
}

#[test]
fn a_missing_root() {
    let name = unique_name();
    let lines = "thimble: open the root file system /nowhere: ENOENT: No such file or directory\n\
        thimble: hint: ROOTFS is the directory that holds the container's files\n";
    fails(&name, limited(&name, Path::new("/nowhere"), &[]), 125, lines);
}

#[test]
fn a_root_that_is_no_directory() {
    let name = unique_name();
    let lines = "thimble: open the root file system /etc/passwd: ENOTDIR: Not a directory\n\
        thimble: hint: ROOTFS is a directory: unpack an image or archive into one\n";
    fails(&name, limited(&name, Path::new("/etc/passwd"), &[]), 125, lines);
}

#[test]
fn a_root_without_a_directory_for_proc_sys_or_dev() {
    for (missing, step) in
        [("dev", "mount a tmpfs on"), ("sys", "mount sysfs on"), ("proc", "mount proc on")]
    {
        let (root, name) = (own_root(), unique_name());
        fs::remove_dir_all(root.path().join(missing)).unwrap();
        let before = listing(root.path());
        let lines = format!(
            "thimble: {step} /{missing}: ENOENT: No such file or directory\n\
             thimble: hint: ROOTFS needs an empty directory of that name to mount it on\n"
        );
        fails(&name, limited(&name, root.path(), &["true"]), 125, &lines);
        assert_eq!(listing(root.path()), before);
    }
}

#[test]
fn a_proc_sys_or_dev_that_is_a_link_is_not_followed() {
    for (place, step) in
        [("dev", "mount a tmpfs on"), ("sys", "mount sysfs on"), ("proc", "mount proc on")]
    {
        let (root, name) = (own_root(), unique_name());
        fs::remove_dir_all(root.path().join(place)).unwrap();
        for target in ["/etc", "etc", "/nowhere", "../../etc"] {
            std::os::unix::fs::symlink(target, root.path().join(place)).unwrap();
            let lines = format!(
                "thimble: {step} /{place}: ENOTDIR: Not a directory\n\
                 thimble: hint: in ROOTFS it must be a directory, and no link\n"
            );
            fails(&name, limited(&name, root.path(), &["true"]), 125, &lines);
            fs::remove_file(root.path().join(place)).unwrap();
        }
    }
}

#[test]
fn a_missing_command() {
    let name = unique_name();
    for missing in ["frobnicate", "/bin/frobnicate", "./frobnicate", ""] {
        let subject = if missing.is_empty() { String::new() } else { format!(" {missing}") };
        let lines = format!("thimble: execute{subject}: ENOENT: No such file or directory\n");
        fails(&name, limited(&name, &busybox(), &[missing]), 127, &lines);
    }
}

#[test]
fn a_command_that_cannot_be_executed() {
    let (root, name) = (own_root(), unique_name());
    let put = |file: &str, text: &[u8], mode: u32| {
        let path = root.path().join(file);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    put("plain", b"", 0o644);
    put("noise", b"no program\n", 0o755);
    put("bin/orphan", b"#!/nowhere/interpreter\n", 0o755);
    // A dynamic loader that is none, and a program for it.
    put("loader", &[b'x'; 4096], 0o755);
    let build = format!(
        "echo 'int main(void) {{ return 0; }}' | \
         cc -x c - -Wl,--dynamic-linker=/loader -o {}/dynamic",
        root.path().display()
    );
    assert!(command("sh", &["-c", &build]).status().unwrap().success());
    let orphan = |shown: &str| {
        format!(
            "thimble: execute {shown}: ENOENT: No such file or directory\n\
             thimble: hint: the file is there, but the interpreter of its #! line or its dynamic loader is not\n"
        )
    };
    let noise = "thimble: execute /noise: ENOEXEC: Exec format error\n\
        thimble: hint: it has no #! line, or is for another processor\n";
    for (command, lines) in [
        ("/plain", "thimble: execute /plain: EACCES: Permission denied\n"),
        ("/bin", "thimble: execute /bin: EACCES: Permission denied\n"),
        ("/noise", noise),
        ("/dynamic", "thimble: execute /dynamic: ELIBBAD: Accessing a corrupted shared library\n"),
        ("/bin/orphan", &orphan("/bin/orphan")),
        ("orphan", &orphan("/bin/orphan")),
    ] {
        fails(&name, limited(&name, root.path(), &[command]), 126, lines);
    }
}

#[test]
fn a_missing_working_directory() {
    let name = unique_name();
    let root = busybox();
    let words = ["run", "--name", &name, "-w", "/nowhere", root.to_str().unwrap(), "true"];
    let lines =
        "thimble: change to the working directory /nowhere: ENOENT: No such file or directory\n";
    fails(&name, command(thimble(), &words), 125, lines);
}

#[test]
fn no_privilege() {
    let (name, ordinary) = (unique_name(), Ordinary::new());
    let mut case = ordinary.thimble(&["run", "--name", &name, "--userns", "host"]);
    case.arg(ordinary.root()).arg("true");
    let lines = "thimble: clone: EPERM: Operation not permitted\n\
        thimble: hint: new namespaces need root (CAP_SYS_ADMIN) or a user namespace, where the host allows one\n";
    fails(&name, case, 125, lines);
}

#[test]
fn an_ordinary_user_enters_no_network_namespace() {
    let (name, ordinary) = (unique_name(), Ordinary::new());
    let mut case = ordinary.thimble(&["run", "--name", &name, "--network", "ns:/proc/self/ns/net"]);
    case.arg(ordinary.root()).arg("true");
    let lines = "thimble: enter the network namespace /proc/self/ns/net: EPERM: Operation not permitted\n\
        thimble: hint: entering a network namespace needs root\n";
    fails(&name, case, 125, lines);
}

#[test]
fn a_limit_on_processes_that_leaves_no_room_for_the_program() {
    let (name, root) = (unique_name(), busybox());
    let words = ["run", "--name", &name, "--pids-limit", "1", root.to_str().unwrap(), "true"];
    let lines = "thimble: clone: EAGAIN: Resource temporarily unavailable\n\
        thimble: hint: a limit on processes leaves no room for pid 1 and the program\n";
    fails(&name, command(thimble(), &words), 125, lines);
}

#[test]
fn a_host_that_allows_no_more_namespaces() {
    // That of a user namespace, which has limits of its own.
    for (kind, step) in
        [("user", "clone"), ("net", "clone"), ("cgroup", "unshare the cgroup namespace")]
    {
        let name = unique_name();
        let script = format!(
            "echo 0 >/proc/sys/user/max_{kind}_namespaces; \
             exec {} run --name {name} --uidmap 0:0:1 {} true",
            thimble().display(),
            busybox().display()
        );
        let lines = format!(
            "thimble: {step}: ENOSPC: No space left on device\n\
             thimble: hint: this host allows no more namespaces: see /proc/sys/user/max_*\n"
        );
        fails(&name, command("unshare", &["-Ur", "sh", "-c", &script]), 125, &lines);
    }
}

#[test]
fn a_cgroup_that_is_taken_stays_as_it_is() {
    let name = unique_name();
    let place = cgroup_v1("pids").join(&name);
    fs::create_dir(&place).unwrap();
    let ran = Ran::of(limited(&name, &busybox(), &["true"]).output().unwrap());
    let stays = place.exists();
    fs::remove_dir(&place).unwrap();
    assert!(stays);
    let lines = format!(
        "thimble: make the cgroup {}: EEXIST: File exists\n\
         thimble: hint: a container of this name is running, or left its cgroup behind\n",
        place.display()
    );
    assert_eq!((ran.status, ran.err), (Some(125), lines));
}

#[test]
fn a_cgroup_without_a_controller_or_a_parent() {
    let name = unique_name();
    let root = busybox();
    for (option, value, lines) in [
        (
            "--cgroup-conf",
            "frobs.max=5",
            "thimble: find the cgroup controller frobs: ENOENT: No such file or directory\n\
             thimble: hint: this kernel does not have it, or not switched on: see /proc/cgroups\n"
                .to_string(),
        ),
        (
            "--cgroup-parent",
            "/nowhere",
            format!(
                "thimble: make the cgroup /sys/fs/cgroup/pids/nowhere/{name}: ENOENT: No such file or directory\n\
                 thimble: hint: there is no such --cgroup-parent\n"
            ),
        ),
    ] {
        let words = ["run", "--name", &name, option, value, root.to_str().unwrap(), "true"];
        fails(&name, command(thimble(), &words), 125, &lines);
    }
}

#[test]
fn a_cgroup_file_that_is_not_there_or_takes_no_such_value() {
    let name = unique_name();
    let root = busybox();
    for (setting, lines) in [
        (
            "pids.frob=1",
            "thimble: write the cgroup's pids.frob: ENOENT: No such file or directory\n",
        ),
        ("pids.max=frob", "thimble: write the cgroup's pids.max: EINVAL: Invalid argument\n"),
        (
            "memory.limit_in_bytes=frob",
            "thimble: write the cgroup's memory.limit_in_bytes: EINVAL: Invalid argument\n",
        ),
    ] {
        let words =
            ["run", "--name", &name, "--cgroup-conf", setting, root.to_str().unwrap(), "true"];
        fails(&name, command(thimble(), &words), 125, lines);
    }
}

#[test]
fn a_host_whose_cgroups_are_read_only() {
    let name = unique_name();
    let root = busybox();
    let script = format!(
        "mount -o remount,ro,bind /sys/fs/cgroup/pids && exec {} run --name {name} --pids-limit 9 {} true",
        thimble().display(),
        root.display()
    );
    let lines = format!(
        "thimble: make the cgroup /sys/fs/cgroup/pids/{name}: EROFS: Read-only file system\n\
         thimble: hint: the cgroups are mounted read-only here, as inside other containers\n"
    );
    fails(&name, command("unshare", &["--mount", "sh", "-c", &script]), 125, &lines);
}

#[test]
fn a_chroot_whose_root_is_no_mount() {
    let root = own_root();
    copy(thimble(), root.path().join("thimble"));
    let line = command("chroot", &[root.path().to_str().unwrap(), "/thimble", "run", "/", "true"]);
    let lines = "thimble: make all mounts private: EINVAL: Invalid argument\n\
        thimble: hint: the root is no mount, as in a chroot: before that, mount --bind DIR DIR\n";
    fails(&unique_name(), line, 125, lines);
}

#[test]
fn a_root_on_a_read_only_host_runs_all_the_same() {
    let root = busybox();
    let script = format!(
        "mount -o remount,ro,bind / && exec {} run {} sh -c 'echo well; touch /x 2>/dev/null || echo no'",
        thimble().display(),
        root.display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    assert_eq!(ran.good(), "well\nno\n");
}

#[test]
fn a_network_namespace_that_is_none() {
    let name = unique_name();
    let root = busybox();
    for (path, why) in [
        ("/nowhere", "ENOENT: No such file or directory"),
        ("/etc/passwd", "EINVAL: Invalid argument"),
        ("/proc/self/ns/uts", "EINVAL: Invalid argument"),
    ] {
        let network = format!("ns:{path}");
        let words = ["run", "--name", &name, "--network", &network, root.to_str().unwrap(), "true"];
        let lines = format!("thimble: enter the network namespace {path}: {why}\n");
        fails(&name, command(thimble(), &words), 125, &lines);
    }
}

/// Fails one system call of thimble's by strace: `CALL:error=E:when=N`.
fn injected(name: &str, inject: &str, options: &[&str]) -> std::process::Command {
    let root = busybox();
    let mut words = vec!["-f", "-qq", "-o", "/dev/null", "-e"];
    let (call, how) = inject.split_once(':').unwrap();
    let inject = format!("inject={}:{how}", named_here(call));
    words.push(&inject);
    let mut case = command("strace", &words);
    case.arg(thimble()).args(["run", "--name", name, "--pids-limit", "9"]);
    case.args(options).arg(root).arg("true");
    case
}

#[test]
fn a_failure_before_the_release_is_told_although_the_release_was_not_read() {
    let name = unique_name();
    let inject = "prctl:error=EPERM:when=1:delay_exit=200000";
    let lines = "thimble: set the death signal: EPERM: Operation not permitted\n";
    fails(&name, injected(&name, inject, &[]), 125, lines);
}

#[test]
fn a_cgroup_that_cannot_be_removed_is_told_and_the_status_is_the_programs() {
    let name = unique_name();
    let ran = Ran::of(injected(&name, "unlinkat:error=EIO", &[]).output().unwrap());
    let left = cgroups_with(&name);
    for place in &left {
        fs::remove_dir(place).unwrap();
    }
    assert_eq!(left.len(), 1);
    let line = format!("thimble: remove the cgroup {name}: EIO: Input/output error\n");
    assert_eq!((ran.status, ran.err), (Some(0), line));
}

#[test]
fn a_root_whose_file_system_has_nobody_to_answer_any_more() {
    // As that of sshfs, once its program is gone.
    let name = unique_name();
    let lines = format!(
        "thimble: open the root file system {}: ENOTCONN: Transport endpoint is not connected\n",
        busybox().display()
    );
    fails(&name, injected(&name, "chdir:error=ENOTCONN:when=1", &[]), 125, &lines);
}

#[test]
fn a_kernel_that_lacks_a_namespace() {
    let name = unique_name();
    let lines = "thimble: clone: EINVAL: Invalid argument\n\
        thimble: hint: this kernel lacks a namespace: see thimble check\n";
    fails(&name, injected(&name, "clone:error=EINVAL:when=1", &[]), 125, lines);
    let lines = "thimble: unshare the cgroup namespace: EINVAL: Invalid argument\n\
        thimble: hint: this kernel lacks a namespace: see thimble check\n";
    fails(&name, injected(&name, "unshare:error=EINVAL:when=1", &[]), 125, lines);
}

#[test]
fn each_call_of_an_options_own_is_fatal_if_it_fails() {
    let name = unique_name();
    let filter = tempfile::NamedTempFile::new().unwrap();
    fs::write(filter.path(), [6, 0, 0, 0, 0, 0, 0xff, 0x7f]).unwrap(); // one instruction: allow
    let filter = format!("seccomp={}", filter.path().display());
    let ambient = ["-u", "5", "--cap-add", "NET_RAW"];
    let filtered = ["--security-opt", &filter];
    for (options, inject, step) in [
        (&ambient[..], "capset:error=EPERM:when=1", "set the capabilities"),
        (&["-u", "5:5"], "setgroups:error=EPERM:when=1", "set the groups"),
        (&["--group-add", "5"], "setgroups:error=EPERM:when=1", "set the groups"),
        (&["--ulimit", "core=0"], "prlimit64:error=EPERM:when=1", "set the limit on core"),
        (&["--ulimit", "core=0:0"], "prlimit64:error=EPERM:when=1", "set the limit on core"),
        (&filtered, "fstat:error=EIO:when=4", "read the seccomp filter"),
    ] {
        let ran = Ran::of(injected(&name, inject, options).output().unwrap());
        let first = ran.err.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("thimble: {step}")), "{inject}: {ran:?}");
        assert_eq!(ran.status, Some(125), "{inject}: {ran:?}");
        assert!(cgroups_with(&name).is_empty(), "{inject}");
    }
}

#[test]
fn an_id_that_the_user_namespace_does_not_map() {
    let name = unique_name();
    let lines = "thimble: set user and group: EINVAL: Invalid argument\n\
        thimble: hint: that id is not mapped in this user namespace: see --uidmap, --gidmap\n";
    for call in ["setresuid", "setresgid"] {
        let inject = format!("{call}:error=EINVAL:when=1");
        fails(&name, injected(&name, &inject, &["-u", "5"]), 125, lines);
    }
}

#[test]
fn each_call_that_sets_up_the_container_is_fatal_if_it_fails() {
    let name = unique_name();
    for (inject, step) in [
        ("rt_sigprocmask:error=EPERM:when=1", "block the signals"),
        ("socketpair:error=EMFILE:when=1", "make a socket pair"),
        ("mmap:error=ENOMEM:when=1", "map the stacks"),
        ("mmap:error=ENOMEM:when=2", "find the cgroup hierarchies"),
        ("sethostname:error=EPERM:when=1", "set the host name"),
        ("setsid:error=EPERM:when=1", "begin a session"),
        ("setpgid:error=EPERM:when=1", "make a process group"),
        ("mount:error=EPERM:when=1", "make all mounts private"),
        ("mount:error=EPERM:when=2", "bind the root file system"),
        ("mount:error=EPERM:when=3", "mount proc on /proc"),
        ("pivot_root:error=EPERM:when=1", "pivot_root"),
        ("umount2:error=EPERM:when=1", "unmount what masked others"),
        ("umount2:error=EPERM:when=2", "unmount the host's root"),
        ("mount_setattr:error=EPERM:when=1", "add nodev and nosuid to"),
        ("chroot:error=EPERM:when=1", "chroot"),
        ("ioctl:error=EPERM:when=1", "set the interface lo up"),
        ("close_range:error=EPERM:when=1", "close the other descriptors"),
        ("setgroups:error=EPERM:when=1", "set the groups"),
        ("prctl:error=EPERM:when=1", "set the death signal"),
        ("prctl:error=EPERM:when=2", "become undumpable"),
    ] {
        let ran = Ran::of(injected(&name, inject, &[]).output().unwrap());
        let first = ran.err.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("thimble: {step}")), "{inject}: {ran:?}");
        assert_eq!(ran.status, Some(125), "{inject}: {ran:?}");
        assert!(cgroups_with(&name).is_empty(), "{inject}");
        assert_eq!(processes_with(&name), [""; 0], "{inject}");
    }
}

//! `thimble init` where reboot(2) ends a pid namespace and no machine: the first process of
//! that is then ended by SIGINT for a power off or halt, by SIGHUP for a restart.

mod common;
use common::*;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A root with thimble in it, and how `init` with these words is started as pid 1 there.
struct Place(tempfile::TempDir);

impl Place {
    fn new(program: &Path) -> Place {
        let root = own_root();
        copy(program, root.path().join("thimble"));
        Place(root)
    }

    fn init(&self, words: &[&str]) -> Command {
        let mut init = command("unshare", &["--pid", "--fork", "--mount", "--cgroup", "chroot"]);
        init.arg(self.0.path()).args(["/thimble", "init"]).args(words);
        init
    }

    /// How the pid namespace ended: by which signal, or else with which status, and what was
    /// written.
    fn ends(&self, words: &[&str]) -> (Option<i32>, Option<i32>, String) {
        end_of(&mut self.init(words))
    }
}

fn end_of(init: &mut Command) -> (Option<i32>, Option<i32>, String) {
    let output = init.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.signal(), output.status.code(), told.into())
}

fn off(lines: &str) -> (Option<i32>, Option<i32>, String) {
    (Some(libc::SIGINT), None, lines.into())
}

#[test]
fn every_exit_status_and_signal_is_told_in_one_line() {
    let place = Place::new(&thimble());
    for status in 0..256 {
        let want = off(&format!("\nthimble-result: exit={status} signal=0\n"));
        assert_eq!(place.ends(&["sh", "-c", &format!("exit {status}")]), want);
    }
    // Of those that end a program, and that busybox's shell does not ignore.
    for signal in
        (1..=64).filter(|signal| ![3, 17, 18, 19, 20, 21, 22, 23, 28, 32, 33].contains(signal))
    {
        let want = off(&format!("\nthimble-result: exit={} signal={signal}\n", 128 + signal));
        assert_eq!(place.ends(&["sh", "-c", &format!("ulimit -c 0; kill -{signal} $$")]), want);
    }
}

#[test]
fn what_fails_ends_the_same_way() {
    let place = Place::new(&thimble());
    std::fs::write(place.0.path().join("text"), "no program").unwrap();
    for (words, status, told) in [
        (&["missing"][..], 127, "thimble: execute missing: ENOENT: No such file or directory\n"),
        (&["/text"], 126, "thimble: execute /text: EACCES: Permission denied\n"),
        (&[], 125, "thimble: COMMAND: is missing, see --help\n"),
        (&["--bogus"], 125, "thimble: unknown option --bogus\n"),
        (
            &["--modules", "/missing.ko", "true"],
            125,
            "thimble: load the module /missing.ko: ENOENT: No such file or directory\n",
        ),
        (
            &["--at-end", "sleep", "true"],
            125,
            "thimble: --at-end sleep: must be poweroff, reboot or halt\n",
        ),
        (
            &["--exit-device", "isa-debug-exit:501", "true"],
            125,
            "thimble: --exit-device isa-debug-exit:501: must be isa-debug-exit or isa-debug-exit:0xPORT on x86, semihosting on aarch64\n",
        ),
        (&["--timeout", "1", "sleep", "1000"], 124, ""),
    ] {
        let (ended, exited, printed) = place.ends(words);
        assert!(printed.starts_with(told), "{words:?}: {printed}");
        if exited.is_some() {
            // No command of thimble's at all, and no machine.
            assert_eq!((exited, printed.as_str()), (Some(125), told));
            continue;
        }
        assert_eq!(ended, Some(libc::SIGINT), "{words:?}: {printed}");
        let signal = if status == 124 { 15 } else { 0 };
        let result = format!("\nthimble-result: exit={status} signal={signal}\n");
        assert!(printed.ends_with(&result), "{words:?}: {printed}");
    }
}

#[test]
fn the_end_is_the_one_that_was_asked_for() {
    let place = Place::new(&thimble());
    for (end, signal) in
        [("poweroff", libc::SIGINT), ("halt", libc::SIGINT), ("reboot", libc::SIGHUP)]
    {
        assert_eq!(place.ends(&["--at-end", end, "true"]).0, Some(signal), "{end}");
    }
}

#[test]
fn what_a_machine_needs_is_mounted_and_what_is_there_stays() {
    let place = Place::new(&thimble());
    for gone in ["proc", "sys", "tmp"] {
        std::fs::remove_dir(place.0.path().join(gone)).unwrap();
    }
    std::fs::create_dir(place.0.path().join("run")).unwrap();
    std::fs::write(place.0.path().join("run/mine"), "").unwrap();
    let script = "cut -d ' ' -f 2-3 /proc/mounts | grep -v '^/ '; ls /run";
    let (.., printed) = place.ends(&["sh", "-c", script]);
    let mounts = "/proc proc\n/sys sysfs\n/sys/fs/cgroup cgroup2\n/dev devtmpfs\n/dev/pts devpts\n\
        /dev/shm tmpfs\n/tmp tmpfs\nmine\n";
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(String::from).collect();
        lines.sort();
        lines
    };
    let want = format!("{mounts}\nthimble-result: exit=0 signal=0\n");
    assert_eq!(sorted(&printed), sorted(&want));
}

#[test]
fn what_cannot_be_mounted_is_told_and_the_command_runs_without() {
    let place = Place::new(&thimble());
    let tmp = place.0.path().join("tmp");
    std::fs::remove_dir(&tmp).unwrap();
    std::fs::write(&tmp, "").unwrap();
    let want = "thimble: warning: mount the machine's /tmp: ENOTDIR: Not a directory\n\
        \nthimble-result: exit=3 signal=0\n";
    assert_eq!(place.ends(&["sh", "-c", "exit 3"]), off(want));
}

#[test]
fn orphans_are_reaped_and_the_rest_ends_with_the_command() {
    let place = Place::new(&thimble());
    let mark = format!("46{}", std::process::id());
    // Until pid 1 has two children left, the script and what sleeps: a zombie would be one, too,
    // which is not waited for without end.
    let script = format!(
        "(sh -c 'sleep 0.1; exit 3' &); (sleep {mark} &); i=0; \
         while [ $i -lt 1000 ] && [ $(wc -w </proc/1/task/1/children) -gt 2 ]; do \
         i=$((i+1)); sleep 0.02; done; ps -o stat | grep Z"
    );
    let (ended, _, printed) = place.ends(&["sh", "-c", &script]);
    assert_eq!(
        (ended, printed.as_str()),
        (Some(libc::SIGINT), "\nthimble-result: exit=1 signal=0\n")
    );
    assert_eq!(processes_with(&format!("sleep {mark}")), Vec::<String>::new());
}

#[test]
fn signals_reach_the_command() {
    let place = Place::new(&thimble());
    // A signal of one's own to pid 1, which nothing but a forwarded one comes back from.
    let script = "trap 'echo caught; exit 5' USR1; kill -USR1 1; while :; do sleep 0.01; done";
    assert_eq!(
        place.ends(&["sh", "-c", script]),
        off("caught\n\nthimble-result: exit=5 signal=0\n")
    );
}

#[test]
fn without_any_descriptor_it_ends_as_well() {
    let place = Place::new(&thimble());
    let by = format!(
        "exec chroot {} /thimble init sh -c ': > /ran' <&- >&- 2>&-",
        place.0.path().display()
    );
    let mut init = command("unshare", &["--pid", "--fork", "--mount", "--cgroup", "sh", "-c", &by]);
    assert_eq!(end_of(&mut init), (Some(libc::SIGINT), None, String::new()));
    assert!(place.0.path().join("ran").exists());
}

#[test]
fn the_environment_is_the_callers_with_a_path() {
    let place = Place::new(&thimble());
    let mut init = place.init(&["env"]);
    let (.., printed) = end_of(
        init.env_clear()
            .env("TERM", "linux")
            .env("layout", "v2")
            .env("PATH", "/usr/sbin:/usr/bin:/bin"),
    );
    for line in ["TERM=linux\n", "layout=v2\n", "PATH=/usr/sbin:/usr/bin:/bin\n"] {
        assert!(printed.contains(line), "{printed}");
    }
    let by =
        format!("exec env -i A=1 /usr/sbin/chroot {} /thimble init env", place.0.path().display());
    let mut init = command("unshare", &["--pid", "--fork", "--mount", "--cgroup", "sh", "-c", &by]);
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";
    assert_eq!(end_of(&mut init), off(&format!("{path}A=1\n\nthimble-result: exit=0 signal=0\n")));
}

#[test]
fn it_is_refused_where_it_is_not_pid_1() {
    let want = "thimble: init: is for pid 1 of a machine, as its end is the machine's\n";
    let ran = run(&["init", "true"]);
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), want));
    // As a container's program, even with all rights, it is not pid 1 either.
    let place = Place::new(&thimble());
    let root = place.0.path().to_str().unwrap();
    let ran = run(&["run", "--privileged", root, "/thimble", "init", "true"]);
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), want));
}

#[test]
fn where_a_reboot_is_refused_the_status_is_that_of_the_command() {
    let place = Place::new(&thimble());
    let mut init = command("unshare", &["--pid", "--fork", "--mount", "--cgroup"]);
    init.args(["setpriv", "--bounding-set=-sys_boot", "--inh-caps=-sys_boot", "chroot"]);
    init.arg(place.0.path()).args(["/thimble", "init", "sh", "-c", "exit 7"]);
    let line = "\nthimble-result: exit=7 signal=0\n";
    assert_eq!(end_of(&mut init), (None, Some(7), line.into()));
}

#[test]
fn a_console_that_takes_nothing_does_not_hold_up_the_end() {
    let place = Place::new(&thimble());
    // A pipe that is full, and that nobody reads.
    let (reader, writer) = std::io::pipe().unwrap();
    // SAFETY: the descriptor is the pipe's.
    let size =
        unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&writer), libc::F_SETPIPE_SZ, 4096) };
    std::io::Write::write_all(&mut &writer, &vec![b' '; size as usize]).unwrap();
    let mut init = place.init(&["true"]);
    let status = init.stdout(Stdio::null()).stderr(writer).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGINT));
    drop(reader);
}

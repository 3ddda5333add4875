//! `thimble check`: what it says of a host, and that its exit status is that of a default run
//! there, whatever the host lacks.

mod common;
use common::*;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// All lines, in their order, and what each says where it is not there.
const LINES: &[(&str, &str)] = &[
    ("default run", "see what it says"),
    ("kernel", ""),
    ("pid", ""),
    ("capabilities", ""),
    ("user namespace", "CONFIG_USER_NS, or as this says; root does without"),
    ("mount namespace", "there is no doing without"),
    ("pid namespace", "CONFIG_PID_NS; --pid host"),
    ("uts namespace", "CONFIG_UTS_NS; --uts host"),
    ("ipc namespace", "CONFIG_IPC_NS; --ipc host"),
    ("network namespace", "CONFIG_NET_NS; --network host"),
    ("cgroup namespace", "CONFIG_CGROUPS; --cgroupns host"),
    ("seccomp filter", "CONFIG_SECCOMP_FILTER; --security-opt seccomp=unconfined"),
    ("pivot_root", "an initramfs or a chroot, left in another way"),
    ("cgroup pids", "CONFIG_CGROUP_PIDS, and yours; no --pids-limit"),
    ("cgroup memory", "CONFIG_MEMCG, and yours; no -m"),
    ("cgroup cpu", "CONFIG_CGROUP_SCHED, and yours; no --cpus"),
    ("cgroup cpuset", "CONFIG_CPUSETS, and yours; no --cpuset-cpus"),
    ("overlay", "CONFIG_OVERLAY_FS; only -x needs it"),
    ("squashfs", "CONFIG_SQUASHFS and root; unpack the image"),
    ("erofs", "CONFIG_EROFS_FS and root; unpack the image"),
    ("move_mount", "Linux 5.2; --uidmap leaves the owners of files"),
    ("mount_setattr", "Linux 5.12; replaced by mount"),
    ("close_range", "Linux 5.9; replaced by close"),
];

/// The lines by their names, without the first, which is of the program that ran.
fn table(out: &str) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    let mut names = LINES.iter();
    for line in out.lines() {
        if line.starts_with("thimble ") || line.starts_with("/proc/sys/") {
            continue;
        }
        let (name, value) = line.split_at(18);
        assert_eq!(Some(name.trim_end()), names.next().map(|(name, _)| *name), "{out}");
        found.insert(name.trim_end(), value);
    }
    assert_eq!(names.next(), None, "{out}");
    for (name, advice) in LINES {
        let says = found[name].strip_prefix("no: ");
        let (errno, said) =
            says.map_or(("", ""), |says| says.rsplit_once(": ").unwrap_or(("", says)));
        assert!(says.is_none() || said == *advice, "{name}: {out}");
        assert_eq!(errno.starts_with('E'), says.is_some() && *name != "default run", "{out}");
    }
    found
}

/// Runs `check`, and a default run, by the same words before both. They have to agree.
fn check(by: &[&str], program: &str) -> Ran {
    let thimble = |words: &[&str]| {
        let line: Vec<&str> = by.iter().chain(&[program]).chain(words).copied().collect();
        Ran::of(command(line[0], &line[1..]).output().unwrap())
    };
    let (before, checked) = (mounts(), thimble(&["check"]));
    assert_eq!(before, mounts(), "the host is as it was");
    let ran = thimble(&[&["run"], OF_THE_HOST, &["/", "/bin/true"]].concat());
    assert_eq!(checked.status, Some(i32::from(ran.status != Some(0))), "{checked:?} {ran:?}");
    // What a run says, the check says too, if it comes so far.
    if !ran.err.starts_with("thimble: clone: ENOSYS") {
        assert_eq!(checked.err, ran.err);
    }
    checked
}

/// Those that are not there, and what is said of them, of which `works` says whether a run works.
fn lacks(ran: &Ran, works: bool) -> BTreeMap<&str, &str> {
    let mut lines = table(&ran.out);
    assert_eq!(lines["default run"] == "yes", works, "{ran:?}");
    assert_eq!(ran.status, Some(i32::from(!works)), "{ran:?}");
    assert_eq!(ran.out.starts_with("thimble "), works, "{ran:?}");
    for fact in ["default run", "kernel", "pid", "capabilities"] {
        lines.remove(fact);
    }
    lines.retain(|_, value| !["yes", "v1", "v2"].contains(value));
    lines
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// By which thimble asks for memory.
#[cfg(target_pointer_width = "64")]
const MMAP: libc::c_long = libc::SYS_mmap;
#[cfg(target_pointer_width = "32")]
const MMAP: libc::c_long = libc::SYS_mmap2;

/// What an ordinary user may not mount, or make cgroups for, though it is there.
const ROOTS: [&str; 6] =
    ["cgroup cpu", "cgroup cpuset", "cgroup memory", "cgroup pids", "erofs", "squashfs"];

#[test]
fn root_has_all_of_it_and_is_told_what_he_is() {
    let ran = check(&["env"], path(&thimble()));
    assert!(lacks(&ran, true).is_empty(), "{ran:?}");
    let lines = table(&ran.out);
    let kernel = Ran::of(command("uname", &["-rm"]).output().unwrap()).good();
    assert_eq!(lines["kernel"], kernel.trim_end());
    assert_eq!(lines["cgroup pids"], "v1", "of this machine");
    assert!(lines["pid"].parse::<u32>().unwrap() > 1);
    let version = run(&["--version"]).good();
    assert!(ran.out.starts_with(&version), "what ran is thimble itself");
    let script = "setpriv --bounding-set=-all,+sys_admin,+chown,+kill --inh-caps=-all \"$@\"";
    let ran =
        Ran::of(command("sh", &["-c", script, "sh", path(&thimble()), "check"]).output().unwrap());
    assert!(table(&ran.out)["capabilities"].contains("all -DAC_OVERRIDE "), "{ran:?}");
}

#[test]
fn an_ordinary_user_is_told_what_only_root_can() {
    let user = Ordinary::new();
    let id = USER.to_string();
    let by = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    let ran = check(&by, path(&user.program()));
    let lacks = lacks(&ran, true);
    assert_eq!(lacks.keys().copied().collect::<Vec<_>>(), ROOTS);
    assert!(lacks["squashfs"].starts_with("no: EPERM: "), "{lacks:?}");
    let said = "no: EACCES: Permission denied: CONFIG_CGROUP_PIDS, and yours; no --pids-limit";
    assert_eq!(lacks["cgroup pids"], said);
    assert_eq!(table(&ran.out)["capabilities"], "");
}

#[test]
fn a_newer_call_that_is_not_there_is_told_and_done_without() {
    for call in ["close_range", "mount_setattr", "open_tree", "move_mount", "all"] {
        let ran = check(&["env"], path(&hiding(call, "check", &program())));
        let lacks = lacks(&ran, true);
        let name = if call == "open_tree" { "move_mount" } else { call };
        let want = if call == "all" {
            vec!["close_range", "mount_setattr", "move_mount"]
        } else {
            vec![name]
        };
        assert_eq!(lacks.keys().copied().collect::<Vec<_>>(), want);
        for said in lacks.values() {
            assert!(said.starts_with("no: ENOSYS: Function not implemented: Linux 5."), "{said}");
        }
    }
}

/// tests/tools/without.c
fn without() -> PathBuf {
    hiding("all", "check", &program()).with_file_name("without")
}

#[test]
fn a_call_that_nothing_goes_without_is_told_and_no_run_works() {
    for (call, line) in [
        (libc::SYS_unshare, "cgroup namespace"),
        (libc::SYS_pivot_root, "pivot_root"),
        (libc::SYS_clone, "mount namespace"),
        (libc::SYS_mount, "overlay"),
    ] {
        let without = without();
        let ran = check(&[path(&without), &call.to_string()], path(&thimble()));
        let lacks = lacks(&ran, false);
        assert!(lacks[line].starts_with("no: ENOSYS: Function not implemented: "), "{ran:?}");
        let alone = [libc::SYS_unshare, libc::SYS_pivot_root].contains(&call);
        assert_eq!(lacks.len() == 1, alone, "{ran:?}");
    }
}

#[test]
fn inside_another_container_it_says_why_there_is_none() {
    let volume = format!("{}:/thimble:ro", thimble().display());
    let (program, root) = (path(&thimble()).to_string(), own_root());
    let root = path(root.path());
    let by = [&program, "run", "-v", &volume, root];
    let ran = check(&by, "/thimble");
    let lacks = lacks(&ran, false);
    assert!(lacks["mount namespace"].starts_with("no: EPERM: "), "{ran:?}");
    assert_eq!(lacks.len(), LINES.len() - 4, "nothing can be made there: {ran:?}");
    let lines = table(&ran.out);
    assert_eq!(lines["pid"], "2");
    assert!(lines["capabilities"].starts_with(" CHOWN DAC_OVERRIDE FOWNER "), "{ran:?}");
    // In one that may do all there is nothing to miss.
    let by = [&program, "run", "--privileged", "-v", &volume, root];
    assert!(self::lacks(&check(&by, "/thimble"), true).is_empty());
    // As pid 1.
    let by = [&program, "run", "--as-pid-1", "-v", &volume, root];
    assert_eq!(table(&check(&by, "/thimble").out)["pid"], "1");
}

#[test]
fn a_limit_on_user_namespaces_is_named() {
    // That of the user namespace of a container, whose users have none left.
    let volume = format!("{}:/thimble:ro", thimble().display());
    let (program, root) = (path(&thimble()).to_string(), debian());
    let script = "echo 0 >/proc/sys/user/max_user_namespaces; \
        exec setpriv --reuid 1000 --regid 1000 --clear-groups \"$@\"";
    let maps = ["--uidmap", "0:100000:65536", "--privileged", "-x"];
    let mut by = vec![program.as_str(), "run"];
    by.extend(maps);
    by.extend(["-v", &volume, path(&root), "sh", "-c", script, "sh"]);
    let ran = check(&by, "/thimble");
    let lacks = lacks(&ran, false);
    assert!(
        lacks["user namespace"].starts_with("no: ENOSPC: No space left on device: CONFIG_USER_NS"),
        "{ran:?}"
    );
    let named: Vec<_> = ran.out.lines().filter(|line| line.starts_with("/proc/sys")).collect();
    assert_eq!(named, ["/proc/sys/user/max_user_namespaces is 0"]);
}

#[test]
fn a_file_of_the_kernels_that_forbids_user_namespaces_is_named() {
    // What Debian's kernels have, and those with AppArmor; this one need not.
    let (first, second) = ("unprivileged_userns_clone", "apparmor_restrict_unprivileged_userns");
    for (values, want) in
        [(["0", "1"], ["0", "1"]), (["1", "0"], ["", ""]), (["0", "0"], ["0", ""])]
    {
        let [one, other] = values;
        let script = format!(
            "mount -t tmpfs none /proc/sys/kernel && cd /proc/sys/kernel && echo {one} >{first} && \
             echo {other} >{second} && exec \"$@\""
        );
        let ran = check(&["unshare", "-m", "sh", "-c", &script, "sh"], path(&thimble()));
        assert!(lacks(&ran, true).is_empty(), "{ran:?}");
        let named: Vec<_> = ran.out.lines().filter(|line| line.starts_with("/proc/sys")).collect();
        let line = |name: &str, value: &str| format!("/proc/sys/kernel/{name} is {value}");
        let want = [(first, want[0]), (second, want[1])];
        let want = want.iter().filter(|(_, value)| !value.is_empty());
        assert_eq!(named, want.map(|(name, value)| line(name, value)).collect::<Vec<_>>());
    }
}

#[test]
fn another_root_and_a_command_can_be_tried() {
    let place = tempfile::tempdir().unwrap();
    let root = path(place.path());
    let ran = run(&["check", root]);
    assert!(lacks(&ran, false).is_empty(), "{ran:?}");
    let lines = "thimble: mount proc on /proc: ENOENT: No such file or directory\n\
        thimble: hint: ROOTFS needs an empty directory of that name to mount it on\n";
    assert_eq!(ran.err, lines);
    assert_eq!(fs::read_dir(root).unwrap().count(), 0);
    for status in ["3", "201"] {
        let ran = run(&["check", path(&busybox()), "sh", "-c", &format!("exit {status}")]);
        assert_eq!((ran.status, ran.err.as_str()), (Some(1), ""));
        assert!(ran.out.starts_with("default run       no: see what it says\n"), "{ran:?}");
    }
    let ran = run(&["check", path(&busybox()), "echo", "said"]);
    assert!(ran.status == Some(0) && ran.out.starts_with("said\n"), "{ran:?}");
}

#[test]
fn what_the_caller_ignores_or_closes_does_not_matter() {
    let usual = run(&["check"]);
    for script in ["trap '' CHLD INT HUP; exec \"$@\"", "exec \"$@\" <&-", "cd /proc; exec \"$@\""]
    {
        let ran = Ran::of(
            command("sh", &["-c", script, "sh", path(&thimble()), "check"]).output().unwrap(),
        );
        let without_pid = |out: &str| {
            out.lines().filter(|l| !l.starts_with("pid  ")).map(String::from).collect::<Vec<_>>()
        };
        assert_eq!(without_pid(&ran.out), without_pid(&usual.out), "{script}");
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{script}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = Ran::of(command(thimble(), &["check"]).stdout(full).output().unwrap());
    assert_eq!(ran.status, Some(125), "{ran:?}");
    assert!(ran.err.ends_with("write to standard output: ENOSPC: No space left on device\n"));
}

/// A run of `check` under tests/tools/fault.c: what that told, and what came of it.
fn traced(fault: &Path, place: &Path, what: [&str; 4]) -> (Vec<String>, Ran) {
    let at = |name: &str| place.join(name);
    fs::write(at("go"), "\n".repeat(64)).unwrap();
    let traced = Command::new(fault)
        .args(what)
        .args(["/dev/null".into(), at("out"), at("err"), thimble()])
        .arg("check")
        .stdin(File::open(at("go")).unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8(traced.stdout).unwrap();
    let told: Vec<_> = told.lines().map(String::from).collect();
    assert!(traced.status.success(), "it hangs: {what:?} {told:?}");
    let end =
        told.last().and_then(|line| line.strip_prefix("end ")).unwrap().parse::<i32>().unwrap();
    let read = |name| fs::read_to_string(at(name)).unwrap();
    (
        told,
        Ran { status: (end & 0x7f == 0).then_some(end >> 8), out: read("out"), err: read("err") },
    )
}

#[test]
fn each_call_that_fails_is_told_and_nothing_is_left() {
    let place = tempfile::tempdir().unwrap();
    let fault = place.path().join("fault");
    cc(Path::new("tests/tools/fault.c"), &fault);
    let (told, usual) = traced(&fault, place.path(), ["0", "-1", "0", "0"]);
    assert_eq!((usual.status, usual.err.as_str()), (Some(0), ""));
    let mut counts = BTreeMap::new();
    let mut cases = BTreeSet::new();
    for line in told.iter().filter_map(|line| line.strip_prefix("call ")) {
        let mut words = line.split(' ');
        let (process, number) = (words.next().unwrap(), words.next().unwrap());
        // The run has tests of its own, and the end of a process does not fail.
        let run = process == "0.1" || process.starts_with("0.1.");
        let sure = [libc::SYS_exit_group, libc::SYS_getpid, libc::SYS_close, libc::SYS_munmap];
        if !run && !sure.iter().any(|call| call.to_string() == number) {
            let count = counts.entry((process, number)).or_insert(0);
            *count += 1;
            cases.insert((process, number, *count));
        }
    }
    assert!(cases.len() > 80, "{cases:?}");
    let facts = |out: &str| {
        out.lines().filter(|l| !l.starts_with("pid  ")).map(String::from).collect::<Vec<_>>()
    };
    let cases = cases.iter().flat_map(|case| [(case, libc::EPERM), (case, libc::ENOMEM)]);
    for ((process, number, count), errno) in cases {
        let is = |call: libc::c_long| *number == call.to_string();
        let what = [*process, *number, &count.to_string(), &errno.to_string()];
        let (told, ran) = traced(&fault, place.path(), what);
        let hit = told.iter().find(|line| line.starts_with("hit ")).unwrap();
        let left: Vec<_> = told.iter().filter(|line| line.starts_with("left ")).collect();
        assert!(left.is_empty(), "{what:?}: {left:?}");
        // What cannot be read is not known to forbid anything, cgroups are found without it, and
        // what is asked for twice is known by then.
        let list = is(libc::SYS_read) || is(MMAP) || is(libc::SYS_mremap);
        let harmless = list || hit.contains("/proc/s") || is(libc::SYS_uname);
        let differs = facts(&ran.out) != facts(&usual.out);
        let fatal = ran.status == Some(125) && ran.err.starts_with("thimble: ");
        assert!(
            differs || fatal || harmless && ran == usual_but_pid(&usual, &ran),
            "{hit}: {ran:?}"
        );
        if !fatal {
            table(&ran.out);
            assert!(!ran.out.starts_with("default run       no: ") || !ran.err.is_empty(), "{hit}");
        }
    }
}

/// With the other's line of the pid.
fn usual_but_pid(usual: &Ran, ran: &Ran) -> Ran {
    let line = |out: &str| out.lines().find(|line| line.starts_with("pid  ")).unwrap().to_string();
    Ran { out: usual.out.replace(&line(&usual.out), &line(&ran.out)), ..usual.clone() }
}

#[test]
fn a_kernel_without_overlays_is_told_and_a_run_does_without() {
    let place = tempfile::tempdir().unwrap();
    let fault = place.path().join("fault");
    cc(Path::new("tests/tools/fault.c"), &fault);
    let (told, _) = traced(&fault, place.path(), ["0", "-1", "0", "0"]);
    let call = told.iter().find(|line| line.contains(" overlay / overlay")).unwrap();
    let process = call.split(' ').nth(1).unwrap();
    let mount = libc::SYS_mount.to_string();
    let (_, ran) = traced(&fault, place.path(), [process, &mount, "2", &libc::ENODEV.to_string()]);
    let lacks = lacks(&ran, true);
    let said = "no: ENODEV: No such device: CONFIG_OVERLAY_FS; only -x needs it";
    assert_eq!(lacks.into_iter().collect::<Vec<_>>(), [("overlay", said)]);
}

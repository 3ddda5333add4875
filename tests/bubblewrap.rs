//! What bubblewrap promises and tests of itself, in thimble's words: as root, and
//! as an ordinary user, for whom it is made. What differs on purpose is in the
//! README under "Coming from bubblewrap", and has its test here as well.

mod common;
use common::*;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Somebody who runs containers, with a root file system of his own.
enum Caller {
    Root(tempfile::TempDir),
    Ordinary(Ordinary),
}

impl Caller {
    fn root(&self) -> PathBuf {
        match self {
            Caller::Root(root) => root.path().into(),
            Caller::Ordinary(ordinary) => ordinary.root(),
        }
    }

    /// `thimble run WORDS`
    fn command(&self, words: &[&str]) -> Command {
        let words = [&["run"], words].concat();
        match self {
            Caller::Root(_) => command(thimble(), &words),
            Caller::Ordinary(ordinary) => ordinary.thimble(&words),
        }
    }

    /// `thimble run OPTIONS ROOT WORDS`
    fn run(&self, options: &[&str], words: &[&str]) -> Ran {
        let root = self.root();
        let words = [options, &[root.to_str().unwrap()], words].concat();
        Ran::of(self.command(&words).output().unwrap())
    }

    fn sh(&self, options: &[&str], script: &str) -> Ran {
        self.run(options, &["/bin/sh", "-c", script])
    }

    /// Makes an entry of the root, which then is the caller's, or looks at one.
    fn put(&self, path: &str, make: impl Fn(&Path)) {
        let path = self.root().join(path);
        make(&path);
        if let (Caller::Ordinary(_), true) = (self, path.symlink_metadata().is_ok()) {
            std::os::unix::fs::lchown(path, Some(USER), Some(USER)).unwrap();
        }
    }
}

/// Both kinds of callers.
fn callers() -> [Caller; 2] {
    [Caller::Root(own_root()), Caller::Ordinary(Ordinary::new())]
}

/// Something to bind, which everybody can read: a file, directories, and links to them.
fn source() -> tempfile::TempDir {
    let source = tempfile::tempdir().unwrap();
    let path = source.path();
    fs::write(path.join("file"), "hello\n").unwrap();
    fs::write(path.join("other"), "other\n").unwrap();
    fs::create_dir(path.join("dir")).unwrap();
    fs::write(path.join("dir/child"), "child\n").unwrap();
    symlink(path.join("file"), path.join("link-to-file")).unwrap();
    symlink(path.join("link-to-file"), path.join("link-to-link")).unwrap();
    symlink("dir", path.join("link-to-dir")).unwrap();
    symlink(path, path.join("link-to-all")).unwrap();
    let opened = command("chmod", &["-R", "a+rwX"]).arg(path).status().unwrap();
    assert!(opened.success());
    source
}

fn volume(source: &tempfile::TempDir, from: &str, to: &str) -> String {
    format!("{}/{from}:{to}", source.path().display())
}

/// Flags of the mount at a place, as the program sees them.
fn flags_of(place: &str) -> String {
    format!("awk '$5 == \"{place}\" {{ print $6 }}' /proc/self/mountinfo")
}

const INERT: &str = "nosuid,nodev";

#[test]
fn files_and_directories_are_bound_also_through_links_and_dots() {
    for caller in callers() {
        let source = source();
        for (from, want) in [
            ("file", "hello"),
            ("dir/../file", "hello"),
            ("link-to-file", "hello"),
            ("link-to-link", "hello"),
            ("link-to-all/file", "hello"),
        ] {
            for (mode, access) in [("", "rw"), (":ro", "ro")] {
                let volume = volume(&source, from, &format!("/made/for/it{mode}"));
                let script =
                    format!("cat /made/for/it; {}; test -f /made/for/it", flags_of("/made/for/it"));
                let out = caller.sh(&["-v", &volume], &script).good();
                assert!(out.starts_with(&format!("{want}\n{access},{INERT}")), "{volume}: {out}");
            }
        }
        for from in ["dir", "link-to-dir", "link-to-all/dir"] {
            for (mode, access) in [("", "rw"), (":ro", "ro")] {
                let volume = volume(&source, from, &format!("/a/directory{mode}"));
                let script = format!("cat /a/directory/child; {}", flags_of("/a/directory"));
                let out = caller.sh(&["-v", &volume], &script).good();
                assert!(out.starts_with(&format!("child\n{access},{INERT}")), "{volume}: {out}");
            }
        }
    }
}

#[test]
fn links_in_the_root_are_mounted_over_where_they_lead() {
    for caller in callers() {
        let source = source();
        caller.put("place", |path| fs::create_dir(path).unwrap());
        caller.put("old", |path| fs::write(path, "old\n").unwrap());
        caller.put("relative", |path| symlink("place", path).unwrap());
        caller.put("absolute", |path| symlink("/place", path).unwrap());
        caller.put("file", |path| symlink("/old", path).unwrap());
        // What an absolute link names is in the root, whatever the host has of that name.
        for (from, to, show, point) in [
            ("dir", "/relative", "/place/child", "/place"),
            ("dir", "/absolute", "/place/child", "/place"),
            ("file", "/file", "/old", "/old"),
            ("file", "/relative/child", "/place/child", "/place/child"),
            ("file", "/absolute/deep/er", "/place/deep/er", "/place/deep/er"),
        ] {
            let volume = volume(&source, from, to);
            let script = format!("cat {show}; grep -c ' {point} ' /proc/self/mountinfo");
            let want = if from == "dir" { "child\n1\n" } else { "hello\n1\n" };
            assert_eq!(caller.sh(&["-v", &volume], &script).good(), want, "{volume}");
        }
        let scratch = ["--tmpfs", "/relative"];
        assert_eq!(caller.sh(&scratch, "touch /place/x; ls /relative").good(), "x\n");
        // A link that leads nowhere is not made anything of.
        caller.put("dangling", |path| symlink("nowhere", path).unwrap());
        let ran = caller.sh(&["-v", &volume(&source, "dir", "/dangling")], "true");
        assert_eq!(ran.status, Some(125), "{ran:?}");
        caller.put("nowhere", |path| assert!(!path.exists()));
    }
}

#[test]
fn the_later_mount_lies_on_the_earlier_and_may_lie_in_it() {
    for caller in callers() {
        let source = source();
        let (first, second) = (volume(&source, "other", "/f"), volume(&source, "file", "/f"));
        assert_eq!(caller.sh(&["-v", &first, "-v", &second], "cat /f").good(), "hello\n");
        assert_eq!(caller.sh(&["-v", &second, "-v", &first], "cat /f").good(), "other\n");
        // In a tmpfs, with the directories on the way made.
        let inner = volume(&source, "file", "/t/sub/dir/f:ro");
        let script = "cat /t/sub/dir/f; stat -c '%a %u %g' /t/sub /t/sub/dir; touch /t/sub/x";
        let out = caller.sh(&["--tmpfs", "/t", "-v", &inner], script).good();
        assert_eq!(out, "hello\n755 0 0\n755 0 0\n");
        caller.put("t/sub", |path| assert!(!path.exists(), "made on the host"));
        // And the other way round it is gone.
        let out = caller.sh(&["-v", &inner, "--tmpfs", "/t"], "ls /t").good();
        assert_eq!(out, "");
    }
}

#[test]
fn what_cannot_be_bound_is_an_error_that_names_it() {
    for caller in callers() {
        let source = source();
        caller.put("a-file", |path| fs::write(path, "").unwrap());
        caller.put("a-directory", |path| fs::create_dir(path).unwrap());
        let hint = "\nthimble: hint: a directory goes over a directory, a file over a file";
        let no_directory = format!("ENOTDIR: Not a directory{hint}");
        for (from, to, why) in [
            ("missing", "/x", "ENOENT: No such file or directory".to_string()),
            ("file", "/a-file/child", no_directory.clone()),
            ("dir", "/a-file/child", no_directory.clone()),
            ("dir", "/a-file", no_directory.clone()),
            ("file", "/a-directory", no_directory),
        ] {
            let volume = volume(&source, from, to);
            let want = format!("thimble: mount {volume}: {why}\n");
            let ran = caller.sh(&["-v", &volume], "echo ran");
            assert_eq!((ran.status, ran.out.as_str(), ran.err), (Some(125), "", want));
        }
    }
}

#[test]
fn nothing_can_be_read_that_the_caller_could_not() {
    let ordinary = Caller::Ordinary(Ordinary::new());
    let secret = tempfile::tempdir().unwrap();
    let alone = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(secret.path(), alone).unwrap();
    fs::write(secret.path().join("readable"), "secret\n").unwrap();
    let ran = ordinary.sh(&["-v", "/etc/shadow:/shadow"], "cat /shadow");
    let want = "cat: can't open '/shadow': Permission denied\n";
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", want));
    let volume = format!("{}/readable:/readable", secret.path().display());
    let ran = ordinary.sh(&["-v", &volume], "cat /readable");
    let want = format!("thimble: mount {volume}: EACCES: Permission denied\n");
    assert_eq!((ran.status, ran.err), (Some(125), want));
    // Not by capabilities either, which are those of his own namespace.
    let ran = ordinary.sh(&["--cap-add", "ALL", "-v", "/etc/shadow:/shadow"], "cat /shadow");
    assert_eq!(ran.out, "");
}

#[test]
fn read_only_is_read_only() {
    for caller in callers() {
        let source = source();
        let (file, dir) = (volume(&source, "file", "/f:ro"), volume(&source, "dir", "/d:ro"));
        let script = "(echo x > /f) 2>&1; (echo x >> /d/child) 2>&1; touch /d/new; rm -f /d/child; chmod 777 /d; cat /f /d/child";
        let ran = caller.sh(&["-v", &file, "-v", &dir], script);
        assert_eq!(ran.err.matches("Read-only file system").count(), 3, "{ran:?}");
        assert_eq!(ran.out.matches("Read-only file system").count(), 2, "{ran:?}");
        assert!(ran.out.ends_with("hello\nchild\n"), "{ran:?}");
        assert_eq!(fs::read_to_string(source.path().join("file")).unwrap(), "hello\n");
        // The program cannot make it writable again, as root inside and with the right to mount.
        let again = "mount -o remount,rw,bind /d 2>&1; mount -o remount,rw /d 2>&1; touch /d/new";
        for options in [&[][..], &["--cap-add", "SYS_ADMIN"]] {
            let ran = caller.sh(&[options, &["-v", &dir]].concat(), again);
            assert!(ran.status != Some(0) && !source.path().join("dir/new").exists(), "{ran:?}");
        }
        // A read-only root, with a place to write.
        let script = "touch /x 2>/dev/null || touch /tmp/x && ls /tmp";
        assert_eq!(caller.sh(&["--read-only", "--tmpfs", "/tmp"], script).good(), "x\n");
    }
}

#[test]
fn a_tmpfs_has_its_size_mode_and_flags() {
    for caller in callers() {
        for (options, mode, kilobytes, flags) in [
            ("", "1777", None, "rw,nosuid,nodev,noexec"),
            (":mode=0755", "755", None, "rw,nosuid,nodev,noexec"),
            (":mode=700,size=64k", "700", Some("64"), "rw,nosuid,nodev,noexec"),
            (":size=65536,exec", "1777", Some("64"), "rw,nosuid,nodev,relatime"),
            (":ro", "1777", None, "ro,nosuid,nodev,noexec"),
        ] {
            let tmpfs = format!("/made/t{options}");
            let script = format!(
                "stat -f -c %T /made/t; stat -c '%a %u %g' /made/t; {}; df -k /made/t | awk 'END {{ print $2 }}'",
                flags_of("/made/t")
            );
            let out = caller.sh(&["--tmpfs", &tmpfs], &script).good();
            let lines: Vec<_> = out.lines().collect();
            assert_eq!(lines[..2], ["tmpfs", &format!("{mode} 0 0")], "{options}");
            assert!(lines[2].starts_with(flags), "{options}: {out}");
            assert_eq!(*kilobytes.as_ref().unwrap_or(&lines[3]), lines[3], "{options}");
        }
        let fill = "dd if=/dev/zero of=/t/x bs=1k count=65 2>/dev/null; stat -c %s /t/x";
        assert_eq!(caller.sh(&["--tmpfs", "/t:size=64k"], fill).out, "65536\n");
        // Nothing of it is left.
        caller.put("t/x", |path| assert!(!path.exists()));
    }
}

#[test]
fn dev_has_what_programs_expect_and_is_the_containers_own() {
    for caller in callers() {
        let script = "for n in null zero full random urandom tty; do test -c /dev/$n || echo no $n; done; \
            for n in stdin stdout stderr fd ptmx; do test -L /dev/$n || echo no $n; done; \
            for n in pts shm; do test -d /dev/$n || echo no $n; done; \
            echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && \
            head -c 4 /dev/random | wc -c && (echo x > /dev/full) 2>/dev/null || echo full; \
            touch /dev/mine /dev/shm/mine && (echo out > /dev/stdout) | cat && ls /dev/mine";
        assert_eq!(caller.sh(&[], script).good(), "4\n4\n4\nfull\nout\n/dev/mine\n");
        // None of the host's others.
        let out = caller.sh(&[], "ls /dev | tr '\\n' ' '").good();
        let want = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ";
        assert_eq!(out, want);
        // A user other than root can use them.
        let script = "echo x > /dev/null && head -c 4 /dev/urandom | wc -c && touch /dev/shm/x";
        assert_eq!(caller.sh(&["-u", "7:7"], script).good(), "4\n");
    }
    assert!(!Path::new("/dev/mine").exists());
}

#[test]
fn proc_is_the_containers_own_and_its_switches_are_read_only() {
    for caller in callers() {
        let out = caller
            .sh(&[], "set -- /proc/[0-9]*; echo $#; test -L /proc/self; readlink /proc/self/exe")
            .good();
        assert_eq!(out, "2\n/bin/busybox\n", "pid 1 and sh are all there is");
        let script = "for n in sys/kernel/hostname sys/kernel/core_pattern sysrq-trigger irq/default_smp_affinity; do \
            test -e /proc/$n || continue; (echo x > /proc/$n) 2>/dev/null && echo $n was written; done; true";
        assert_eq!(caller.sh(&["--cap-add", "ALL"], script).good(), "");
    }
}

#[test]
fn capabilities_are_few_and_can_be_fewer() {
    let set =
        "sed -n 's/^CapEff:\\t//p; s/^CapPrm:\\t//p; s/^CapBnd:\\t//p' /proc/self/status | uniq";
    let parse = |text: &str| u64::from_str_radix(text.trim(), 16).unwrap();
    let bit = |number: u32| 1u64 << number;
    for caller in callers() {
        assert_eq!(parse(&caller.sh(&["--cap-drop", "ALL"], set).good()), 0);
        let some = ["--cap-drop", "CAP_KILL", "--cap-drop", "CAP_FOWNER"];
        let some = parse(&caller.sh(&some, set).good());
        let (kill, fowner, net_bind_service) = (bit(5), bit(3), bit(10));
        assert_eq!(some & (kill | fowner | net_bind_service), net_bind_service);
        let one = ["--cap-drop", "ALL", "--cap-add", "CAP_NET_BIND_SERVICE"];
        assert_eq!(parse(&caller.sh(&one, set).good()), net_bind_service);
        // None at all for a user other than root, also of pid 1's that could be taken over.
        let other = "grep -h -E '^Cap(Eff|Prm|Inh|Amb)' /proc/self/status | sort -u | grep -v 0000000000000000; id -u";
        assert_eq!(caller.sh(&["-u", "1000"], other).good(), "1000\n");
        // Unlike bubblewrap's, the default for root is not all that the caller has.
        assert_eq!(parse(&caller.sh(&[], set).good()), 0x8004_05fb);
    }
}

#[test]
fn options_end_at_the_root_or_at_two_dashes_and_odd_words_stay_as_they_are() {
    for caller in callers() {
        caller.put("bin/--odd name", |path| {
            fs::write(path, "#!/bin/sh\nfor word; do echo \"<$word>\"; done\n").unwrap();
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        });
        let root = caller.root();
        let root = root.to_str().unwrap();
        let words = [
            "--odd name",
            "--",
            "--tmpfs",
            "/x",
            "",
            " ",
            "a\nb",
            "é\\\"'$HOME*",
            "-h",
            "=",
            "\u{1}",
        ];
        let want: String = words[1..].iter().map(|word| format!("<{word}>\n")).collect();
        assert_eq!(caller.run(&[], &words).good(), want);
        let ran = Ran::of(caller.command(&[&["--", root], &words[..]].concat()).output().unwrap());
        assert_eq!(ran.good(), want);
        // An option behind the root is a command's name, and not an option.
        let ran = caller.run(&[], &["--tmpfs", "/x", "sh", "-c", "echo should not have run"]);
        let line = "thimble: execute --tmpfs: ENOENT: No such file or directory\n";
        assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (Some(127), "", line));
        // Before it, it is one, unless it stands behind the dashes.
        assert_eq!(caller.run(&["--tmpfs", "/x"], &["ls", "/x"]).good(), "");
        let ran = Ran::of(caller.command(&["--", "--tmpfs", "/x"]).output().unwrap());
        let lines = "thimble: open the root file system --tmpfs: ENOENT: No such file or directory\n\
            thimble: hint: ROOTFS is the directory that holds the container's files\n";
        assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
    }
}

#[test]
fn the_environment_is_thimbles_and_what_was_asked_for() {
    for caller in callers() {
        // The caller's is not passed on, unlike with bubblewrap (--clearenv there).
        let root = caller.root();
        let words = [
            "-e",
            "SET=1",
            "-e",
            "SET=2",
            "-e",
            "EMPTY=",
            "-e",
            "FROM_CALLER",
            "-e",
            "NOT_THERE",
            "-e",
            "EQUALS=a=b",
            "-e",
            "LINES=a\nb",
            "-e",
            "TERM=dumb",
            root.to_str().unwrap(),
            "env",
        ];
        let mut command = caller.command(&words);
        let output = command.env("FROM_CALLER", "yes").env("OTHER", "no").output().unwrap();
        let mut lines: Vec<_> = Ran::of(output).good().lines().map(String::from).collect();
        lines.retain(|line| !line.starts_with("HOSTNAME=thimble-"));
        lines.sort();
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let want = [
            "EMPTY=",
            "EQUALS=a=b",
            "FROM_CALLER=yes",
            "HOME=/root",
            "LINES=a",
            path,
            "SET=2",
            "TERM=dumb",
            "b",
        ];
        assert_eq!(lines, want);
        // Unset inside, and none at all.
        assert_eq!(
            caller.run(&[], &["env", "-u", "TERM", "sh", "-c", "echo ${TERM-none}"]).good(),
            "none\n"
        );
        assert_eq!(caller.run(&[], &["env", "-i", "/bin/busybox", "env"]).good(), "");
    }
}

#[test]
fn the_program_starts_in_the_root_or_where_asked_and_the_host_name_is_its_own() {
    for caller in callers() {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        // Not where the caller is, unlike with bubblewrap.
        assert_eq!(caller.sh(&[], "pwd; pwd -P").good(), "/\n/\n");
        assert_eq!(caller.sh(&["-w", "/etc"], "pwd; ls passwd").good(), "/etc\npasswd\n");
        let ran = caller.sh(&["-w", "/missing"], "true");
        let line = "thimble: change to the working directory /missing: ENOENT: No such file or directory\n";
        assert_eq!((ran.status, ran.err.as_str()), (Some(125), line));
        let out = caller.sh(&["-h", "testhost"], "uname -n; hostname; echo $HOSTNAME");
        assert_eq!(out.good(), "testhost\n".repeat(3));
        assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), host);
    }
}

#[test]
fn the_exit_status_is_the_programs_or_says_whose_failure_it_was() {
    for caller in callers() {
        caller.put("etc/not-executable", |path| fs::write(path, "x").unwrap());
        for (options, words, want) in [
            (&[][..], &["true"][..], 0),
            (&[], &["false"], 1),
            (&[], &["sh", "-c", "exit 42"], 42),
            (&[], &["sh", "-c", "kill -TERM $$"], 128 + 15),
            (&[], &["sh", "-c", "kill -KILL $$"], 128 + 9),
            (&[], &["missing"], 127),
            (&[], &["/etc/not-executable"], 126),
            (&[], &["/etc"], 126),
            (&["--frob"], &["true"], 125),
            (&["-v", "/missing:/x"], &["true"], 125),
        ] {
            let ran = caller.run(options, words);
            assert_eq!(ran.status, Some(want), "{options:?} {words:?}: {ran:?}");
            // Of a failure of its own or an exec that failed thimble says the reason, and else nothing.
            assert_eq!(ran.err.starts_with("thimble: "), (125..128).contains(&want), "{ran:?}");
        }
    }
}

#[test]
fn pid_1_reaps_and_takes_everything_with_it() {
    for caller in callers() {
        let script = "for n in 1 2 3; do (sleep 0 & exec true); done; (sleep 31337 &); \
            while ps -o stat | grep -q Z; do :; done; ps -o pid,comm | head -n 3 | tail -n 2; exit 5";
        let ran = caller.sh(&[], script);
        assert_eq!(
            (ran.status, ran.out.as_str()),
            (Some(5), "    1 thimble\n    2 sh\n"),
            "{ran:?}"
        );
        let root = caller.root();
        assert_eq!(processes_with(root.to_str().unwrap()), [""; 0]);
    }
}

#[test]
fn signals_are_passed_on() {
    // With bubblewrap this takes --forward-signals.
    for caller in callers() {
        let root = caller.root();
        let script = "trap 'echo USR1; exit 3' USR1; echo ready; while :; do sleep 0.02; done";
        let words = [root.to_str().unwrap(), "/bin/sh", "-c", script];
        let mut child =
            caller.command(&words).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert_eq!(line, "ready\n");
        command("kill", &["-USR1", &child.id().to_string()]).status().unwrap();
        std::io::Read::read_to_string(&mut out, &mut line).unwrap();
        assert_eq!((child.wait().unwrap().code(), line.as_str()), (Some(3), "ready\nUSR1\n"));
    }
}

#[test]
fn the_hosts_root_needs_no_preparation() {
    for caller in callers() {
        let mark = tempfile::NamedTempFile::new_in("/tmp").unwrap();
        let path = mark.path().to_str().unwrap();
        let script = "test ! -e $0 && touch /tmp/x && ls /tmp && test -x /usr/bin/env";
        let words = [OF_THE_HOST, &["--tmpfs", "/tmp", "/", "/bin/sh", "-c", script, path]];
        assert_eq!(Ran::of(caller.command(&words.concat()).output().unwrap()).good(), "x\n");
    }
}

#[test]
fn a_container_runs_in_a_container_that_may() {
    for caller in callers() {
        let copy = tempfile::tempdir().unwrap();
        fs::set_permissions(copy.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        common::copy(thimble(), copy.path().join("thimble"));
        let volume = format!("{}:/runner:ro", copy.path().display());
        let inner = ["/runner/thimble", "run", "--bare", "/", "ps", "-o", "pid,comm"];
        let out = caller.run(&["--privileged", "-v", &volume], &inner).good();
        assert_eq!(out, "PID   COMMAND\n    1 thimble\n    2 ps\n");
        // By default it may not: the filter has no new namespaces.
        let ran = caller.run(&["-v", &volume], &inner);
        let lines = "thimble: clone: EPERM: Operation not permitted\n";
        assert!(ran.status == Some(125) && ran.err.starts_with(lines), "{ran:?}");
    }
    // For root, also with everything that is on by default.
    let [caller, _] = callers();
    let volume = format!("{}:/thimble:ro", thimble().display());
    let out =
        caller.run(&["--privileged", "-v", &volume], &["/thimble", "run", "/", "ls", "/dev/null"]);
    assert_eq!(out.good(), "/dev/null\n");
}

#[test]
fn the_filter_answers_as_it_should() {
    // bubblewrap's own choice of calls, with arguments that the kernel refuses by another errno
    // than the filter does.
    let (efault, ebadf, eperm, enosys) = (14, 9, 1, 38);
    let (root, mut script, mut want) = (debian(), String::new(), String::new());
    for (name, call, arguments, answer) in [
        ("chmod", libc::SYS_fchmodat, "-100, 1, 0", efault),
        ("chroot", libc::SYS_chroot, "1", efault),
        ("clone3", libc::SYS_clone3, "1, 64", enosys),
        ("TIOCNOTTY", libc::SYS_ioctl, "-1, 0x5422, 0", ebadf),
        ("TIOCSTI", libc::SYS_ioctl, "-1, 0x5412, 0", eperm),
        ("TIOCSTI, high bits", libc::SYS_ioctl, "-1, 0x1_0000_5412, 0", eperm),
        ("listen", libc::SYS_listen, "-1, 1", ebadf),
        ("prctl", libc::SYS_prctl, "15, 1", efault),
    ] {
        script.push_str(&format!("syscall({call}, {arguments}); print '{name} ', $!+0, qq(\\n);"));
        want.push_str(&format!("{name} {answer}\n"));
    }
    assert_eq!(run(&["run", root.to_str().unwrap(), "perl", "-e", &script]).good(), want);
}

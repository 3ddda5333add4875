//! Who the program is: `--user` and `--group-add` by the image's own files,
//! and what an image can do with these files, which is nothing.

mod common;
use common::*;

use std::fs;
use std::path::Path;

const PASSWD: &str = "\
root:x:0:0:root:/home of root:/bin/sh
alice:x:1000:100:Alice,,,:/home/alice:/bin/sh
bob:x:1001:1001::

";
const GROUP: &str = "\
root:x:0:
users:x:100:alice
staff:x:50:bob,alice
audio:x:29:alice
al:x:7:al,alicex,xalice
odd:x:4294967294:
";

/// A root with these two files.
fn root_with(passwd: &[u8], group: &[u8]) -> tempfile::TempDir {
    let root = own_root();
    fs::write(root.path().join("etc/passwd"), passwd).unwrap();
    fs::write(root.path().join("etc/group"), group).unwrap();
    root
}

fn good_root() -> tempfile::TempDir {
    root_with(PASSWD.replace("1001::\n", "1001:::\n").as_bytes(), GROUP.as_bytes())
}

/// `UID GID GROUPS HOME` inside.
fn who(root: &Path, options: &[&str]) -> Ran {
    let script = "sed -n 's/^[UG]id:.\\([0-9]*\\).*/\\1/p; s/^Groups:.//p' /proc/self/status | tr '\\n' ' '; echo $HOME";
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.to_str().unwrap(), "sh", "-c", script]);
    run(&words)
}

fn refused(root: &Path, options: &[&str], lines: &str) {
    let ran = who(root, options);
    assert_eq!((ran.status, ran.err.as_str(), ran.out.as_str()), (Some(125), lines, ""));
}

#[test]
fn users_and_groups_are_found_as_docker_finds_them() {
    let root = good_root();
    for (options, want) in [
        // A listed user brings its groups and its home, whether by name or by number.
        (&["-u", "alice"][..], "1000 100 29 50 100  /home/alice"),
        (&["-u", "1000"], "1000 100 29 50 100  /home/alice"),
        (&["-u", "0"], "0 0 0  /home of root"),
        // An explicit group is the only one.
        (&["-u", "alice:staff"], "1000 50 50  /home/alice"),
        (&["-u", "alice:5"], "1000 5 5  /home/alice"),
        (&["-u", "5:staff"], "5 50 50  /"),
        (&["-u", "5:odd"], "5 4294967294 4294967294  /"),
        // Numbers that nobody lists.
        (&["-u", "5"], "5 0 0  /"),
        (&["-u", "5:6"], "5 6 6  /"),
        (&["-u", "0:6"], "0 6 6  /home of root"),
        (&["-u", "4294967294:4294967294"], "4294967294 4294967294 4294967294  /"),
        (&["-u", "007:07"], "7 7 7  /"),
        // No home is none.
        (&["-u", "bob"], "1001 1001 50 1001  /"),
        // More groups, of anybody.
        (&["-u", "5:6", "--group-add", "audio", "--group-add=77"], "5 6 6 29 77  /"),
        (&["-u", "alice", "--group-add", "users"], "1000 100 29 50 100  /home/alice"),
        (&["--group-add", "staff"], "0 0 0 50  /root"),
        (&["--bare", "--group-add", "staff"], "0 0 0 50  /root"),
        (&["--bare", "-u", "alice"], "1000 100 29 50 100  /home/alice"),
        // HOME that was asked for stays.
        (&["-u", "alice", "-e", "HOME=/x"], "1000 100 29 50 100  /x"),
        (&["-u", "5", "-e", "HOME="], "5 0 0  "),
        // The last of several counts.
        (&["-u", "bob", "--user=5:6"], "5 6 6  /"),
    ] {
        assert_eq!(who(root.path(), options).good(), format!("{want}\n"), "{options:?}");
    }
}

#[test]
fn the_variables_are_the_same_for_every_user() {
    let root = good_root();
    let path = root.path().to_str().unwrap();
    let names = |options: &[&str]| {
        let mut words = vec!["run", "-e", "A=1"];
        words.extend(options);
        words.extend([path, "env"]);
        let out = run(&words).good();
        let mut names: Vec<_> =
            out.lines().map(|line| line.split('=').next().unwrap().to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&[]), ["A", "HOME", "HOSTNAME", "PATH", "TERM"]);
    assert_eq!(names(&["-u", "alice"]), names(&[]));
    assert_eq!(names(&["-u", "5:6"]), names(&[]));
}

#[test]
fn a_name_that_is_not_there_is_named() {
    let root = good_root();
    let user = "no such user in the container's /etc/passwd";
    let group = "no such group in the container's /etc/group";
    for (options, line) in [
        (&["-u", "carol"][..], format!("--user carol: {user}")),
        (&["-u", "ali:5"], format!("--user ali:5: {user}")),
        (&["-u", "Alice"], format!("--user Alice: {user}")),
        (&["-u", "../../etc/passwd"], format!("--user ../../etc/passwd: {user}")),
        (&["-u", "alice:alice"], format!("--user alice:alice: {group}")),
        (&["-u", "5:.."], format!("--user 5:..: {group}")),
        (&["-u", "carol:carol"], format!("--user carol:carol: {user}")),
        (&["--group-add", "5", "--group-add", "x"], format!("--group-add x: {group}")),
    ] {
        refused(root.path(), options, &format!("thimble: {line}\n"));
    }
}

#[test]
fn an_image_without_the_files_knows_no_name_and_every_number() {
    let root = good_root();
    fs::remove_file(root.path().join("etc/passwd")).unwrap();
    fs::remove_file(root.path().join("etc/group")).unwrap();
    for _ in 0..2 {
        assert_eq!(who(root.path(), &["-u", "1000"]).good(), "1000 0 0  /\n");
        assert_eq!(who(root.path(), &["-u", "0"]).good(), "0 0 0  /root\n");
        assert_eq!(who(root.path(), &["-u", "5:6", "--group-add", "7"]).good(), "5 6 6 7  /\n");
        let line = "thimble: --user root: no such user in the container's /etc/passwd\n";
        refused(root.path(), &["-u", "root"], line);
        let line = "thimble: --user 0:root: no such group in the container's /etc/group\n";
        refused(root.path(), &["-u", "0:root"], line);
        // Nor with a link that leads nowhere, or would lead to the host's.
        let links = root.path().join("etc");
        let host = format!("{}/none/passwd", root.path().display());
        let _ = std::os::unix::fs::symlink(host, links.join("passwd"));
        let _ = std::os::unix::fs::symlink("/nowhere", links.join("group"));
    }
}

#[test]
fn a_link_in_the_image_leads_nowhere_but_into_the_image() {
    // To a file that the host has and the image has not; and one that both have.
    let host = tempfile::NamedTempFile::new().unwrap();
    fs::write(host.path(), "carol:x:5:5::/:\n").unwrap();
    let root = good_root();
    let passwd = root.path().join("etc/passwd");
    for target in [host.path().to_str().unwrap(), "../../../../../../../etc/shadow"] {
        fs::remove_file(&passwd).unwrap();
        std::os::unix::fs::symlink(target, &passwd).unwrap();
        let line = "thimble: --user carol: no such user in the container's /etc/passwd\n";
        refused(root.path(), &["-u", "carol"], line);
    }
    fs::remove_file(&passwd).unwrap();
    fs::write(root.path().join("etc/users"), "carol:x:5:5::/:\n").unwrap();
    std::os::unix::fs::symlink("../../../../etc/users", &passwd).unwrap();
    assert_eq!(who(root.path(), &["-u", "carol"]).good(), "5 5 5  /\n");
}

#[test]
fn a_malformed_file_is_refused_by_line_if_it_is_needed() {
    let long = [b"a:x:1:1::/:\n".repeat(880_000), b"b:x:-1:1::/:".to_vec()].concat();
    assert!(long.len() > 10 << 20);
    for (passwd, line) in [
        (&b"alice:x:1:1::/:/bin/sh\nroot\n"[..], 2),
        (b"alice:x:4294967295:1::/:/bin/sh", 1),
        (b"alice:x:-1:1::/:/bin/sh", 1),
        (b"alice:x:1:4294967296::/:/bin/sh", 1),
        (b"alice:x:1:1::/:/bin/sh:\n", 1),
        (b"alice:x:1:1::/\0home:/bin/sh\n", 1),
        (b"\n\nalice:x:1:1::/:/bin/sh\nalice:x: 0:0::/:/bin/sh\n", 4),
        (b"alice:x:1:1::/:/bin/sh\n\0", 2),
        (&long, 880_001),
    ] {
        let root = root_with(passwd, b"root:x:0:\n");
        let want = format!("thimble: the container's /etc/passwd: is malformed in line {line}\n");
        for user in ["alice", "alice:5", "1", "77", "1:1"] {
            refused(root.path(), &["-u", user], &want);
        }
        // It is not needed.
        assert_eq!(who(root.path(), &[]).good(), "0 0   /root\n");
        assert_eq!(who(root.path(), &["-u", "1:1", "-e", "HOME=/x"]).good(), "1 1 1  /x\n");
        assert_eq!(who(root.path(), &["--group-add", "1"]).good(), "0 0 0 1  /root\n");
    }
    for (group, line) in [
        (&b"root:x:0:\nstaff:x:50\n"[..], 2),
        (b"staff:x:4294967295:\n", 1),
        (b"staff:x:-1:\n", 1),
        (b"staff:x:50:alice\nx:y:z:\x1b\n", 2),
    ] {
        let root = root_with(PASSWD.replace("1001::\n", "1001:::\n").as_bytes(), group);
        let want = format!("thimble: the container's /etc/group: is malformed in line {line}\n");
        for options in
            [&["-u", "alice"][..], &["-u", "5:staff"], &["--group-add", "staff"], &["-u", "0"]]
        {
            refused(root.path(), options, &want);
        }
        assert_eq!(who(root.path(), &["-u", "alice:5"]).good(), "1000 5 5  /home/alice\n");
        assert_eq!(who(root.path(), &["-u", "5"]).good(), "5 0 0  /\n");
    }
}

#[test]
fn ten_megabytes_of_users_and_groups_are_read() {
    let mut passwd = b"a:x:1:1::/:\n".repeat(880_000);
    passwd.extend(b"alice:x:1000:100::/home/alice:/bin/sh");
    let root = root_with(&passwd, b"users:x:100:\n");
    assert_eq!(who(root.path(), &["-u", "alice"]).good(), "1000 100 100  /home/alice\n");
    // 17 MiB are too many, and so is what only looks it.
    fs::File::create(root.path().join("etc/passwd")).unwrap().set_len(17 << 20).unwrap();
    let lines = "thimble: read the container's /etc/passwd: EFBIG: File too large\n";
    refused(root.path(), &["-u", "alice"], lines);
    // More groups than the kernel takes.
    let groups: String = (1..=65_537).map(|id| format!("g{id}:x:{id}:alice\n")).collect();
    let root = root_with(b"alice:x:1000:100::/home/alice:/bin/sh", groups.as_bytes());
    let lines = "thimble: set the groups: EINVAL: Invalid argument\n\
        thimble: hint: they are more than 65536, or one is not mapped in this user namespace\n";
    refused(root.path(), &["-u", "alice"], lines);
}

#[test]
fn however_many_groups_there_are_ignored_signals_are_reset() {
    let groups: String =
        (1..=1000).map(|id| format!("g{id}:x:{}:alice\n", 1_000_000 + id)).collect();
    let root = root_with(b"alice:x:1000:100::/home/alice:/bin/sh", groups.as_bytes());
    let script = format!(
        "trap '' HUP USR1 PIPE; exec {} run -u alice {} sh -c 'grep SigIgn: /proc/self/status; groups | wc -w'",
        thimble().display(),
        root.path().display()
    );
    let out = Ran::of(command("sh", &["-c", &script]).output().unwrap()).out;
    assert_eq!(out, "SigIgn:\t0000000000000000\n1001\n");
}

#[test]
fn only_a_regular_file_is_read() {
    let root = good_root();
    let passwd = root.path().join("etc/passwd");
    let no_file = "thimble: read the container's /etc/passwd: EINVAL: Invalid argument\n\
        thimble: hint: it must be a regular file\n";
    let replace = |program: &str, words: &[&str]| {
        let _ = fs::remove_file(&passwd);
        let made = command(program, words).arg(&passwd).status().unwrap();
        assert!(made.success());
    };
    // Would wait for a writer for ever.
    replace("mkfifo", &[]);
    refused(root.path(), &["-u", "alice"], no_file);
    // The kernel's log, which a look would empty, and which calls itself a regular file.
    for link in ["/proc/kmsg", "/proc/self/status", "/proc/self/fd/0", "/dev/null"] {
        replace("ln", &["-s", link]);
        refused(root.path(), &["-u", "alice"], no_file);
    }
    // A device of the image's.
    let _ = fs::remove_file(&passwd);
    let made = command("mknod", &[passwd.to_str().unwrap(), "c", "1", "5"]).status().unwrap();
    assert!(made.success());
    let lines = "thimble: read the container's /etc/passwd: EACCES: Permission denied\n";
    refused(root.path(), &["-u", "alice"], lines);
    fs::remove_file(&passwd).unwrap();
    fs::create_dir(&passwd).unwrap();
    refused(root.path(), &["-u", "alice"], no_file);
    // A loop of links.
    fs::remove_dir(&passwd).unwrap();
    std::os::unix::fs::symlink("passwd", &passwd).unwrap();
    let lines =
        "thimble: read the container's /etc/passwd: ELOOP: Too many levels of symbolic links\n";
    refused(root.path(), &["-u", "alice"], lines);
}

#[test]
fn the_files_may_be_volumes() {
    let root = good_root();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "carol:x:9:9::/c:\n").unwrap();
    let volume = format!("{}:/etc/passwd:ro", file.path().display());
    assert_eq!(who(root.path(), &["-v", &volume, "-u", "carol"]).good(), "9 9 9  /c\n");
}

#[test]
fn the_primary_group_cannot_be_given_up_for_what_is_denied_to_it() {
    // CVE-2022-36109: a file that everybody but the group may read, and a program that
    // changes its group by a set-group-id file. It stays among the others.
    let root = tempfile::tempdir().unwrap();
    let copied = command("cp", &["-a"]).arg(debian().join(".")).arg(root.path()).status();
    assert!(copied.unwrap().success());
    let denied = root.path().join("denied");
    fs::write(&denied, "secret\n").unwrap();
    let path = root.path().to_str().unwrap();
    for (program, words) in [
        ("chown", &["0:100", denied.to_str().unwrap()][..]),
        ("chmod", &["0704", denied.to_str().unwrap()]),
        ("chgrp", &["50", &format!("{path}/usr/bin/perl")]),
        ("chmod", &["2755", &format!("{path}/usr/bin/perl")]),
    ] {
        assert!(command(program, words).status().unwrap().success());
    }
    // As bare as it gets: no nosuid and no no_new_privs, so that the file's bit counts.
    let script = "print open(F, '<', '/denied') ? <F> : qq($!\\n)";
    let as_user = |words: &[&str]| {
        let mut all = vec!["run", "--bare", "-u", "1000:100", path];
        all.extend(words);
        all.extend(["perl", "-e", script]);
        run(&all).good()
    };
    assert_eq!(as_user(&[]), "Permission denied\n");
    // The control: in the group by its primary one alone, it reads the file.
    let words = ["run", "--bare", path, "setpriv", "--reuid=1000", "--regid=100", "--clear-groups"];
    let mut all = words.to_vec();
    all.extend(["perl", "-e", script]);
    assert_eq!(run(&all).good(), "secret\n");
}

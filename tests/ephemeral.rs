//! `--ephemeral`: everything can be written to, and nothing of it is there
//! afterwards, whatever is mounted below ROOTFS.

mod common;
use common::*;

use std::fs;
use std::path::Path;

/// Runs a script in a mount namespace of its own.
fn private(script: &str) -> Ran {
    Ran::of(command("unshare", &["--mount", "sh", "-c", script]).output().unwrap())
}

/// Changes, removes, makes, moves and executes something; `/etc/passwd` is there.
const WRITE: &str = "echo changed > /etc/passwd && echo new > /etc/new && chmod 600 /etc/new && \
    rm -r /root && mkdir /root && mv /etc/passwd /etc/moved && cat /etc/moved && \
    printf '#!/bin/sh\\necho ran\\n' > /made && chmod 755 /made && /made && ls -d /root";

#[test]
fn what_is_written_is_there_for_the_program_and_gone_afterwards() {
    let root = own_root();
    let before = listing(root.path());
    let path = root.path().to_str().unwrap();
    for options in [&["-x"][..], &["--ephemeral", "--no-pivot"], &["--bare", "-x"]] {
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([path, "sh", "-c", WRITE]);
        assert_eq!(run(&words).good(), "changed\nran\n/root\n", "{options:?}");
        assert_eq!(listing(root.path()), before, "{options:?}");
    }
    // The control: without it, all of that stays.
    run(&["run", path, "sh", "-c", WRITE]).good();
    assert_ne!(listing(root.path()), before);
}

#[test]
fn the_hosts_own_root_with_nothing_prepared() {
    let mark = tempfile::Builder::new().prefix("thimble-x").tempdir_in("/var").unwrap();
    let file = mark.path().join("file");
    fs::write(&file, "host\n").unwrap();
    let file = file.to_str().unwrap();
    let script = format!(
        "cat {file}; echo changed > {file}; cat {file}; rm -r {}; touch /thimble-x-new; ls /thimble-x-new",
        mark.path().display()
    );
    let host = mounts();
    let words = [&["run", "-x"], OF_THE_HOST, &["/", "sh", "-c", &script]];
    let out = run(&words.concat()).good();
    assert_eq!(out, "host\nchanged\n/thimble-x-new\n");
    assert_eq!(fs::read_to_string(file).unwrap(), "host\n");
    assert!(!Path::new("/thimble-x-new").exists());
    assert_eq!(mounts(), host);
}

#[test]
fn the_root_looks_like_the_one_below_and_devices_and_set_uid_mean_nothing() {
    let root = own_root();
    let path = root.path().to_str().unwrap();
    let made = command("sh", &["-c", &format!("chmod 1751 {path} && chown 12:34 {path}")]).status();
    assert!(made.unwrap().success());
    let script = "stat -c '%a %u %g' /; grep ' / / ' /proc/self/mountinfo | cut -d' ' -f6-9; head -c 1 /dev/null";
    let out = run(&["run", "-x", path, "sh", "-c", script]).good();
    assert_eq!(out, "1751 12 34\nrw,nosuid,nodev,relatime - overlay overlay\n");
    let read = "mknod /node c 1 5 && head -c 1 /node | wc -c";
    let ran = run(&["run", "-x", "--cap-add", "MKNOD", path, "sh", "-c", read]);
    assert_eq!((ran.out.as_str(), ran.err.contains("Permission denied")), ("0\n", true), "{ran:?}");
}

#[test]
fn nothing_inside_leads_to_the_memory_or_names_a_path_of_the_host() {
    let root = own_root();
    let path = root.path().to_str().unwrap();
    for options in [&["-x"][..], &["-x", "--privileged"]] {
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([path, "cat", "/proc/self/mountinfo"]);
        let out = run(&words).good();
        let roots: Vec<_> = out.lines().filter(|line| line.contains(" / / ")).collect();
        assert_eq!(roots.len(), 1, "{out}");
        assert!(!out.contains(path), "{out}");
    }
}

#[test]
fn each_mount_below_the_root_is_covered_or_read_only_or_left_out() {
    // Odd names; a mount below another; one that is hidden by another; a file; an overlay on an
    // overlay, which the kernel refuses; a /proc; a namespace.
    let (root, data) = (own_root(), tempfile::tempdir().unwrap());
    let (path, data) = (root.path().display(), data.path().display());
    let prepare = format!(
        "set -e; mkdir {path}/a {path}/b {path}/c {path}/p '{path}/odd, name:x\\y\nz' {path}/deep
         echo file > {path}/file; touch {path}/ns
         mount -t tmpfs none {path}/a; mkdir {path}/a/b; mount -t tmpfs none {path}/a/b; echo ab > {path}/a/b/f
         mount -t tmpfs none {path}/b; mkdir {path}/b/hidden; mount -t tmpfs none {path}/b/hidden
         mount -t tmpfs none {path}/b; echo top > {path}/b/f
         mount -t tmpfs -o mode=1777 none '{path}/odd, name:x\\y\nz'; echo odd > '{path}/odd, name:x\\y\nz/f'
         echo outside > {data}/file; mount --bind {data}/file {path}/file
         mkdir {data}/1 {data}/2; echo below > {data}/1/f
         mount -t overlay -o lowerdir={data}/1:{data}/2 none {data}/2
         mount -t overlay -o lowerdir={data}/2:{data}/1 none {path}/deep
         mount -t proc none {path}/p; mount --bind /proc/self/ns/uts {path}/ns
         mount -t tmpfs -o ro none {path}/c"
    );
    let look = "for f in /a/b/f /b/f /odd*/f /file /deep/f; do cat \"$f\"; done; \
        for f in /a/new /a/b/f /b/new /odd*/f /file /deep/f /deep/new /c/new; do \
            { echo x > \"$f\"; } 2>/dev/null && echo written || echo refused; done; \
        ls /p | wc -l; stat -f -c %t /ns /a /b /c; ls /b; stat -c %a /odd*";
    let run = format!("{} run -x {path} sh -c '{look}'", thimble().display());
    let after = format!(
        "cat {path}/a/b/f {path}/b/f {path}/odd*/f {path}/file {path}/deep/f {data}/1/f; ls {path}/a {path}/b {path}/deep"
    );
    let ran = private(&format!("{prepare}; {run}; {after}"));
    let want = [
        "ab\ntop\nodd\noutside\nbelow\n",
        "written\nwritten\nwritten\nwritten\nrefused\nrefused\nrefused\nwritten\n",
        "0\n794c7630\n794c7630\n794c7630\n794c7630\nf\nnew\n1777\n",
        "ab\ntop\nodd\noutside\nbelow\nbelow\n",
    ]
    .concat();
    assert_eq!(ran.err, "");
    let (got, listed) = ran.out.split_at(want.len().min(ran.out.len()));
    assert_eq!(got, want);
    assert!(!listed.contains("new"), "{listed}");
}

#[test]
fn no_name_of_the_root_becomes_an_option_of_the_overlay() {
    let outside = tempfile::tempdir().unwrap();
    for name in ["a:b", "a,upperdir=b", "back\\slash", "a b\nc", ",lowerdir=", "redirect_dir=on,x"]
    {
        let root = outside.path().join(name);
        fs::create_dir(&root).unwrap();
        let copied = command("cp", &["-a"]).arg(busybox().join(".")).arg(&root).status().unwrap();
        assert!(copied.success());
        let words = ["run", "-x", root.to_str().unwrap(), "sh", "-c", "echo x > /new; ls /new"];
        assert_eq!(run(&words).good(), "/new\n", "{name:?}");
        assert!(!root.join("new").exists(), "{name:?}");
    }
}

#[test]
fn together_with_volumes_devices_and_a_read_only_root() {
    let (root, source) = (own_root(), tempfile::tempdir().unwrap());
    fs::write(source.path().join("file"), "content\n").unwrap();
    let before = listing(root.path());
    let volume = format!("{}:/made/here", source.path().display());
    let path = root.path().to_str().unwrap();
    let options =
        ["run", "-x", "--read-only", "-v", &volume, "--tmpfs", "/t", "--device", "/dev/zero:/z"];
    let script = "cat /made/here/file; touch /made/here/new /t/x; touch /x; head -c 1 /z | wc -c";
    let ran = run(&[&options[..], &[path, "sh", "-c", script]].concat());
    assert_eq!(ran.out, "content\n1\n");
    assert_eq!(ran.err, "touch: /x: Read-only file system\n");
    // The volume is the host's; the places of the mounts are not.
    assert!(source.path().join("new").exists());
    assert_eq!(listing(root.path()), before);
    // What is mounted below a read-only root is read-only too.
    let script = format!(
        "mount -t tmpfs none {path}/tmp && {} run -x --read-only {path} touch /tmp/x",
        thimble().display()
    );
    assert_eq!(private(&script).err, "touch: /tmp/x: Read-only file system\n");
}

#[test]
fn a_kernel_without_overlays_or_a_root_that_cannot_have_one_says_so() {
    let root = busybox();
    let words = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=mount:error=ENODEV:when=3"];
    let mut case = command("strace", &words);
    case.arg(thimble()).args(["run", "-x"]).arg(&root).arg("true");
    let ran = Ran::of(case.output().unwrap());
    let lines = format!(
        "thimble: lay an overlay over {}: ENODEV: No such device\n\
         thimble: hint: --ephemeral needs overlayfs in the kernel (CONFIG_OVERLAY_FS)\n",
        root.display()
    );
    assert_eq!((ran.status, ran.err), (Some(125), lines));
    // An overlay on an overlay on an overlay.
    let place = tempfile::tempdir().unwrap();
    let place = place.path().display();
    let script = format!(
        "mkdir {place}/1 {place}/2 && mount -t overlay -o lowerdir={}:{place}/2 none {place}/1 && \
         mount -t overlay -o lowerdir={place}/1:{place}/2 none {place}/2 && {} run -x {place}/2 true",
        root.display(),
        thimble().display()
    );
    let ran = private(&script);
    let lines = format!(
        "thimble: lay an overlay over {place}/2: EINVAL: Invalid argument\n\
         thimble: hint: this file system cannot lie below an overlay, is one on another already, or, for an ordinary user, has others below it\n"
    );
    assert_eq!((ran.status, ran.err), (Some(125), lines));
}

#[test]
fn an_ordinary_users_root_has_nothing_mounted_below_it() {
    let user = Ordinary::new();
    let root = user.root();
    let root = root.to_str().unwrap();
    let words = user.thimble(&["run", "-x", root, "true"]);
    let words: Vec<_> = [words.get_program()].into_iter().chain(words.get_args()).collect();
    let mut case = command("unshare", &["-m", "sh", "-c", "mount -t tmpfs none \"$0\"; \"$@\""]);
    let ran = Ran::of(case.arg(user.root().join("tmp")).args(words).output().unwrap());
    let lines = format!(
        "thimble: lay an overlay over {root}: EINVAL: Invalid argument\n\
         thimble: hint: this file system cannot lie below an overlay, is one on another already, or, for an ordinary user, has others below it\n"
    );
    assert_eq!((ran.status, ran.err), (Some(125), lines));
}

#[test]
fn as_an_ordinary_user_and_with_maps() {
    let user = Ordinary::new();
    let before = listing(&user.root());
    let look = format!(
        "{WRITE}; rm -r /etc && mkdir /etc && ls /etc; cut -d' ' -f5 /proc/self/mountinfo | grep -c '^/$'; \
         grep -c userxattr /proc/self/mountinfo"
    );
    let want = "changed\nran\n/root\n1\n1\n";
    assert_eq!(user.sh(&["-x"], &look).good(), want);
    assert_eq!(listing(&user.root()), before);
    // Root's container in a user namespace, whose root is a mapped mount: where that cannot be, the
    // files belong to nobody inside, and are not changed.
    if env!("CARGO_CRATE_NAME") == "old_kernel" {
        return;
    }
    let (root, maps) = (own_root(), ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"]);
    let before = listing(root.path());
    let path = root.path().to_str().unwrap();
    for no_pivot in [&[][..], &["--no-pivot"]] {
        let words = [&["run", "-x"], &maps[..], no_pivot, &[path, "sh", "-c", &look]].concat();
        let ran = run(&words);
        let out = if no_pivot.is_empty() { want.to_string() } else { ran.out.clone() };
        assert_eq!((ran.status, ran.out), (Some(0), out), "{}", ran.err);
        assert_eq!(listing(root.path()), before);
    }
}

//! Volumes, temporary file systems, a read-only root; and the ways in which an
//! image tries to turn them against the host.

mod common;
use common::*;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Runs a shell script in a root with these options.
fn in_root(root: &Path, options: &[&str], script: &str) -> Ran {
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.to_str().unwrap(), "/bin/sh", "-c", script]);
    run(&words)
}

fn source() -> tempfile::TempDir {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("file"), "content\n").unwrap();
    source
}

#[test]
fn a_directory_and_a_file_are_bound_and_their_places_made() {
    let (root, source) = (own_root(), source());
    let directory = format!("{}:/data/deep", source.path().display());
    let file = format!("{}/file:/etc/made/here", source.path().display());
    let out = in_root(
        root.path(),
        &["-v", &directory, "--volume", &file],
        "cat /data/deep/file /etc/made/here; echo new > /data/deep/new; grep -E ' /(data|etc)' /proc/self/mountinfo | cut -d' ' -f5,6",
    )
    .good();
    let restricted = "rw,nosuid,nodev,relatime";
    assert_eq!(
        out,
        format!("content\ncontent\n/data/deep {restricted}\n/etc/made/here {restricted}\n")
    );
    assert_eq!(fs::read_to_string(source.path().join("new")).unwrap(), "new\n");
    // The places stay, empty, as they do with docker.
    assert!(root.path().join("data/deep").is_dir());
    assert_eq!(fs::read(root.path().join("etc/made/here")).unwrap(), b"");
}

#[test]
fn the_hosts_own_root_is_a_volume_like_any_other() {
    let (root, source) = (own_root(), source());
    let look = format!("cat /host{}/file", source.path().display());
    let maps = ["--uidmap", "0:100000:65536"];
    let ephemeral_and_mapped = [&["-x"], &maps[..]].concat();
    for options in [&[][..], &["-x"], &maps, &ephemeral_and_mapped, &["--no-pivot"], &["--bare"]] {
        // For another than root inside, the source is closed.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(source.path(), open).unwrap();
        for volume in ["/:/host:ro", "/:/host"] {
            let options = [options, &["-v", volume]].concat();
            let ran = in_root(root.path(), &options, &look);
            assert_eq!((ran.out.as_str(), ran.err.as_str()), ("content\n", ""), "{options:?}");
        }
    }
    // A container's own root, from inside.
    let script = "mount --bind / /mnt && ls /mnt/bin/busybox";
    let volume = format!("{}:/mnt", source.path().display());
    let ran = in_root(root.path(), &["--privileged", "-v", &volume], script);
    assert_eq!(ran.good(), "/mnt/bin/busybox\n");
    let ordinary = Ordinary::new();
    assert_eq!(ordinary.sh(&["-v", "/:/host:ro"], &look).good(), "content\n");
}

#[test]
fn read_only_means_all_that_is_mounted_below_too() {
    let (root, source, program) = (own_root(), source(), thimble());
    let place = source.path().display();
    let script = format!(
        "mkdir {place}/below && mount -t tmpfs none {place}/below && {} run -v {place}:/mnt:ro {} sh -c \
         'cat /mnt/file; touch /mnt/x; touch /mnt/below/x; touch /tmp/x'",
        program.display(),
        root.path().display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    assert_eq!(ran.out, "content\n");
    assert_eq!(
        ran.err,
        "touch: /mnt/x: Read-only file system\ntouch: /mnt/below/x: Read-only file system\n"
    );
}

#[test]
fn the_order_of_the_command_line_is_the_order_of_mounts() {
    let (root, source) = (own_root(), source());
    let inside = format!("{}:/run/data", source.path().display());
    let out =
        in_root(root.path(), &["--tmpfs", "/run", "-v", &inside], "ls /run; cat /run/data/file")
            .good();
    assert_eq!(out, "data\ncontent\n");
    // The other way round the volume is covered.
    let out = in_root(root.path(), &["-v", &inside, "--tmpfs", "/run"], "ls /run").good();
    assert_eq!(out, "");
    // And a volume over one of thimble's own.
    let shm = format!("{}:/dev/shm", source.path().display());
    assert_eq!(in_root(root.path(), &["-v", &shm], "ls /dev/shm").good(), "file\n");
}

#[test]
fn colons_can_be_escaped() {
    let (root, source) = (own_root(), source());
    fs::write(source.path().join("a:b"), "colon\n").unwrap();
    let volume = format!("{}/a\\:b:/c\\:d", source.path().display());
    assert_eq!(in_root(root.path(), &["-v", &volume], "cat /c:d").good(), "colon\n");
}

#[test]
fn a_tmpfs_has_the_size_the_mode_and_the_flags_asked_for() {
    let root = own_root();
    let show = "grep ' /scratch ' /proc/self/mountinfo | cut -d' ' -f6; stat -c %a /scratch; df -k /scratch | tail -n 1 | tr -s ' ' | cut -d' ' -f2";
    let inert = "nosuid,nodev,noexec,relatime";
    for (options, flags, mode, size) in [
        (":size=1m,mode=700", format!("rw,{inert}"), "700", "1024"),
        (":size=64k,ro", format!("ro,{inert}"), "1777", "64"),
        (":exec,size=4m", "rw,nosuid,nodev,relatime".into(), "1777", "4096"),
    ] {
        let tmpfs = format!("/scratch{options}");
        let out = in_root(root.path(), &["--tmpfs", &tmpfs], show).good();
        assert_eq!(out, format!("{flags}\n{mode}\n{size}\n"), "{options}");
    }
    let ran = in_root(root.path(), &["--tmpfs", "/scratch:frob=1"], "true");
    let lines = "thimble: mount /scratch:frob=1: EINVAL: Invalid argument\n\
        thimble: hint: a tmpfs takes size= mode= nr_inodes= uid= gid= ro exec\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
}

#[test]
fn a_read_only_root_can_be_mounted_on_and_not_written_to() {
    let (root, source) = (own_root(), source());
    let volume = format!("{}:/made", source.path().display());
    let options = ["--read-only", "-v", &volume, "--tmpfs", "/tmp"];
    let ran = in_root(
        root.path(),
        &options,
        "touch /x; mkdir /etc/y; touch /made/z && touch /tmp/z && echo x > /dev/null && echo well",
    );
    assert_eq!(ran.out, "well\n");
    assert_eq!(
        ran.err,
        "touch: /x: Read-only file system\nmkdir: can't create directory '/etc/y': Read-only file system\n"
    );
    assert!(source.path().join("z").exists());
}

#[test]
fn a_missing_source_is_an_error_and_nothing_is_made() {
    let root = own_root();
    let before = listing(root.path());
    let ran = in_root(root.path(), &["-v", "/nowhere/file:/data"], "true");
    let line = "thimble: mount /nowhere/file:/data: ENOENT: No such file or directory\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), line));
    assert_eq!(listing(root.path()), before);
}

#[test]
fn links_of_the_image_lead_nowhere_but_into_the_root() {
    let source = source();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let volume = format!("{}:/link/data", source.path().display());
    // Absolute, climbing, and through the container's own /proc: what the link names on the host
    // must neither be mounted on nor get anything made in it.
    for link in [
        target.to_string(),
        format!("../../../../../../..{target}"),
        format!("/proc/self/root{target}"),
        format!("/proc/1/cwd{target}"),
        format!("/proc/self/cwd/../../../../..{target}"),
        "/proc/self/fd".into(),
    ] {
        let root = own_root();
        symlink(&link, root.path().join("link")).unwrap();
        let ran = in_root(
            root.path(),
            &["-v", &volume],
            "find / -name file -path '*data*' 2>/dev/null | head -n 1",
        );
        assert!(ran.status == Some(125) || ran.out.starts_with('/'), "{link}: {ran:?}");
        assert_eq!(
            listing(outside.path()).lines().count(),
            1,
            "{link}: nothing was made on the host"
        );
    }
    // A dangling last component is an error: what it names is not made.
    let root = own_root();
    symlink(format!("{target}/new"), root.path().join("dangling")).unwrap();
    let volume = format!("{}:/dangling", source.path().display());
    let ran = in_root(root.path(), &["-v", &volume], "true");
    assert_eq!(ran.status, Some(125), "{ran:?}");
    assert_eq!(listing(outside.path()).lines().count(), 1);
}

#[test]
fn a_device_of_the_host_works_at_its_place_and_at_another() {
    let root = own_root();
    let options = [
        "--device",
        "/dev/zero:/dev/made/zero",
        "--device",
        "/dev/full",
        "--device=/dev/zero:/zero",
    ];
    let out = in_root(
        root.path(),
        &options,
        "head -c 3 /dev/made/zero | wc -c; head -c 2 /zero | wc -c; stat -c %t,%T /dev/full; \
         grep -E ' /(zero|dev/made/zero|dev/full) ' /proc/self/mountinfo | cut -d' ' -f5,6",
    )
    .good();
    let flags = "rw,nosuid,noexec,relatime";
    let want = format!("3\n2\n1,7\n/dev/made/zero {flags}\n/dev/full {flags}\n/zero {flags}\n");
    assert_eq!(out, want);
    // In the order of the command line, with the other mounts.
    let ran = in_root(root.path(), &["--tmpfs", "/d", "--device", "/dev/zero:/d/zero"], "ls /d");
    assert_eq!(ran.good(), "zero\n");
    let ran = in_root(root.path(), &["--device", "/dev/zero:/d/zero", "--tmpfs", "/d"], "ls /d");
    assert_eq!(ran.good(), "");
}

#[test]
fn what_is_no_device_is_refused_before_anything_is_made() {
    let (root, source) = (own_root(), source());
    let before = listing(root.path());
    let file = source.path().join("file");
    let neither = "thimble: hint: SRC is neither a character device nor a block device\n";
    for (device, lines) in [
        (file.to_str().unwrap(), format!("ENODEV: No such device\n{neither}")),
        ("/dev", format!("ENODEV: No such device\n{neither}")),
        ("/dev/nothing", "ENOENT: No such file or directory\n".into()),
    ] {
        let device = format!("{device}:/dev/x");
        let name = unique_name();
        let options =
            ["-v", "/etc:/made", "--pids-limit", "9", "--name", &name, "--device", &device];
        let ran = in_root(root.path(), &options, "true");
        let lines = format!("thimble: add the device {device}: {lines}");
        assert_eq!((ran.status, ran.err), (Some(125), lines));
        assert_eq!(listing(root.path()), before);
    }
    // A place that is no file.
    let ran = in_root(root.path(), &["--device", "/dev/zero:/etc"], "true");
    let lines = "thimble: add the device /dev/zero:/etc: ENOTDIR: Not a directory\n\
        thimble: hint: a directory goes over a directory, a file over a file\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
    // A device that the kernel would not open through its mount.
    let place = source.path().display();
    let script = format!(
        "mount -t tmpfs -o nodev none {place} && mknod {place}/node c 1 5 && {} run --device {place}/node:/dev/x {} true",
        thimble().display(),
        root.path().display()
    );
    let ran = Ran::of(command("unshare", &["--mount", "sh", "-c", &script]).output().unwrap());
    let lines = format!(
        "thimble: add the device {place}/node:/dev/x: EACCES: Permission denied\n\
         thimble: hint: SRC lies on a mount with nodev\n"
    );
    assert_eq!((ran.status, ran.err), (Some(125), lines));
}

#[test]
fn nothing_is_mounted_below_proc_also_not_by_a_link() {
    let (root, source) = (own_root(), source());
    symlink("/proc/sys", root.path().join("link")).unwrap();
    let source = source.path().display().to_string();
    for (option, step, source, place) in [
        ("-v", "mount", source.as_str(), "/link"),
        ("-v", "mount", &source, "/link/kernel"),
        ("--device", "add the device", "/dev/zero", "/link/kernel/hostname"),
    ] {
        let word = format!("{source}:{place}");
        let ran = in_root(root.path(), &[option, &word], "true");
        let lines = format!(
            "thimble: {step} {word}: EPERM: Operation not permitted\n\
             thimble: hint: nothing can be mounted on the root itself or below /proc\n"
        );
        assert_eq!((ran.status, ran.err), (Some(125), lines));
    }
}

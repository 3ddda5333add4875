//! Hostile input: what an image's or a caller's text may hold, and however much
//! of it there is, there is a clean answer, and nothing is done by halves.

mod common;
use common::*;

use std::fs;
use std::os::unix::ffi::OsStringExt;

/// That thimble refuses these words with status 125 and one line, or a second one of advice,
/// without a control character in it.
fn refuses(words: &[&str]) {
    let ran = run(words);
    let lines: Vec<_> = ran.err.lines().collect();
    let plain = !ran.err.bytes().any(|byte| byte < b' ' && byte != b'\n');
    assert!(
        ran.status == Some(125)
            && (1..=2).contains(&lines.len())
            && lines.iter().all(|line| line.starts_with("thimble: "))
            && plain,
        "{:?}: {ran:?}",
        words.iter().map(|word| word.get(..80).unwrap_or(word)).collect::<Vec<_>>()
    );
}

#[test]
fn a_hostile_environment_is_only_text() {
    let root = busybox();
    let hostile = "A=x\nLD_PRELOAD=/evil.so\n\x1b[2J";
    let mut words = vec!["run", "-e", hostile, "-e", "IFS=/", "-e", "B=../../.."];
    words.extend([root.to_str().unwrap(), "sh", "-c", "echo \"$A\"; echo $B; env | wc -l"]);
    let mut caller = command(thimble(), &words);
    // Variables without a name, a value or a `=`, as only execve(2) can give them.
    caller.env_clear().env("LD_PRELOAD", "/evil.so").env("PATH", "/evil").env("", "x");
    let out = Ran::of(caller.output().unwrap()).good();
    assert_eq!(out, "x\nLD_PRELOAD=/evil.so\n\x1b[2J\n../../..\n12\n");
    for wrong in ["=x", "=", ""] {
        refuses(&["run", "-e", wrong, root.to_str().unwrap(), "true"]);
    }
}

#[test]
fn names_and_paths_that_would_lead_elsewhere_are_refused_before_anything_is_made() {
    let root = own_root();
    let path = root.path().to_str().unwrap();
    let before = listing(root.path());
    for (option, value) in [
        ("--name", ".."),
        ("--name", "../x"),
        ("--name", "a/b"),
        ("--name", "/x"),
        ("--name", ".hidden"),
        ("--name", ""),
        ("--name", "a\nb"),
        ("--name", &"n".repeat(65)),
        ("--hostname", &"n".repeat(65)),
        ("--cgroup-parent", "/../x"),
        ("--cgroup-parent", "a/../../x"),
        ("--cgroup-conf", "../../x=1"),
        ("--cgroup-conf", "a/b=1"),
        ("--cgroup-conf", "=1"),
        ("--network", "ns:relative"),
        ("--workdir", "relative"),
        ("--workdir", "/nowhere/../.."),
        ("--volume", "/etc:relative"),
        ("--volume", ":/x"),
        ("--volume", "/etc:/"),
        ("--volume", "/etc:/proc/x"),
        ("--volume", "/nowhere\x1b[2J\n:/x"),
        ("--volume", "/etc/../../../nowhere:/x"),
        ("--tmpfs", "/.."),
        ("--tmpfs", "relative"),
        ("--env-file", "/proc/self"),
        ("--user", "../x"),
        ("--user", "a/b"),
    ] {
        refuses(&["run", option, value, path, "true"]);
    }
    assert_eq!(listing(root.path()), before);
}

#[test]
fn ids_out_of_range_are_refused() {
    let root = busybox();
    for id in [
        "-1",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "99999999999999999999999",
        "0x0",
        " 0",
        "0 ",
        "+0",
        "0:-1",
        "0:4294967295",
        "-1:0",
        ":",
        "0:",
        ":0",
        "",
    ] {
        refuses(&["run", "-u", id, root.to_str().unwrap(), "true"]);
    }
    // The highest that there is.
    let out = sh(&["-u", "4294967294:4294967294"], "id -u; id -g").good();
    assert_eq!(out, "4294967294\n4294967294\n");
}

#[test]
fn files_of_variables_are_taken_or_refused_whatever_they_hold() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let root = busybox();
    let status = |content: &[u8]| {
        fs::write(path, content).unwrap();
        run(&["run", "--env-file", path, root.to_str().unwrap(), "true"])
    };
    let large = 10 << 20;
    for (content, what) in [
        (Vec::new(), "nothing"),
        (b"A=1".to_vec(), "no end of the line"),
        (b"\n\n\n".to_vec(), "empty lines"),
        (b"A=1\r\n".to_vec(), "a carriage return"),
        (b"A=\xff\xfe\x1b\n".to_vec(), "bytes of no text"),
        (b"#".repeat(large), "10 MB of a comment"),
        (b"#\n".repeat(large / 2), "10 MB of comments"),
        (b"A=1\n".repeat(large / 4), "10 MB of the same variable"),
    ] {
        let ran = status(&content);
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{what}");
    }
    let many: String = (0..1_000_000).map(|number| format!("A{number}\n")).collect();
    let values: String = (0..1_000_000).map(|number| format!("A{number}=\n")).collect();
    for (content, what, want) in [
        (b"A=\0\n".to_vec(), "a NUL", 125),
        (b"\0".repeat(large), "10 MB of NULs", 125),
        (b"=1\n".to_vec(), "no name", 125),
        (b"A B=1\n".to_vec(), "a blank in a name", 125),
        (b"A".repeat(17 << 20), "17 MB", 125),
        ([b"A=".to_vec(), b"1".repeat(large)].concat(), "a value of 10 MB", 126),
        (values.into_bytes(), "a million variables", 125),
        (many.into_bytes(), "a million names that the caller does not have", 0),
    ] {
        let ran = status(&content);
        assert_eq!(ran.status, Some(want), "{what}: {ran:?}");
        assert_eq!(ran.err.lines().count(), usize::from(want != 0), "{what}: {ran:?}");
    }
    refuses(&["run", "--env-file", "/dev/zero", root.to_str().unwrap(), "true"]);
}

#[test]
fn no_argument_vector_is_too_short_or_too_long() {
    // None at all, not even the program's name.
    let ran = Ran::of(command(probe(), &["wordless"]).arg(thimble()).output().unwrap());
    let line = "thimble: command: is missing, see thimble --help\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), line));
    let huge = "x".repeat(131_000);
    let root = busybox();
    let path = root.to_str().unwrap();
    for words in [
        &[huge.as_str()][..],
        &["run", &huge],
        &["run", &format!("--{huge}"), path],
        &["run", "--name", &huge, path],
        &["run", "-v", &format!("{huge}:/x"), path, "true"],
        &["run", "-v", &format!("/etc:/{huge}"), path, "true"],
        &["run", "--tmpfs", &format!("/tmp:{huge}"), path, "true"],
        &["run", "-w", &format!("/{huge}"), path, "true"],
        &["run", "\x1b[2J\nthimble: all is well", "true"],
    ] {
        refuses(words);
    }
    let ran = run(&["run", path, &huge]);
    assert_eq!((ran.status, ran.err.lines().count()), (Some(127), 1), "{ran:?}");
    // What is not a text passes through as it is.
    let odd = std::ffi::OsString::from_vec(b"\xff\n\x01".to_vec());
    let mut command = command(thimble(), &["run", path, "sh", "-c", "printf %s \"$1\"", "sh"]);
    assert_eq!(command.arg(odd).output().unwrap().stdout, b"\xff\n\x01");
}

#[test]
fn ten_thousand_variables_and_volumes_end_in_a_clean_answer() {
    let (root, source) = (own_root(), tempfile::tempdir().unwrap());
    let path = root.path().to_str().unwrap();
    let words = |option: &str, value: &dyn Fn(u32) -> String, script: &str| {
        let mut words = vec!["run".to_string()];
        words.extend((0..10_000).flat_map(|number| [option.to_string(), value(number)]));
        words.extend([path, "sh", "-c", script].map(String::from));
        run(&words)
    };
    let ran = words("-e", &|number| format!("A{number}=x"), "env | wc -l");
    assert_eq!(ran.good(), "10006\n");
    let before = mounts();
    for (option, start) in
        [("-v", format!("{}:", source.path().display())), ("--tmpfs", String::new())]
    {
        let value = |number| format!("{start}/many/{number}");
        let ran = words(option, &value, "grep -c ' /many/' /proc/self/mountinfo");
        match ran.status {
            Some(0) => assert_eq!((ran.out.as_str(), ran.err.as_str()), ("10000\n", "")),
            // No more descriptors, or mounts (fs.mount-max), or memory.
            _ => assert!(
                ran.status == Some(125) && ran.err.lines().count() == 1,
                "{option}: {ran:?}"
            ),
        }
        fs::remove_dir_all(root.path().join("many")).unwrap();
    }
    assert_eq!(mounts(), before);
}

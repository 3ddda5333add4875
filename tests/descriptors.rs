//! The descriptors that a program is handed on besides the first three, and that
//! there are no others.

mod common;
use common::*;

use std::fs;

/// Runs a bash script in which `RUN` is `thimble run`, `ROOT` a root file system
/// and `DIR` a directory of this test's own with a file `in` in it.
fn bash(script: &str) -> (Ran, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("in"), "input\n").unwrap();
    let script = script
        .replace("RUN", &format!("{} run", thimble().display()))
        .replace("ROOT", busybox().to_str().unwrap())
        .replace("DIR", place.path().to_str().unwrap());
    (Ran::of(command("bash", &["-c", &script]).output().unwrap()), place)
}

#[test]
fn descriptors_are_handed_on_by_number_and_no_others() {
    for (options, want) in [
        ("", "0 1 2"),
        ("--preserve-fds 0", "0 1 2"),
        ("--preserve-fds 1", "0 1 2 3"),
        ("--preserve-fds=3", "0 1 2 3 4 5"),
        ("--preserve-fds 3 -u 1000 --cap-drop ALL", "0 1 2 3 4 5"),
        ("--preserve-fds 3 --bare", "0 1 2 3 4 5"),
        ("--preserve-fds 3 --no-pivot --pids-limit 9 --read-only -v /etc:/tmp", "0 1 2 3 4 5"),
    ] {
        // The shell's glob has one of its own open while it looks, the lowest that is free.
        let (ran, _) = bash(&format!(
            "exec 3<DIR/in 4>DIR/out 5<>DIR/both 6<DIR/in 9<DIR 700</dev/null
            exec RUN {options} ROOT sh -c 'cd /proc/self/fd; for n in *; do test -e $n && echo $n; done; true'"
        ));
        assert_eq!(ran.good().replace('\n', " ").trim_end(), want, "{options}");
    }
}

#[test]
fn what_is_handed_on_is_what_the_caller_opened() {
    let (ran, place) = bash(
        "read -r x <DIR/in
        exec RUN --preserve-fds 2 ROOT sh -c 'cat <&3; echo output >&4' 3<DIR/in 4>>DIR/out",
    );
    assert_eq!(ran.good(), "input\n");
    assert_eq!(fs::read_to_string(place.path().join("out")).unwrap(), "output\n");
    // A file that was given to be read is not what is written to, as with the first three.
    let script = "exec RUN --preserve-fds 1 OPTIONS ROOT sh -c 'echo no >/proc/self/fd/3' 3<DIR/in";
    for options in ["", "--bare", "--privileged"] {
        let (ran, place) = bash(&script.replace("OPTIONS", options));
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "into the pipe");
        assert_eq!(fs::read_to_string(place.path().join("in")).unwrap(), "input\n");
    }
    // The control: what was given to be written.
    let (ran, place) = bash(&script.replace("3<DIR", "3<>DIR").replace("OPTIONS", ""));
    assert_eq!(ran.good(), "");
    assert_eq!(fs::read_to_string(place.path().join("in")).unwrap(), "no\n");
}

#[test]
fn a_closed_descriptor_or_a_directory_is_refused_before_anything_is_done() {
    let closed = |number| {
        format!(
            "thimble: hand on descriptor {number}: EBADF: Bad file descriptor\n\
             thimble: hint: --preserve-fds N hands on 3 to 3+N-1: open all of them\n"
        )
    };
    let directory = "thimble: hand on descriptor 4: EISDIR: Is a directory\n\
        thimble: hint: from a directory the program could leave the container\n";
    for (script, lines) in [
        ("RUN --preserve-fds 1 /nowhere", closed(3)),
        ("RUN --preserve-fds 2 /nowhere 3</dev/null", closed(4)),
        ("RUN --preserve-fds 3 /nowhere 3</dev/null 5</dev/null", closed(4)),
        ("RUN --preserve-fds 1048576 /nowhere 3</dev/null", closed(4)),
        ("RUN --preserve-fds 2 /nowhere 3</dev/null 4<DIR", directory.to_string()),
        ("RUN --preserve-fds 2 --bare /nowhere 3</dev/null 4</", directory.to_string()),
    ] {
        let (ran, _) = bash(&format!("exec {script}"));
        assert_eq!((ran.status, ran.err), (Some(125), lines), "{script}");
    }
}

#[test]
fn neither_side_keeps_what_it_handed_on() {
    // The reader sees the end once the program has closed its own, while all of them live on.
    let (ran, _) = bash(
        "mkfifo DIR/pipe DIR/end
        RUN --preserve-fds 2 ROOT sh -c 'echo said >&3; exec 3>&-; read x <&4; exit 7' 3>DIR/pipe 4<>DIR/end &
        timeout 10 cat DIR/pipe && echo end
        echo >DIR/end
        wait $!
        echo $?",
    );
    assert_eq!(ran.good(), "said\nend\n7\n");
}

#[test]
fn before_linux_5_9_all_others_are_closed_too() {
    for options in ["", "--bare", "--preserve-fds 2"] {
        let calls = tempfile::NamedTempFile::new().unwrap();
        let (ran, _) = bash(&format!(
            "exec 3<DIR/in 4>DIR/out 5<>DIR/both 64<DIR/in 65</ 700</
            exec strace -f -qq -o {} -e trace=close_range -e inject=close_range:error=ENOSYS RUN {options} ROOT sh -c 'cd /proc/self/fd; for n in *; do test -e $n && echo $n; done; true'",
            calls.path().display()
        ));
        let want = if options.contains("preserve") { "0 1 2 3 4" } else { "0 1 2" };
        assert_eq!(ran.good().replace('\n', " ").trim_end(), want, "{options}");
        let calls = fs::read_to_string(calls.path()).unwrap();
        assert_eq!(calls.matches("close_range(").count(), calls.matches("ENOSYS").count());
        assert!(calls.contains("ENOSYS"));
    }
}

//! What the README shows of a session is what it prints.

mod common;
use common::*;

/// The commands of a section of the README, each with the lines that it prints: indented by four,
/// and a command behind `# `.
fn session(readme: &str, section: &str) -> Vec<(String, String)> {
    let (_, section) = readme.split_once(&format!("\n## {section}\n")).unwrap();
    let section = section.split("\n##").next().unwrap();
    // What stands between fences is no session.
    let section: String = section.split("```").step_by(2).collect();
    let mut session: Vec<(String, String)> = Vec::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        if let Some((command, _)) = session.last_mut()
            && command.ends_with('\\')
        {
            command.push_str(&format!("\n{line}"));
            continue;
        }
        match line.strip_prefix("# ") {
            Some(command) => session.push((command.into(), String::new())),
            None => session.last_mut().unwrap().1.push_str(&format!("{line}\n")),
        }
    }
    session
}

#[test]
fn the_first_session_prints_what_the_readme_says() {
    let session = session(include_str!("../README.md"), "A first session");
    // `cd target/images`, where the program lies one above.
    let images = busybox().parent().unwrap().to_path_buf();
    assert_eq!(session[0], ("cd target/images".into(), String::new()));
    for (shown, want) in &session[1..] {
        let mut script = shown.replace("../thimble", thimble().to_str().unwrap());
        if shown.contains(" / ") {
            script = script.replace(" run ", &format!(" run {} ", OF_THE_HOST.join(" ")));
        }
        let mut shell = command("sh", &["-c", &format!("exec 2>&1; {script}")]);
        let out = Ran::of(shell.current_dir(&images).output().unwrap()).out;
        assert_eq!(out, *want, "{shown}");
    }
    assert!(session.len() > 5, "{session:?}");
}

#[test]
fn what_is_detached_goes_on_and_writes_where_the_readme_says() {
    let session = session(include_str!("../README.md"), "Options");
    let images = busybox().parent().unwrap().to_path_buf();
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let [(pid, _), (logged, _)] = &session[..2] else { panic!("{session:?}") };
    let script =
        format!("{pid} && {logged}; echo $PID").replace("../thimble", thimble().to_str().unwrap());
    let script = script.replace(">log", &format!(">{}", log.display()));
    let out =
        Ran::of(command("sh", &["-c", &script]).current_dir(&images).output().unwrap()).good();
    let text = || std::fs::read_to_string(&log).unwrap();
    eventually("it tells of itself", || text().contains("top -b"));
    let pids = [out.trim().to_string(), text().lines().next().unwrap().to_string()];
    for pid in pids {
        assert!(command("kill", &["-KILL", &pid]).status().unwrap().success());
        eventually("it is gone", || !std::path::Path::new("/proc").join(&pid).exists());
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_test_in_an_initramfs_goes_as_the_readme_says() {
    let session = session(include_str!("../README.md"), "In an initramfs test");
    let place = tempfile::tempdir().unwrap();
    let machine = machine::Kind::X86_64.image();
    for (from, name) in [
        (thimble(), "thimble"),
        (machine.join("busybox"), "busybox"),
        (machine.join("vmlinuz"), "vmlinuz"),
    ] {
        std::fs::copy(from, place.path().join(name)).unwrap();
    }
    // In one shell, for its variables.
    let (mut script, mut want) = ("exec 2>&1\n".to_string(), String::new());
    for (shown, lines) in &session {
        script += &format!("{shown}\n");
        want += lines;
    }
    let _alone = machine::alone();
    let out =
        Ran::of(command("sh", &["-c", &script]).current_dir(place.path()).output().unwrap()).out;
    assert_eq!(out.replace('\r', ""), want);
    assert!(
        session.len() == 5 && want.contains("thimble-result: exit=3 signal=0\n"),
        "{session:?}"
    );
}

//! The executable itself: freestanding, static, and nothing in it that the
//! project does not want there.

mod common;
use common::*;

fn readelf(option: &str) -> String {
    Ran::of(command("readelf", &[option, "-W"]).arg(thimble()).output().unwrap()).out
}

#[test]
fn it_is_a_static_executable_at_a_fixed_address() {
    let header = readelf("-h");
    assert!(header.contains("Type:                              EXEC"), "{header}");
    let segments = readelf("-l");
    for unwanted in ["INTERP", "DYNAMIC", "RWE", "TLS"] {
        assert!(!segments.contains(unwanted), "{unwanted}: {segments}");
    }
}

#[test]
fn nothing_of_it_can_be_written_and_the_stack_not_executed() {
    let segments = readelf("-l");
    let loaded: Vec<_> = segments
        .lines()
        .filter(|line| line.trim_start().starts_with("LOAD"))
        .map(|line| line[line.find("0x").unwrap()..].split_whitespace().collect::<Vec<_>>())
        .map(|fields| {
            (fields[3].trim_end_matches('0') == "0x", fields[5..fields.len() - 1].join(""))
        })
        .collect();
    // One segment, readable and executable, and room of which there is nothing in the file.
    assert_eq!(loaded, [(false, "RE".to_string()), (true, "RW".to_string())], "{segments}");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).unwrap();
    assert!(stack.contains(" RW "), "{stack}");
}

#[test]
fn it_has_no_undefined_symbol_and_needs_no_library() {
    let symbols = readelf("-s");
    let undefined: Vec<_> = symbols
        .lines()
        .filter(|line| line.contains(" UND ") && line.split_whitespace().count() > 7)
        .collect();
    assert!(undefined.is_empty(), "{undefined:?}");
    assert!(!readelf("-d").contains("NEEDED"));
}

#[test]
fn no_defence_can_be_left_out_of_it() {
    // What a test-only build reads is not even named here, in whatever profile.
    let named = |program| {
        let bytes = std::fs::read(program).unwrap();
        bytes.windows(9).any(|window| window == b"LEAVE_OUT")
    };
    assert!(!named(thimble()));
    assert!(!named(std::path::PathBuf::from(env!("CARGO_BIN_EXE_thimble"))));
    assert!(named(thimble_without()), "the control");
}

#[test]
fn the_release_has_no_panic_text_and_no_path_of_the_builder() {
    let bytes = std::fs::read(thimble()).unwrap();
    if thimble().to_str().unwrap().contains("debug") {
        return; // a debug build has both, for whoever debugs it
    }
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for unwanted in ["panicked", ".rs", "/rustc/", "cargo", "called `Option", "overflow"] {
        assert!(!has(unwanted), "{unwanted}");
    }
}

#[test]
fn a_run_takes_no_more_system_calls_than_its_budget() {
    for (options, budget) in [(&["--bare"][..], 53), (&[], 150)] {
        let place = tempfile::tempdir().unwrap();
        let (file, thimble) = (place.path().join("calls"), thimble());
        let mut words = vec!["-f", "-qq", "-o", file.to_str().unwrap()];
        words.extend([thimble.to_str().unwrap(), "run"]);
        words.extend(options);
        let root = busybox();
        words.extend([root.to_str().unwrap(), "/bin/true"]);
        Ran::of(command("strace", &words).output().unwrap()).good();
        // Without those of the program: what its process does after its execve. And without
        // those that undo what the caller ignores: some C libraries leave two such signals.
        let (mut calls, mut executed, mut program) = (0, 0, String::new());
        let traced = std::fs::read_to_string(file).unwrap();
        for (process, call) in traced.lines().filter_map(|line| line.split_once(' ')) {
            let call = call.trim_start();
            if process == program
                || ["<...", "---", "+++", "rt_sigaction(SIGRT"]
                    .iter()
                    .any(|no| call.starts_with(no))
            {
                continue;
            }
            calls += 1;
            if call.starts_with("execve(") {
                executed += 1;
                if executed == 2 {
                    program = process.to_string();
                }
            }
        }
        assert_eq!(executed, 2, "{traced}");
        assert!(calls <= budget, "{calls} of {budget} for {options:?}: {traced}");
    }
}

//! thimble runs a program in a Linux container.
//!
//! # The way of the data
//!
//! ```text
//! argv --cli--> Config --run--> (host side) --clone--> enter (container side) --> init, program
//!                                    '-- waits, forwards --- undoes, last first
//! ```
//!
//! Reading the command line only fills a `Config`: it opens nothing and asks
//! the kernel nothing. Nothing changes the `Config` afterwards.
//!
//! # The modules, in the order of that way
//!
//! | module | what it is |
//! |---|---|
//! | `cli` | the option table, the engine that reads a command line by it, the help |
//! | `config` | what a container is to be: plain borrowed data |
//! | `run` | the host's side, as a list of steps |
//! | `announce` | who else is told of it: the caller of `--detach`, a file, a descriptor |
//! | `check` | what a kernel and host give, found by trying |
//! | `enter` | the container's side, as a list of steps |
//! | `exec` | `thimble exec`, as a list of steps: into a container that runs already |
//! | `init` | pid 1: pass signals on, reap, end with the program |
//! | `isolate` | a file for each concept of the kernel, both sides of it together |
//! | `machine`, `off` | pid 1 of a machine: the frame around all of this, and its end |
//! | `steps`, `report` | the words for each step, told or complained about |
//! | `undo` | what the host side takes back at its end |
//! | `text` | text and its rules; pure |
//! | `kernel` | the system calls, and all that is unsafe or differs by processor |
//!
//! # Who may use whom
//!
//! `main -> cli, check -> run, exec -> enter -> init, isolate -> report -> steps, undo -> text -> kernel`,
//! and everybody `config`. `kernel` uses nothing of ours.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
// Texts are looked for among all others while this is compiled.
#![allow(long_running_const_eval)]
// Nothing in the program may panic: there would be nobody to say so.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

mod announce;
mod check;
pub mod cli;
pub mod config;
mod enter;
mod exec;
mod init;
mod isolate;
#[allow(unsafe_code)]
pub mod kernel;
mod machine;
mod off;
mod report;
mod run;
mod steps;
mod text;
mod undo;

use cli::Request;
use cli::parser::{Parser, Usage, Wrong};
use config::{Config, Ending};
use kernel::{Given, STDOUT};
use report::Report;
use steps::Step;
use text::{Packed, pack};

/// The program: reads its command line, does what it says, and gives the exit
/// status.
pub fn main(given: &mut Given) -> u8 {
    #[cfg(feature = "leave-out")]
    kernel::remember(given.environment);
    let mut config = Config::new();
    let report = &mut Report::new();
    let mut parser = Parser::new(given.arguments, &mut config);
    let asked = cli::read(&mut parser);
    let Parser { usage, texts, .. } = parser;
    #[cfg(feature = "leave-out")]
    config.leave_out();
    let first = given.pid.number() == 1;
    if first {
        config.ending.own = machine::is_own();
        config.ending.modules = !config.modules.as_slice().is_empty();
        let asked_for = matches!(asked, Ok(Request::Init));
        if config.ending.own || asked_for {
            machine::frame(&config, asked_for, report);
            given.pid = kernel::own_pid();
        }
    }
    match asked {
        Ok(Request::Run) => run::run(&config, given),
        Ok(Request::Exec) => exec::exec(&mut config, given, report),
        Ok(Request::Init) if first => machine::start(&config, given.environment, report),
        Ok(Request::Init) => {
            let why = pack!("is for pid 1 of a machine, as its end is the machine's");
            report.refuse(c"init", c"", why)
        }
        Ok(Request::Check) => check::check(&mut config, given, report),
        Ok(Request::Print) => print(texts, report),
        Err(Wrong) => wrong(&usage, report),
    }
}

/// Ends with what is wrong with the command line.
#[inline(never)]
fn wrong(usage: &Usage, report: &mut Report) -> ! {
    let mut lines = report::complaint(usage.word, usage.value, usage.why);
    if let Some(word) = usage.nearest {
        report::begin_hint(&mut lines);
        lines.push(b"did you mean ");
        lines.push(word);
    }
    report.end_with(report::FAILED, &mut lines)
}

/// What is left to do for whoever cannot go on, as after a panic.
pub fn give_up() -> ! {
    if kernel::own_pid().number() == 1 && machine::is_own() {
        off::turn_off(Ending { own: true, ..Ending::POWER_OFF }, report::FAILED, 0, None);
    }
    kernel::exit(report::FAILED)
}

/// Prints texts to the standard output.
fn print(texts: &[Packed], report: &mut Report) -> u8 {
    for text in texts {
        report.step(Step::WriteOut, kernel::write_all(STDOUT, text.bytes()));
    }
    0
}

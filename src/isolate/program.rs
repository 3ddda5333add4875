//! The program's own process: what pid 1 must not have done to itself, and the
//! exec.

use core::ffi::CStr;

use crate::config::{Config, Share};
use crate::isolate::{environment, privileges};
use crate::kernel::{self, Argv, Errno, Pid, Stack, Word};
use crate::report::{NOT_EXECUTABLE, NOT_FOUND, Report};
use crate::steps::Step;
use crate::text::{Parts, Text, pack, parse_hexadecimal, split_at};

const SHELL: &[Option<Word>] = &[Some(Word::new(c"/bin/sh")), None];

/// What the process needs. It shares this memory with pid 1 until it executes
/// the program, and pid 1 sleeps meanwhile.
struct Program<'a, 'r> {
    config: &'a Config<'a>,
    command: Argv<'a>,
    environment: Argv<'a>,
    report: &'a mut Report<'r>,
}

/// Starts the program. When this returns, it has been executed, or has told
/// its failure and ended with the exit status for it.
pub fn start(config: &Config, environment: Argv, report: &mut Report) -> Pid {
    let mut stack = report.step(Step::MapStack, Stack::map());
    let command = config.command.or(Argv::new(SHELL)).unwrap_or(environment);
    let mut program = Program { config, command, environment, report };
    let spawned = kernel::spawn(&mut stack, &mut program, |program| program.execute());
    program.report.step(Step::Clone, spawned)
}

impl Program<'_, '_> {
    /// Everything between the clone and the program's first instruction.
    fn execute(&mut self) -> u8 {
        if self.config.pid == Some(Share::Host) {
            // No pid namespace ends it with pid 1.
            self.report.step(Step::SetDeathSignal, kernel::die_with_parent());
        }
        if let Some(workdir) = self.config.workdir {
            self.report.step_on(Step::Workdir, workdir, kernel::change_directory(workdir));
        }
        self.report.step(Step::ResetSignals, reset_signals());
        let name = self.command.first().unwrap_or(c"");
        privileges::assume(self.config, self.report);
        self.report.tell(Step::Execute, Some(name));
        let errno = if name.is_empty() || split_at(name, b'/').is_some() {
            self.execute_file(name)
        } else {
            self.search(name)
        };
        self.report.explain(Step::Execute, Some(name), errno);
        self.report.end(if errno == Errno::ENOENT { NOT_FOUND } else { NOT_EXECUTABLE })
    }

    /// Looks for the command in PATH, as execvp(3) does: a directory that may
    /// not be searched or a file that may not be executed is remembered, in case
    /// nothing better comes.
    fn search(&mut self, name: &CStr) -> Errno {
        let path = environment::value(self.environment, b"PATH").unwrap_or(c"");
        let mut worst = Errno::ENOENT;
        for directory in Parts::of(path.to_bytes(), b':') {
            let directory = if directory.is_empty() { b"." } else { directory };
            let file = Text::of(&[directory, b"/", name.to_bytes()]);
            let Some(file) = file.as_c_str() else { continue };
            match self.execute_file(file) {
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::EACCES => worst = Errno::EACCES,
                other => return other,
            }
        }
        worst
    }

    /// Executes a file, or gives the reason why not. ENOENT for a file that is
    /// there means that what should run it is not, and is the end.
    fn execute_file(&mut self, file: &CStr) -> Errno {
        let errno = kernel::execute(file, self.command, self.environment);
        if errno == Errno::ENOENT && kernel::exists(file) {
            self.report.explain(Step::Execute, Some(file), errno);
            self.report.add_hint(pack!(
                "the file is there, but the interpreter of its #! line or its dynamic loader is not"
            ));
            self.report.end(NOT_EXECUTABLE);
        }
        errno
    }
}

/// Ignored and blocked signals would pass through execve(2).
fn reset_signals() -> kernel::Result<()> {
    let ignored = ignored_signals()?;
    for signal in 1..=kernel::LAST_SIGNAL {
        if ignored >> (signal - 1) & 1 == 1 {
            kernel::default_action(signal)?;
        }
    }
    kernel::unblock_signals()
}

/// The signals that this process ignores, the lowest bit for signal 1: the line
/// `SigIgn` of proc_pid_status(5), of the /proc that was mounted for the
/// container. One look instead of 62 system calls.
fn ignored_signals() -> kernel::Result<u64> {
    let file = kernel::open(c"/proc/self/status", libc::O_RDONLY)?;
    let mut buffer = [0; 2048];
    let status = kernel::read(file, &mut buffer)?;
    kernel::close(file);
    let line = Parts::of(status, b'\n').find_map(|line| line.strip_prefix(b"SigIgn:\t"));
    line.and_then(parse_hexadecimal).ok_or(Errno::EINVAL)
}

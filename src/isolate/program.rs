//! The program's own process: what pid 1 must not have done to itself, and the
//! exec.

use core::ffi::CStr;

use crate::config::{Config, Share};
use crate::isolate::accounts::Ids;
use crate::isolate::link::{self, Link};
use crate::isolate::running::Running;
use crate::isolate::{descriptors, environment, limits, privileges, status, terminal};
use crate::kernel::{self, Argv, Errno, Fd, Pid, Stack};
use crate::report::{NOT_EXECUTABLE, NOT_FOUND, Report};
use crate::steps::Step;
use crate::text::{Parts, Text, parse_hexadecimal, split_at};

/// What the process needs. It shares this memory with pid 1 until it executes
/// the program, and pid 1 sleeps meanwhile.
struct Program<'a, 'r> {
    config: &'a Config<'a>,
    command: Argv<'a>,
    environment: Argv<'a>,
    ids: &'a Ids,
    filter: &'a [u8],
    entry: Option<Entry<'a>>,
    report: &'a mut Report<'r>,
}

/// How the program's process comes into a container that runs already.
pub struct Entry<'a> {
    /// The container.
    pub running: &'a Running,
    /// The line to the process that waits for it.
    pub link: &'a Link,
    /// The terminal for it, if it is to have one.
    pub slave: Option<Fd>,
    /// The signals that are ignored here.
    pub ignored: u64,
}

/// Starts the program, in a process of its own unless it is to be pid 1. When this
/// returns, it has been executed, or has told its failure and ended with the exit
/// status for it.
pub fn start(
    config: &Config,
    environment: Argv,
    ids: &Ids,
    filter: &[u8],
    entry: Option<Entry>,
    stack: &mut Stack,
    report: &mut Report,
) -> kernel::Result<Pid> {
    let command = config.command.unwrap_or(Argv::SHELL);
    let mut program = Program { config, command, environment, ids, filter, entry, report };
    if config.as_pid_1 {
        kernel::exit(program.execute());
    }
    kernel::spawn(stack, &mut program, |program| program.execute())
}

impl Program<'_, '_> {
    /// Everything between the clone and the program's first instruction.
    fn execute(&mut self) -> u8 {
        let line = self.entry.as_ref().map(|entry| {
            let line = entry.link.keep_container_end();
            self.report.link = Some(line);
            entry.running.enter(self.report);
            terminal::take_for(entry.slave, self.config, self.ids.user, self.report);
            let keep_groups = entry.running.only_group().is_some();
            privileges::cut_down(self.config, self.ids, keep_groups, false, self.report);
            line
        });
        if let Some(workdir) = self.config.workdir {
            self.report.step_on(Step::Workdir, workdir, kernel::change_directory(workdir));
        }
        if self.config.tty {
            terminal::control(self.config.as_pid_1 || line.is_some(), self.report);
        } else if !self.config.as_pid_1 && line.is_none() {
            // What it sends to its process group is not for pid 1, and it can be stopped by
            // SIGTSTP: a group without a parent outside it, in its session, could not.
            self.report.step(Step::OwnGroup, kernel::new_process_group());
        }
        let ignored = self.entry.as_ref().map_or_else(ignored_signals, |entry| Ok(entry.ignored));
        self.report.step(Step::ResetSignals, ignored.and_then(reset_signals));
        let name = self.command.first().unwrap_or(c"");
        privileges::assume(self.config, self.ids, self.report);
        if line.is_some() || self.config.pid == Some(Share::Host) || self.config.as_pid_1 {
            // No pid 1 ends with the host side and takes it along. After the change of ids,
            // which clears this; execve(2) clears it where it gives more capabilities.
            self.report.step(Step::SetDeathSignal, kernel::die_with_parent());
        }
        if let Some(line) = line {
            link::check_host(line, self.report);
        }
        self.report.tell(Step::Execute, Some(name));
        if self.config.detach {
            self.report.step(Step::Descriptors, descriptors::let_go_of_output());
        }
        // From here on perhaps no file can be written to, no time is left, or no system call
        // but execve(2).
        limits::set(self.config, self.report);
        if let Some(path) = self.config.filter_file()
            && let Err(errno) = kernel::set_filter_bytes(self.filter)
        {
            self.report.fail(Step::LoadFile, Some(path), errno);
        }
        execute(self.command, self.environment, self.report)
    }
}

/// Executes a command, or ends with the reason why not.
pub fn execute(command: Argv, environment: Argv, report: &mut Report) -> ! {
    let name = command.first().unwrap_or(c"");
    // ENOENT for a file that is there means that what should run it is not, and is the end.
    let mut execute_file = |file: &CStr| {
        let errno = kernel::execute(file, command, environment);
        if errno == Errno::ENOENT && kernel::exists(file) {
            report.fail_with(NOT_EXECUTABLE, Step::ExecuteFound, Some(file), errno);
        }
        errno
    };
    let errno = if name.is_empty() || split_at(name, b'/').is_some() {
        execute_file(name)
    } else {
        search(environment::value(environment, b"PATH"), name, &mut execute_file)
    };
    let status = if errno == Errno::ENOENT { NOT_FOUND } else { NOT_EXECUTABLE };
    report.fail_with(status, Step::Execute, Some(name), errno)
}

/// Looks for a command in PATH, as execvp(3) does: a directory that may not be
/// searched or a file that may not be executed is remembered, in case nothing
/// better comes.
pub fn search(path: &CStr, name: &CStr, execute: &mut dyn FnMut(&CStr) -> Errno) -> Errno {
    let mut worst = Errno::ENOENT;
    for directory in Parts::of(path.to_bytes(), b':') {
        let directory = if directory.is_empty() { b"." } else { directory };
        let file = Text::of(&[directory, b"/", name.to_bytes()]);
        let Some(file) = file.as_c_str() else { continue };
        match execute(file) {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => worst = Errno::EACCES,
            other => return other,
        }
    }
    worst
}

/// The signals that are ignored, a bit each. One look instead of 62 system calls, which
/// it takes if a long list of groups stands before that line.
pub fn ignored_signals() -> kernel::Result<u64> {
    match status::field(status::open()?, b"SigIgn:\t", parse_hexadecimal) {
        Err(Errno::ENODATA) => Ok(ALL_SIGNALS),
        found => found,
    }
}

/// Those that can be ignored: all but SIGKILL and SIGSTOP, bits 8 and 18.
pub const ALL_SIGNALS: u64 = !(1 << 8 | 1 << 18);

/// Ignored and blocked signals would pass through execve(2).
pub fn reset_signals(ignored: u64) -> kernel::Result<()> {
    for bit in 0..kernel::LAST_SIGNAL {
        if ignored >> bit & 1 == 1 {
            kernel::default_action(bit + 1)?;
        }
    }
    kernel::unblock_signals()
}

//! What thimble tells its caller: the steps, if `--verbose` asks for them, and
//! why it failed.
//!
//! A kernel wrapper gives a bare errno. The line that made the call hands it to
//! `Report::step` with the step's name, which serves the narration as well as
//! the error. A step that fails is the end of its side: nothing after it is
//! reached, what was made is taken back, and the exit status says so.

use core::ffi::CStr;

use crate::kernel::{self, Errno, Fd, Pid, STDERR};
use crate::off;
use crate::steps::Step;
use crate::text::{self, Packed, Text};
use crate::undo::{self, Undo};

/// Exit status where its time was up, as timeout(1) has it.
pub const TIMED_OUT: u8 = 124;
/// Exit status of any failure of thimble's own, as docker, env(1) and others have it.
pub const FAILED: u8 = 125;
/// Exit status where the command cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// Exit status where the command does not exist.
pub const NOT_FOUND: u8 = 127;

/// How every line begins.
const START: &[u8] = b"thimble: ";

/// Longer subjects are cut, so that the reason behind them is seen.
const LONGEST_SUBJECT: usize = 512;

/// One side's report. In this order, so that the small fields lie at its start.
#[repr(C)]
pub struct Report<'a> {
    /// Whether each step is told as it is taken.
    pub verbose: bool,
    /// Whether a failure was told, perhaps by a process that shares this memory.
    pub has_failed: bool,
    /// The container side's line to the host side, which tells its failure.
    pub link: Option<Fd>,
    /// What the host side has to take back.
    pub undo: Undo<'a>,
}

impl<'a> Report<'a> {
    /// A report with nothing to tell and nothing to take back.
    #[inline(never)]
    pub const fn new() -> Report<'a> {
        Report { verbose: false, has_failed: false, link: None, undo: Undo::new() }
    }

    /// Takes the result of a step: tells it if it went well, ends if it did not.
    pub fn step<T>(&mut self, step: Step, result: kernel::Result<T>) -> T {
        self.take(step, None, result)
    }

    /// The same for a step that has a subject.
    pub fn step_on<T>(&mut self, step: Step, subject: &CStr, result: kernel::Result<T>) -> T {
        self.take(step, Some(subject), result)
    }

    fn take<T>(&mut self, step: Step, subject: Option<&CStr>, result: kernel::Result<T>) -> T {
        match result {
            Ok(value) => {
                self.tell(step, subject);
                value
            }
            Err(errno) => self.fail(step, subject, errno),
        }
    }

    /// Tells a step, if asked to: `thimble: STEP SUBJECT`.
    pub fn tell(&self, step: Step, subject: Option<&CStr>) {
        if self.verbose {
            let mut line = Text::new();
            push_step(&mut line, step, subject);
            say(&mut line);
        }
    }

    /// Tells the number of a process or of this one, if asked to: `thimble: WHAT: NUMBER`.
    pub fn tell_pid(&self, what: Packed, pid: Option<Pid>) {
        if self.verbose {
            let mut line = Text::new();
            line.push_packed(what);
            line.push_number(pid.unwrap_or_else(kernel::own_pid).number() as u64);
            say(&mut line);
        }
    }

    /// Ends with a failed system call: `thimble: STEP SUBJECT: ENAME: text`,
    /// and a hint where the cause is known.
    #[cold]
    #[inline(never)]
    pub fn fail(&mut self, step: Step, subject: Option<&CStr>, errno: Errno) -> ! {
        self.fail_with(FAILED, step, subject, errno)
    }

    /// The same with another exit status.
    #[inline(never)]
    pub fn fail_with(&mut self, status: u8, step: Step, subject: Option<&CStr>, errno: Errno) -> ! {
        let mut lines = Text::new();
        explain(&mut lines, step, subject, errno);
        self.end_with(status, &mut lines)
    }

    /// Ends with a complaint.
    #[cold]
    #[inline(never)]
    pub fn refuse(&mut self, word: &CStr, value: &CStr, why: Packed) -> ! {
        self.end_with(FAILED, &mut complaint(word, value, Some(why)))
    }

    /// Ends with a complaint about a line of a file.
    #[inline(never)]
    pub fn refuse_line(&mut self, word: &CStr, path: &CStr, why: Packed, number: u32) -> ! {
        let mut line = complaint(word, path, Some(why));
        line.push_number(number.into());
        self.end_with(FAILED, &mut line)
    }

    /// Ends this side, with nothing more to tell.
    pub fn end(&mut self, status: u8) -> ! {
        self.end_with(status, &mut Text::new())
    }

    /// Ends this side: takes back what is to be taken back, tells why, if there is
    /// something to tell, and exits.
    #[inline(never)]
    pub fn end_with(&mut self, status: u8, lines: &mut Text) -> ! {
        if self.undo.end_children() {
            lines.clear();
        }
        if let Err(errno) = self.undo.terminal.restore(true) {
            explain(lines, Step::CallersTerminal, None, errno);
        }
        if let Some((name, errno)) = self.undo.run() {
            explain(lines, Step::RemoveCgroup, Some(name), errno);
        }
        // Last: where that is gone, all is.
        if let Some((path, own)) = self.undo.pid_file
            && let Err(errno) = undo::remove_pid_file(self.undo.here, path, own)
        {
            explain(lines, Step::RemovePidFile, Some(path), errno);
        }
        if !lines.is_empty() {
            self.has_failed = true;
            lines.push_byte(b'\n');
            // Nobody is left to tell if the other side, or the standard error, is gone.
            let _ = kernel::write_all(self.link.unwrap_or(STDERR), lines.as_bytes());
        }
        let status = if self.undo.terminal.failed { FAILED } else { status };
        if let Some(ending) = self.undo.ending {
            off::turn_off(ending, status, 0, None);
        }
        kernel::exit(status)
    }
}

/// Adds a failed system call, on a line of its own: `thimble: STEP SUBJECT: ENAME: text`,
/// and a hint where the cause is known.
#[inline(never)]
pub fn explain(lines: &mut Text, step: Step, subject: Option<&CStr>, errno: Errno) {
    if !lines.is_empty() {
        lines.push_byte(b'\n');
    }
    push_step(lines, step, subject);
    lines.push(b": ");
    text::push_error(errno.number(), lines);
    if let Some(hint) = step.hint(errno) {
        begin_hint(lines);
        hint.push_to(lines);
    }
}

/// Tells a failed step that is not the end.
pub fn warn(step: Step, subject: Option<&CStr>, errno: Errno) {
    let mut lines = Text::new();
    explain(&mut lines, step, subject, errno);
    say(&mut lines);
}

/// `thimble: WORD VALUE: WHY`, without what is empty.
#[inline(never)]
pub fn complaint(word: &CStr, value: &CStr, why: Option<Packed>) -> Text {
    let mut line = Text::of(&[START]);
    push_subject(&mut line, word);
    push_subject(&mut line, value);
    if let Some(why) = why {
        line.push(b": ");
        line.push_packed(why);
    }
    line
}

/// Begins a line of advice.
pub fn begin_hint(lines: &mut Text) {
    lines.push(b"\nthimble: hint: ");
}

/// Adds `thimble: STEP SUBJECT`.
fn push_step(lines: &mut Text, step: Step, subject: Option<&CStr>) {
    lines.push(START);
    step.push_to(lines);
    if let Some(subject) = subject {
        push_subject(lines, subject);
    }
}

fn push_subject(lines: &mut Text, subject: &CStr) {
    let subject = subject.to_bytes();
    if !subject.is_empty() {
        if lines.as_bytes().last() != Some(&b' ') {
            lines.push_byte(b' ');
        }
        lines.push_escaped(subject.get(..LONGEST_SUBJECT).unwrap_or(subject));
    }
}

/// Tells a line, which lacks its end, on the standard error.
#[cold]
#[inline(never)]
pub fn say(line: &mut Text) {
    line.push_byte(b'\n');
    // Likewise. If whoever read it is gone, that is no signal for the program, and none to tell.
    if kernel::write_all(STDERR, line.as_bytes()).is_err() {
        kernel::forget_broken_pipe();
    }
}

//! Who learns of the container besides the program's own output and exit status: the caller
//! that `--detach` lets go, the file of `--pidfile`, and the reader of `--json-status-fd`.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::cgroup::{self, UNKNOWN};
use crate::isolate::descriptors;
use crate::isolate::link::Link;
use crate::kernel::{self, End, Errno, Fd, Pid, STDIN, STDOUT, left_out};
use crate::report::{self, FAILED, Report};
use crate::steps::Step;
use crate::text::{PackedList, Text, pack_list};
use crate::undo::{self, Heard};

/// What a line of the status is made of: the first one's, and then that of each of `Figures`.
const MEMBERS: PackedList = pack_list!(
    "{\"child-pid\": \0{\"exit-code\": \0, \"signal\": \0, \"memory-peak\": \0, \"cpu-usec\": \0\
     , \"oom-killed\": \0"
);

/// Host side, before anything else is opened: looks at the descriptor of the status. With
/// `--detach`, it is another process from here on, which neither a signal to the caller nor
/// the end of his session reaches; gives its line to the caller's own.
pub fn prepare<'a>(config: &Config<'a>, report: &mut Report<'a>) -> Option<Fd> {
    let mut last = Fd::new(config.first_own_descriptor() as usize - 1);
    if let Some(fd) = config.json_status_fd {
        last = Fd::new(fd as usize);
        let open = match kernel::is_read_only(last) {
            Ok(true) => Err(Errno::EBADF),
            other => other.map(drop),
        };
        if let Err(errno) = open {
            report.fail(Step::WriteStatus, None, errno);
        }
    }
    let caller = config.detach.then(|| detach(last, config, report));
    // Where the path begins: ROOTFS is going to be the current directory.
    if let Some(path) = config.pid_file
        && path.to_bytes().first() != Some(&b'/')
    {
        let here = kernel::open(c".", libc::O_PATH);
        report.undo.here = report.step_on(Step::WritePidFile, path, here);
    }
    caller
}

/// Goes on in a new process, and gives its line to the old one.
fn detach(last: Fd, config: &Config, report: &mut Report) -> Fd {
    // What else the caller has open would be so as long as the container lives.
    descriptors::close_all_but(last, config, report);
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    let link = Link::new(report);
    match kernel::fork() {
        Err(errno) => report.fail(Step::Clone, None, errno),
        Ok(Some(monitor)) => wait(link.keep_container_end(), monitor, report),
        Ok(None) => {}
    }
    let caller = link.keep_host_end();
    report.step(Step::NewSession, kernel::new_session());
    kernel::close(STDIN);
    report.step(Step::Descriptors, kernel::open_standard(c"/dev/null"));
    caller
}

/// The caller's own process: ends once the program runs, or with the status of what kept it
/// from that. If it is ended itself before that, the container ends.
fn wait(line: Fd, monitor: Pid, report: &mut Report) -> ! {
    if listen(line).and_then(|()| kernel::write_all(line, b"!")).is_ok() {
        kernel::exit(0);
    }
    // Which the other side tells of, if it is not the one that failed.
    kernel::close(line);
    let ended = report.step(Step::Wait, kernel::wait_for(monitor));
    report.end(ended.map_or(FAILED, |(_, end)| end.status()))
}

/// Waits for the other process's word. EPIPE if it ends without.
fn listen(line: Fd) -> kernel::Result<()> {
    match kernel::read(line, &mut [0]) {
        Ok([]) => Err(Errno::EPIPE),
        other => other.map(drop),
    }
}

/// Host side, before the container's first step, which is not taken if this fails.
#[inline(never)]
pub fn tell_start<'a>(config: &Config<'a>, child: Pid, report: &mut Report<'a>) {
    let pid = child.number() as u64;
    if let Some(fd) = config.json_status_fd {
        let mut line = Text::new();
        line.push_part(MEMBERS, 0);
        line.push_number(pid);
        report.step(Step::WriteStatus, write_status(fd, &mut line));
    }
    if let Some(path) = config.pid_file {
        let written = write_pid_file(report.undo.here, path, pid);
        let own = report.step_on(Step::WritePidFile, path, written);
        report.undo.pid_file = Some((path, own));
    }
}

/// Host side, with `--detach`: waits until the program was executed, and lets the caller go.
pub fn let_go(caller: Fd, child: Pid, link: Fd, heard: &mut Heard, report: &mut Report) {
    report.step(Step::Wait, undo::hear(link, heard).map(drop));
    if !heard.executed {
        return; // it has told why not, or never will
    }
    report.step(Step::WriteOut, write_pid(STDOUT, child.number() as u64));
    // The caller's process answers, and so is known to have heard it.
    let told = kernel::write_all(caller, b"!").and_then(|()| listen(caller));
    report.step(Step::TellCaller, told);
    // Nobody is left to tell; what cannot be let go ends with the container.
    let _ = descriptors::let_go_of_output();
    kernel::close(caller);
}

/// Host side, when the container has ended: tells the reader of the status, if the program ever
/// ran, and the caller, if it was for want of memory that it ended.
pub fn tell_end(config: &Config, status: u8, end: End, heard: &Heard, report: &mut Report) {
    // pid 1 itself may have been killed.
    let signal = if heard.signal == 0 { end.signal() } else { heard.signal };
    let killed = i32::from(signal) == libc::SIGKILL;
    let told = config.json_status_fd.filter(|_| heard.executed);
    if !killed && told.is_none() {
        return;
    }
    let signal = if signal == 0 { UNKNOWN } else { signal.into() };
    let mut figures = [status.into(), signal, UNKNOWN, end.microseconds(), UNKNOWN];
    cgroup::count(&mut figures, report);
    let [.., out_of_memory] = figures;
    if let Some(fd) = told {
        let mut line = Text::new();
        for (place, figure) in figures.iter().enumerate() {
            if *figure != UNKNOWN {
                line.push_part(MEMBERS, 1 + place);
                match place {
                    4 => line.push(if *figure > 0 { b"true" } else { b"false" }),
                    _ => line.push_number(*figure),
                }
            }
        }
        if let Err(errno) = write_status(fd, &mut line) {
            report::warn(Step::WriteStatus, None, errno);
        }
    }
    if killed && !matches!(out_of_memory, 0 | UNKNOWN) {
        let what = c"the program used up its memory and was killed";
        report::say(&mut report::complaint(what, c"", None));
    }
}

/// Writes a line of the status, which lacks its end.
fn write_status(fd: u32, line: &mut Text) -> kernel::Result<()> {
    line.push(b"}\n");
    kernel::write_all(Fd::new(fd as usize), line.as_bytes())
}

/// Writes a pid as a line.
fn write_pid(fd: Fd, pid: u64) -> kernel::Result<()> {
    let mut line = Text::new();
    line.push_number(pid);
    line.push_byte(b'\n');
    kernel::write_all(fd, line.as_bytes())
}

/// Writes a file beside it and renames that, so that whoever reads it finds all of it. A link
/// there is replaced, and not followed; EEXIST for what is no file, as /dev/null.
/// Gives the file.
fn write_pid_file(directory: Fd, path: &CStr, pid: u64) -> kernel::Result<Fd> {
    if left_out(c"new pid file") {
        let own = kernel::open_at(directory, path, libc::O_WRONLY | libc::O_CREAT)?;
        return write_pid(own, pid).map(|()| own);
    }
    match kernel::open_at(directory, path, libc::O_PATH | libc::O_NOFOLLOW) {
        Err(Errno::ENOENT) => {}
        there
            if !matches!(
                kernel::file_type(there?)?,
                libc::S_IFREG | libc::S_IFLNK | libc::S_IFDIR
            ) =>
        {
            return Err(Errno::EEXIST);
        }
        _ => {}
    }
    let mut new = Text::of(&[path.to_bytes(), b"."]);
    new.push_number(pid);
    let new = new.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
    let own = kernel::open_at(directory, new, flags)?;
    let done = write_pid(own, pid).and_then(|()| kernel::rename(directory, new, path));
    if done.is_err() {
        // Not on the list of what is taken back, so here; the failure that counts is the first.
        let _ = kernel::remove_file(directory, new);
    }
    done.map(|()| own)
}

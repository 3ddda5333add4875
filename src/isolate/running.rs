//! A container that runs already: what the host's /proc tells of it, and the way into
//! its namespaces and cgroups. All that is read is read before the first of them is
//! joined: what /proc is inside is the container's business.

use core::ffi::CStr;

use crate::config::{Config, Seccomp};
use crate::isolate::cgroup;
use crate::kernel::{self, Alike, CURRENT, Errno, Fd, List, Pid, Strings};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{
    Numbered, Packed, Parts, Text, has_part, line_behind, pack, parse_hexadecimal, parse_whole,
};

/// Its namespaces, by their names in /proc/PID. The users' is the first, and that of the
/// cgroups the last.
const KINDS: Strings =
    Strings::new("ns/user\0ns/mnt\0ns/uts\0ns/ipc\0ns/pid\0ns/net\0ns/cgroup\0\0");

/// How many they are.
const COUNT: usize = 7;

/// A way into a running container.
pub struct Running {
    /// Those of its namespaces that are not this process's too.
    namespaces: [Option<Fd>; COUNT],
    /// The cgroup.procs of its cgroups that are not this process's too, and whether they
    /// were made for it.
    cgroups: List<(Fd, bool)>,
    /// Its root's ids.
    ids: [u32; 2],
    /// Whether setgroups(2) is forbidden inside.
    deny_groups: bool,
}

/// What a process is, as far as everybody may see.
struct Process {
    /// /proc/PID, which never becomes another process's.
    place: Fd,
    /// proc_pid_status(5)
    status: List<u8>,
    parent: u64,
    /// Whether it has executed a program since it was made.
    executed: bool,
}

impl Process {
    fn look_at(number: u64) -> kernel::Result<Process> {
        /// The kernel's PF_FORKNOEXEC.
        const NOT_EXECUTED: u64 = 0x40;
        let name = Numbered::of(b"/proc/", number as u32);
        let place = kernel::open(name.as_c_str(), libc::O_PATH | libc::O_DIRECTORY)?;
        let mut status = List::new();
        kernel::read_file(place, c"status", &mut status)?;
        // proc_pid_stat(5): behind the name, which may hold anything, are the state, the
        // parent, and, five further on, the flags.
        let mut buffer = [0; 512];
        let line = kernel::read_start(place, c"stat", &mut buffer)?;
        let behind = line.iter().rposition(|byte| *byte == b')').unwrap_or(0);
        let mut fields = Parts::of(line.get(behind..).unwrap_or(&[]), b' ');
        let parent = fields.nth(2).and_then(parse_whole).ok_or(Errno::ENODATA)?;
        let flags = fields.nth(4).and_then(parse_whole).ok_or(Errno::ENODATA)?;
        Ok(Process { place, status, parent, executed: flags & NOT_EXECUTED == 0 })
    }

    fn line(&self, start: &[u8]) -> Option<&[u8]> {
        line_behind(self.status.as_slice(), start)
    }

    fn number(&self, start: &[u8]) -> Option<u64> {
        self.line(start).and_then(parse_whole)
    }

    /// Not to be seen before Linux 4.10: there it counts as set.
    fn no_new_privileges(&self) -> bool {
        self.number(b"NoNewPrivs:\t") != Some(0)
    }

    /// How many filters of system calls it is under; before Linux 5.9 only, whether any.
    fn filters(&self) -> u64 {
        self.number(b"Seccomp_filters:\t").or(self.number(b"Seccomp:\t")).unwrap_or(0)
    }

    /// The process's oldest child.
    fn first_child(&self, number: u64) -> kernel::Result<Process> {
        let task = Numbered::of(b"task/", number as u32);
        let task = kernel::open_at(self.place, task.as_c_str(), libc::O_PATH)?;
        let mut buffer = [0; 64];
        let children = kernel::read_start(task, c"children", &mut buffer);
        kernel::close(task);
        let first = Parts::of(children?, b' ').next().and_then(parse_whole);
        let child = Process::look_at(first.ok_or(Errno::ESRCH)?)?;
        // The number may be another's by now.
        if child.parent == number { Ok(child) } else { Err(Errno::ESRCH) }
    }
}

/// Looks for the container whose pid 1 is the process that was named, and adds what its
/// program may do to the configuration. With `own`, the file of this program, the
/// container is to be one that this program runs.
#[inline(never)]
pub fn find(config: &mut Config, own: Option<Fd>, report: &mut Report) -> Running {
    let word = config.root;
    let number = parse_whole(word.to_bytes()).filter(|number| Pid::from_number(*number).is_some());
    let mut refuse = |why: Packed| -> ! { report.refuse(c"PID", word, why) };
    let Some(number) = number else { refuse(pack!("must be the number of a process")) };
    let first = match Process::look_at(number) {
        Ok(process) => process,
        Err(errno) => report.fail(Step::FindProcess, Some(word), errno),
    };
    // The number in each pid namespace, from this one inwards.
    if !first.line(b"NSpid:\t").is_some_and(|numbers| numbers.ends_with(b"\t1")) {
        refuse(pack!("is not pid 1 of a container (with --pid host there is none)"));
    }
    // The host side runs this program as pid 1 does, which cannot be looked into.
    let host = report.step_on(Step::FindProcess, word, Process::look_at(first.parent));
    if let Some(own) = own {
        let runner = match kernel::open_at(host.place, c"exe", libc::O_PATH) {
            // Another user's, who is refused by what comes next.
            Err(Errno::EACCES) => Ok(Alike::File),
            other => other.and_then(|runner| kernel::compare(runner, own)),
        };
        if report.step_on(Step::FindProcess, word, runner) != Alike::File {
            report.refuse(c"PID", word, pack!("is not of a container that this thimble runs"));
        }
    }
    // Set up it is once there is a program: before that, pid 1 may do anything still.
    let program = if first.executed {
        None
    } else {
        let child = report.step_on(Step::FindProgram, word, first.first_child(number));
        if !child.executed {
            report.fail(Step::FindProgram, Some(word), Errno::EAGAIN);
        }
        Some(child)
    };
    let inside = program.as_ref().unwrap_or(&first);
    take_posture(config, &host, &first, program.as_ref(), report);

    // An ordinary user's pid 1 is closed to him as well. Its program, being the container's
    // own, is not, and it is where pid 1 is, unless it was given the right to leave.
    let closed = kernel::open_at(first.place, c"ns/mnt", libc::O_RDONLY).map(kernel::close);
    let place = if closed == Err(Errno::EACCES) { inside.place } else { first.place };
    let own = report.step(Step::FindProcess, kernel::open(c"/proc/self", libc::O_PATH));
    let mut namespaces = [None; COUNT];
    for (kind, found) in KINDS.zip(&mut namespaces) {
        *found = report.step_on(Step::JoinNamespace, kind, namespace(place, own, kind));
    }
    let mut read = |step, place, file| report.step_on(step, file, read(place, file));
    let maps = [c"uid_map", c"gid_map"].map(|map| read(Step::ReadMap, first.place, map));
    let denied = read(Step::ReadMap, first.place, c"setgroups");
    let cgroups = Cgroups {
        theirs: read(Step::FindCgroups, first.place, c"cgroup"),
        hosts: read(Step::FindCgroups, host.place, c"cgroup"),
        own: read(Step::FindCgroups, CURRENT, c"/proc/self/cgroup"),
        mounts: read(Step::FindCgroups, CURRENT, c"/proc/self/mountinfo"),
    };
    // Nothing that leads to the host is open in a process that is inside.
    for place in [own, first.place, host.place, inside.place] {
        kernel::close(place);
    }
    Running {
        namespaces,
        cgroups: cgroups.open(report),
        ids: maps.map(|map| first_id(map.as_slice())),
        deny_groups: denied.as_slice().starts_with(b"deny"),
    }
}

/// What a program in the container is under, as the options of a run would say it.
fn take_posture(
    config: &mut Config,
    host: &Process,
    first: &Process,
    program: Option<&Process>,
    report: &mut Report,
) {
    let bounding = first.line(b"CapBnd:\t").and_then(parse_hexadecimal).ok_or(Errno::ENODATA);
    config.privileged = true;
    config.cap_drop = !report.step_on(Step::FindProcess, config.root, bounding);
    config.new_privileges = Some(!program.unwrap_or(first).no_new_privileges());
    // pid 1 sets no_new_privs only where the program is under a filter of its own. That cannot be
    // seen where it is the program itself, or has it from the host side.
    let known = program.is_some() && !host.no_new_privileges();
    let named = config.filter_file().is_some();
    if known && named != first.no_new_privileges() {
        let why = pack!("is to be given as to thimble run, and only if it was");
        report.refuse(c"--security-opt seccomp=FILE", c"", why);
    }
    if !named {
        let filtered = first.filters() > host.filters();
        config.seccomp = Some(if filtered { Seccomp::Default } else { Seccomp::Unconfined });
    }
}

/// A file of /proc; empty if this kernel does not have it.
fn read(place: Fd, file: &CStr) -> kernel::Result<List<u8>> {
    let mut list = List::new();
    match kernel::read_file(place, file, &mut list) {
        Err(Errno::ENOENT) => Ok(list),
        read => read.map(|()| list),
    }
}

/// The namespace of this kind, unless it is this process's too: some of those may not be
/// entered again. None if this kernel knows none of the kind.
fn namespace(theirs: Fd, own: Fd, kind: &CStr) -> kernel::Result<Option<Fd>> {
    let own = match kernel::open_at(own, kind, libc::O_RDONLY) {
        Err(Errno::ENOENT) => return Ok(None),
        own => own?,
    };
    let theirs = kernel::open_at(theirs, kind, libc::O_RDONLY)?;
    let alike = kernel::compare(own, theirs)?;
    kernel::close(own);
    if alike == Alike::File {
        kernel::close(theirs);
        return Ok(None);
    }
    Ok(Some(theirs))
}

/// The id of root inside, or where there is none the first that there is.
fn first_id(map: &[u8]) -> u32 {
    let mut first = None;
    for line in Parts::of(map, b'\n') {
        let inside = Parts::of(line, b' ').find(|word| !word.is_empty()).and_then(parse_whole);
        if first.is_none() || inside == Some(0) {
            first = inside.or(first);
        }
    }
    first.unwrap_or(0) as u32
}

/// What tells of cgroups: proc_pid_cgroup(5) of pid 1, of the host side and of this process,
/// and where they are mounted here.
struct Cgroups {
    theirs: List<u8>,
    hosts: List<u8>,
    own: List<u8>,
    mounts: List<u8>,
}

impl Cgroups {
    /// Opens the files by which to join those of pid 1. The one in which the host side is
    /// as well was not made for the container: who may not join that stays where he is, as
    /// he would with a container of his own.
    fn open(&self, report: &mut Report) -> List<(Fd, bool)> {
        let mut files = List::new();
        for line in Parts::of(self.theirs.as_slice(), b'\n') {
            let own = !has_part(self.hosts.as_slice(), b'\n', line);
            // The number, the controllers, and the path.
            let mut fields = Parts::of(line, b':');
            let controllers = fields.nth(1).unwrap_or(&[]);
            let path = fields.rest().unwrap_or(&[]);
            if line.is_empty() || has_part(self.own.as_slice(), b'\n', line) {
                continue;
            }
            let controller = Parts::of(controllers, b',').next().unwrap_or(&[]);
            let (point, v2) = cgroup::find(self.mounts.as_slice(), controller);
            let file = Text::of(&[point, path, b"/cgroup.procs"]);
            let file = file.as_c_str().unwrap_or(c"");
            let opened = match v2 == controllers.is_empty() {
                true => kernel::open(file, libc::O_WRONLY),
                false => Err(Errno::ENOENT), // its hierarchy is not mounted here
            };
            if own || opened.is_ok() {
                let opened = opened.and_then(|opened| files.push((opened, own)));
                report.step_on(Step::JoinCgroup, file, opened);
            }
        }
        files
    }
}

impl Running {
    /// Joins the namespaces, that of the cgroups excepted. That of the users comes first for
    /// who has no right to the others but by it, and last for root, who may lose one by it.
    pub fn join(&self, users_first: bool, report: &mut Report) {
        for users in [users_first, !users_first] {
            for (kind, namespace) in KINDS.zip(self.namespaces).take(COUNT - 1) {
                if let Some(namespace) = namespace
                    && users == (kind == c"ns/user")
                {
                    let joined = kernel::enter_namespace(namespace, 0);
                    report.step_on(Step::JoinNamespace, kind, joined);
                    kernel::close(namespace);
                }
            }
        }
    }

    /// The group inside, if there can be no other.
    pub fn only_group(&self) -> Option<u32> {
        let [_, group] = self.ids;
        self.deny_groups.then_some(group)
    }

    /// The program's process: joins the cgroups and, now that they are joined, their
    /// namespace, and becomes the container's root.
    pub fn enter(&self, report: &mut Report) {
        for (file, own) in self.cgroups.as_slice() {
            // 0 is who writes.
            let joined = kernel::write_all(*file, b"0");
            kernel::close(*file);
            if *own {
                report.step(Step::JoinCgroup, joined);
            }
        }
        if let [.., Some(namespace)] = self.namespaces {
            let joined = kernel::enter_namespace(namespace, 0);
            report.step_on(Step::JoinNamespace, c"ns/cgroup", joined);
            kernel::close(namespace);
        }
        report.step(Step::NewSession, kernel::new_session());
        let [user, group] = self.ids;
        report.step(Step::Ids, kernel::set_ids(user, group));
    }

    /// This process, once there is the program's: keeps nothing open for its life.
    pub fn let_go(&self) {
        for (file, _) in self.cgroups.as_slice() {
            kernel::close(*file);
        }
        if let [.., Some(namespace)] = self.namespaces {
            kernel::close(namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_inside_is_0_or_the_first_there_is() {
        for (map, want) in [
            (&b"         0          0 4294967295\n"[..], 0),
            (b"         7      54321          1\n", 7),
            (b"         7      54321          1\n         0     100000          5\n", 0),
            (b"", 0),
        ] {
            assert_eq!(first_id(map), want);
        }
    }
}

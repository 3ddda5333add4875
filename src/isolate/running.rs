//! A container that runs already: what the host's /proc tells of it, and the way into
//! its namespaces and cgroups. All that is read is read before the first of them is
//! joined: what /proc is inside is the container's business.

use core::ffi::CStr;

use crate::config::{Config, Seccomp};
use crate::isolate::hierarchy;
use crate::isolate::privileges::OTHER_FILTER;
use crate::kernel::{self, Alike, Errno, Fd, List, Result, Strings};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{
    Numbered, Parts, Text, has_part, line_behind, pack, parse_hexadecimal, parse_whole, unescape,
};

/// Its namespaces, by their names in /proc/PID. The users' is the first, and that of the
/// cgroups the last.
const KINDS: Strings =
    Strings::new("ns/user\0ns/mnt\0ns/uts\0ns/ipc\0ns/pid\0ns/net\0ns/cgroup\0\0");

/// The place of that of the cgroups.
const CGROUPS: usize = 6;

/// A way into a running container.
pub struct Running {
    /// Those of its namespaces that are not this process's too.
    namespaces: [Option<Fd>; CGROUPS + 1],
    /// The cgroup.procs of its cgroups that are not this process's too, and whether they
    /// were made for it.
    cgroups: List<(Fd, bool)>,
    /// Its root's ids.
    ids: [u32; 2],
    /// Whether setgroups(2) is forbidden inside.
    deny_groups: bool,
}

/// What a process is, as far as everybody may see.
#[derive(Clone, Copy)]
#[repr(C)] // in this order, so that the small fields lie at its start
struct Process {
    /// /proc/PID, which never becomes another process's.
    place: Fd,
    /// Whether it has executed a program since it was made.
    executed: bool,
    parent: u64,
    /// proc_pid_status(5)
    status: &'static [u8],
}

impl Process {
    #[inline(never)]
    fn look_at(number: u64) -> Result<Process> {
        /// The kernel's PF_FORKNOEXEC.
        const NOT_EXECUTED: u64 = 0x40;
        let name = Numbered::of(b"/proc/", number as u32);
        let place = kernel::open(name.as_c_str(), libc::O_PATH)?;
        let status = read(place, c"status")?;
        // proc_pid_stat(5): behind the name, which may hold anything, are the state, the
        // parent, and, five further on, the flags.
        let stat = read(place, c"stat")?;
        let mut fields = Parts::of(Parts::of(stat, b')').last().unwrap_or(&[]), b' ');
        let mut next = |skipped| fields.nth(skipped).and_then(parse_whole);
        let (Some(parent), Some(flags)) = (next(2), next(4)) else { return Err(Errno::ENODATA) };
        Ok(Process { place, status, parent, executed: flags & NOT_EXECUTED == 0 })
    }

    fn line(&self, start: &[u8]) -> &[u8] {
        line_behind(self.status, start).unwrap_or(&[])
    }

    /// Not to be seen before Linux 4.10: there it counts as set.
    fn no_new_privileges(&self) -> bool {
        self.line(b"NoNewPrivs:\t") != b"0"
    }

    /// How many filters of system calls it is under; before Linux 5.9 only, whether any.
    fn filters(&self) -> Option<u64> {
        let count = parse_whole(self.line(b"Seccomp_filters:\t"));
        count.or_else(|| parse_whole(self.line(b"Seccomp:\t")))
    }
}

/// Looks for the container whose pid 1 is the process that was named, and adds what its
/// program is under to the configuration. With `own`, the file of this program, the
/// container is to be one that this program runs.
pub fn find(config: &mut Config, own: Option<Fd>, report: &mut Report) -> Running {
    let mut at = Step::FindProcess;
    let mut running = Running {
        namespaces: [None; CGROUPS + 1],
        cgroups: List::new(),
        ids: [0; 2],
        deny_groups: false,
    };
    if let Err(errno) = look(config, own, &mut at, &mut running, report) {
        report.fail(at, Some(config.root), errno);
    }
    running
}

/// The same, where a failure is that of the step that it says it is `at`.
fn look(
    config: &mut Config,
    own: Option<Fd>,
    at: &mut Step,
    running: &mut Running,
    report: &mut Report,
) -> Result<()> {
    let word = config.root;
    let mut refuse = |why| -> ! { report.refuse(c"PID", word, why) };
    let Some(number @ 1..=0x7fff_ffff) = parse_whole(word.to_bytes()) else {
        refuse(pack!("must be the number of a process"))
    };
    let first = Process::look_at(number)?;
    // Its number in each pid namespace, from this one inwards.
    if !first.line(b"NSpid:\t").ends_with(b"\t1") {
        refuse(pack!("is not pid 1 of a container (with --pid host there is none)"));
    }
    // The host side executed what pid 1 executes, which cannot be looked into.
    let host = Process::look_at(first.parent)?;
    if let Some(own) = own {
        let alike = match kernel::open_at(host.place, c"exe", libc::O_PATH) {
            // Another user's, who is refused by what comes next.
            Err(Errno::EACCES) => Alike::File,
            runner => kernel::compare(runner?, own)?,
        };
        if alike != Alike::File {
            refuse(pack!("is not of a container that this thimble runs"));
        }
    }
    // pid 1 itself where it has executed a program, and else its oldest child. Before there is
    // one, pid 1 may have all sorts of things still to give up.
    *at = Step::FindProgram;
    let inside = if first.executed {
        first
    } else {
        let task = Numbered::of(b"task/", number as u32);
        let task = kernel::open_at(first.place, task.as_c_str(), libc::O_PATH)?;
        let mut buffer = [0; 64];
        let children = kernel::read_start(task, c"children", &mut buffer)?;
        kernel::close(task);
        let oldest = Parts::of(children, b' ').next().and_then(parse_whole);
        let child = Process::look_at(oldest.ok_or(Errno::EAGAIN)?)?;
        // The number may be another's by now.
        if child.parent != number || !child.executed {
            return Err(Errno::EAGAIN);
        }
        child
    };

    config.privileged = true;
    config.cap_drop = !parse_hexadecimal(first.line(b"CapBnd:\t")).ok_or(Errno::ENODATA)?;
    config.new_privileges = Some(!inside.no_new_privileges());
    // Not to be seen where pid 1 is the program itself.
    let named = config.filter_file().is_some();
    if !first.executed && named != (first.line(b"Name:\t") == OTHER_FILTER.to_bytes()) {
        let why = pack!("is to be given as to thimble run, and only if it was");
        report.refuse(c"--security-opt seccomp=FILE", c"", why);
    }
    if !named {
        let filtered = first.filters() > host.filters();
        config.seccomp = Some(if filtered { Seccomp::Default } else { Seccomp::Unconfined });
    }

    // An ordinary user's pid 1 is closed to him as well. Its program, being of his user
    // namespace, is not, and it is where pid 1 is, unless it was given the right to leave.
    let place = match kernel::open_at(first.place, c"ns/mnt", libc::O_RDONLY) {
        Err(Errno::EACCES) => inside.place,
        open => {
            kernel::close(open?);
            first.place
        }
    };
    let own = kernel::open(c"/proc/self", libc::O_PATH)?;
    for (kind, found) in KINDS.zip(&mut running.namespaces) {
        if let Err(errno) = namespace(place, own, kind, found) {
            report.fail(Step::JoinNamespace, Some(kind), errno);
        }
    }
    let mut read = |file| read_for(Step::ReadAccounts, first.place, file, report);
    running.ids = [first_id(read(c"uid_map")), first_id(read(c"gid_map"))];
    running.deny_groups = read(c"setgroups").starts_with(b"deny");
    let mut read = |place, file| read_for(Step::FindCgroups, place, file, report);
    let cgroups = [
        read(first.place, c"cgroup"),
        read(host.place, c"cgroup"),
        read(own, c"cgroup"),
        read(own, c"mountinfo"),
    ];
    // Nothing that leads to the host is open in a process that is inside.
    for place in [own, host.place, inside.place, first.place] {
        kernel::close(place);
    }
    open_cgroups(cgroups, &mut running.cgroups, report);
    Ok(())
}

/// A file of /proc.
#[inline(never)]
fn read(place: Fd, file: &CStr) -> Result<&'static [u8]> {
    let mut list = List::new();
    kernel::read_file(place, file, &mut list)?;
    Ok(list.leak())
}

/// The same, for a step that ends with it if that fails; empty if this kernel does not have it.
#[inline(never)]
fn read_for(step: Step, place: Fd, file: &CStr, report: &mut Report) -> &'static [u8] {
    match read(place, file) {
        Ok(bytes) => bytes,
        Err(Errno::ENOENT) => &[],
        Err(errno) => report.fail(step, Some(file), errno),
    }
}

/// Finds the namespace of this kind, unless it is this process's too: some of those may not be
/// entered again. None if this kernel knows none of the kind.
fn namespace(theirs: Fd, own: Fd, kind: &CStr, found: &mut Option<Fd>) -> Result<()> {
    let own = match kernel::open_at(own, kind, libc::O_RDONLY) {
        Err(Errno::ENOENT) => return Ok(()),
        own => own?,
    };
    let theirs = kernel::open_at(theirs, kind, libc::O_RDONLY)?;
    match kernel::compare(own, theirs)? {
        Alike::File => kernel::close(theirs),
        _ => *found = Some(theirs),
    }
    kernel::close(own);
    Ok(())
}

/// The id of root inside, or where there is none the first that there is.
fn first_id(map: &[u8]) -> u32 {
    let mut first = None;
    for line in Parts::of(map, b'\n') {
        let inside = Parts::of(line, b' ').find(|word| !word.is_empty()).and_then(parse_whole);
        if inside == Some(0) {
            return 0;
        }
        first = first.or(inside);
    }
    first.unwrap_or(0) as u32
}

/// Opens the files by which to join the cgroups of pid 1, given proc_pid_cgroup(5) of
/// pid 1, of the host side and of this process, and where they are mounted here. One in
/// which the host side is as well was not made for the container: who may not join that
/// stays where he is, as he would with a container of his own.
fn open_cgroups(files: [&[u8]; 4], found: &mut List<(Fd, bool)>, report: &mut Report) {
    let [theirs, hosts, own, mounts] = files;
    for line in Parts::of(theirs, b'\n') {
        if line.is_empty() || has_part(own, b'\n', line) {
            continue;
        }
        // The number, the controllers, and the path.
        let mut fields = Parts::of(line, b':');
        fields.word();
        let controllers = fields.word();
        let controller = Parts::of(controllers, b',').word();
        let (root, point, v2) = hierarchy::find(mounts, controller);
        let path = fields.rest().unwrap_or(&[]);
        let mut file = Text::new();
        unescape(point, &mut file);
        file.push(hierarchy::below(path, root).unwrap_or(path));
        file.push(b"/cgroup.procs");
        let file = file.name();
        let opened = match v2 == controllers.is_empty() {
            true => kernel::open(file, libc::O_WRONLY),
            false => Err(Errno::ENOENT), // its hierarchy is not mounted here
        };
        let made = !has_part(hosts, b'\n', line);
        if made || opened.is_ok() {
            let opened = opened.and_then(|opened| found.push((opened, made)));
            if let Err(errno) = opened {
                report.fail(Step::JoinCgroup, Some(file), errno);
            }
        }
    }
}

impl Running {
    /// Joins the namespaces, that of the cgroups excepted. That of the users comes first for
    /// who has no right to the others but by it, and last for root, who may lose one by it.
    pub fn join(&self, users_first: bool, report: &mut Report) {
        let first = if users_first { 0 } else { 1 };
        for number in first..CGROUPS + first {
            self.join_one(number % CGROUPS, report);
        }
    }

    /// Joins one, if it is not this process's too.
    #[inline(never)]
    fn join_one(&self, number: usize, report: &mut Report) {
        if let (Some(Some(namespace)), Some(kind)) =
            (self.namespaces.get(number), { KINDS }.nth(number))
        {
            report.step_on(Step::JoinNamespace, kind, kernel::enter_namespace(*namespace, 0));
            kernel::close(*namespace);
        }
    }

    /// For a process that only opens something: becomes root inside, where there is a user
    /// namespace, and joins the mount namespace.
    pub fn visit(&self) -> Result<()> {
        let [users, mounts, ..] = self.namespaces;
        if let Some(users) = users {
            kernel::enter_namespace(users, 0)?;
            let [user, group] = self.ids;
            kernel::set_ids(user, group)?;
        }
        mounts.map_or(Ok(()), |mounts| kernel::enter_namespace(mounts, 0))
    }

    /// The group inside, if there can be no other.
    pub fn only_group(&self) -> Option<u32> {
        let [_, group] = self.ids;
        self.deny_groups.then_some(group)
    }

    /// The program's process: joins the cgroups and, now that they are joined, their
    /// namespace, and becomes the container's root.
    pub fn enter(&self, report: &mut Report) {
        for (file, made) in self.cgroups.as_slice() {
            // 0 is who writes.
            let joined = kernel::write_all(*file, b"0");
            kernel::close(*file);
            if *made {
                report.step(Step::JoinCgroup, joined);
            }
        }
        self.join_one(CGROUPS, report);
        report.step(Step::NewSession, kernel::new_session());
        let [user, group] = self.ids;
        report.step(Step::Ids, kernel::set_ids(user, group));
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

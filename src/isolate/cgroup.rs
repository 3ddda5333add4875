//! The container's cgroups: a directory for each controller that a limit needs,
//! in cgroup v1 or v2, wherever this host has that controller. Made before the
//! container and removed after it (cgroups(7); Documentation/admin-guide/cgroup-v2.rst).

use core::ffi::CStr;

use crate::config::{Config, Limit, RESOURCES, Resource, Share};
use crate::kernel::{self, CURRENT, Errno, Fd, List, Pid};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Parts, Text, parse_whole, split_at};
use crate::undo::Directory;

/// The controller by which processes are counted, and found.
const PIDS: &[u8] = b"pids";

/// How a cgroup is named that nobody gave a name, before the number of its thimble.
pub const PREFIX: &[u8] = b"thimble-";

/// The files of each limit in v1 and v2, in the order of `Config::limits`. The
/// processors' time is of a period of 100 ms, which is the default of both.
const FILES: [[&CStr; 2]; RESOURCES] = [
    [c"pids.max", c"pids.max"],
    [c"memory.limit_in_bytes", c"memory.max"],
    [c"memory.memsw.limit_in_bytes", c"memory.swap.max"],
    [c"cpu.cfs_quota_us", c"cpu.max"],
    [c"cpu.shares", c"cpu.weight"],
];

/// What the file of a limit is to hold in v2, where it is not the same as in v1.
fn in_v2(config: &Config, resource: usize, number: u64) -> u64 {
    if resource == Resource::MemorySwap as usize {
        // v1 counts memory and swap together, v2 swap alone.
        number - config.limit(Resource::Memory).map_or(0, Limit::bytes)
    } else if resource == Resource::CpuShares as usize {
        // 2 to 262144 become 1 to 10000, as with runc and crun.
        1 + (number - 2) * 9999 / 262_142
    } else {
        number
    }
}

/// The controller that a cgroup file belongs to; `None` for those that every
/// directory has, as `cgroup.procs` and `notify_on_release`.
fn controller_of(file: &[u8]) -> Option<&[u8]> {
    let controller = Parts::of(file, b'.').next()?;
    (controller.len() < file.len() && controller != b"cgroup").then_some(controller)
}

/// Host side: makes the directories, and sets what must be set before a process
/// is in them, and what `--cgroup-conf` asks for.
pub fn create<'a>(config: &Config<'a>, name: &'a CStr, report: &mut Report<'a>) {
    if !config.wants_cgroup() {
        return;
    }
    let mut maker = Maker { config, name, mounts: List::new() };
    let read = kernel::read_file(CURRENT, c"/proc/self/mountinfo", &mut maker.mounts);
    report.step(Step::FindCgroups, read);
    for ([file, _], _) in FILES.iter().zip(config.limits).filter(|(_, limit)| limit.is_some()) {
        maker.make_for(file.to_bytes(), report);
    }
    if let Some(list) = config.cpuset_cpus {
        maker.make(b"cpuset", report);
        write(b"cpuset.cpus", list.to_bytes(), report);
    }
    for setting in config.cgroup_conf.as_slice() {
        let Some((file, value)) = split_at(setting, b'=') else { continue };
        maker.make_for(file, report);
        write(file, value.to_bytes(), report);
    }
    if report.undo.cgroups.as_slice().is_empty() || config.pid == Some(Share::Host) {
        maker.make(PIDS, report);
    }
}

struct Maker<'a, 'c> {
    config: &'c Config<'a>,
    name: &'a CStr,
    /// /proc/self/mountinfo
    mounts: List<u8>,
}

impl<'a> Maker<'a, '_> {
    fn make_for(&self, file: &'a [u8], report: &mut Report<'a>) {
        if let Some(controller) = controller_of(file) {
            self.make(controller, report);
        }
    }

    /// Makes the directory for a controller, if there is none yet.
    fn make(&self, controller: &'a [u8], report: &mut Report<'a>) {
        let made = report.undo.cgroups.as_slice();
        if made.iter().any(|directory| directory.controller == controller) {
            return;
        }
        let shown = Text::of(&[controller]);
        let shown = shown.as_c_str().unwrap_or(c"");
        let mut path = Text::new();
        let v2 = report.step_on(Step::FindController, shown, self.find(controller, &mut path));
        let parent = self.config.cgroup_parent.map_or(&[][..], CStr::to_bytes);
        for part in Parts::of(parent, b'/') {
            if v2 {
                report.step_on(Step::EnableController, shown, enable(controller, &path));
            }
            if !part.is_empty() {
                path.push(b"/");
                path.push(part);
            }
        }
        if v2 {
            report.step_on(Step::EnableController, shown, enable(controller, &path));
        }
        if self.config.name.is_none() {
            sweep(path.as_c_str().unwrap_or(c""));
        }
        path.push(b"/");
        path.push(self.name.to_bytes());
        let path = path.as_c_str().unwrap_or(c"");
        let made = make_directory(path, report.undo.cgroups.as_slice());
        let (own, shared) = report.step_on(Step::MakeCgroup, path, made);
        let end_all = self.config.pid == Some(Share::Host);
        let directory = Directory { own, name: self.name, controller, v2, shared, end_all };
        if let Err(errno) = report.undo.cgroups.push(directory) {
            // Not on the list of what is taken back, so here; the failure that counts is the first.
            let _ = kernel::remove_directory(CURRENT, path);
            report.step_on(Step::MakeCgroup, path, Err(errno))
        }
        if !v2 && !shared {
            report.step_on(Step::MakeCgroup, path, inherit(own));
        }
    }

    /// Adds where the controller's hierarchy is mounted to a path, and tells
    /// whether that is v2.
    fn find(&self, controller: &[u8], path: &mut Text) -> kernel::Result<bool> {
        let mut unified: &[u8] = &[];
        for line in Parts::of(self.mounts.as_slice(), b'\n') {
            // proc_pid_mountinfo(5): the mount point is the fifth field, and behind a
            // field of a dash come type, source and options.
            let mut fields = Parts::of(line, b' ');
            let point = fields.nth(4).unwrap_or(&[]);
            while fields.next().is_some_and(|field| field != b"-") {}
            let kind = fields.next().unwrap_or(&[]);
            if kind == b"cgroup2" {
                unified = point;
            } else if kind == b"cgroup" && has(fields.nth(1).unwrap_or(&[]), b',', controller) {
                path.push(point);
                return Ok(false);
            }
        }
        path.push(unified);
        match lists(path, c"cgroup.controllers", controller)? {
            true => Ok(true),
            false => Err(Errno::ENOENT),
        }
    }
}

/// cgroup v2: lets a directory hand the controller on to those below. Nothing is
/// written where it does already, which an ordinary user may not.
fn enable(controller: &[u8], path: &Text) -> kernel::Result<()> {
    let file = c"cgroup.subtree_control";
    if lists(path, file, controller)? {
        return Ok(());
    }
    let directory = kernel::open(path.as_c_str().ok_or(Errno::ENAMETOOLONG)?, libc::O_PATH)?;
    let done = kernel::write_file(directory, file, Text::of(&[b"+", controller]).as_bytes());
    kernel::close(directory);
    done
}

/// Whether a file of a directory, which is a line of words, has this one.
fn lists(path: &Text, file: &CStr, word: &[u8]) -> kernel::Result<bool> {
    let directory = kernel::open(path.as_c_str().ok_or(Errno::ENAMETOOLONG)?, libc::O_PATH)?;
    let mut words = List::new();
    let read = kernel::read_file(directory, file, &mut words);
    kernel::close(directory);
    read?;
    let line = Parts::of(words.as_slice(), b'\n').next().unwrap_or(&[]);
    Ok(has(line, b' ', word))
}

/// Whether a list has this word.
fn has(list: &[u8], between: u8, word: &[u8]) -> bool {
    Parts::of(list, between).any(|known| known == word)
}

/// Makes a directory, opens it, and locks it for the container's life. Whether
/// it was made before, for a controller that shares the hierarchy.
fn make_directory(path: &CStr, made: &[Directory]) -> kernel::Result<(Fd, bool)> {
    for _ in 0..TRIES {
        if let Err(errno) = kernel::make_directory(CURRENT, path) {
            let own = kernel::open(path, libc::O_RDONLY | libc::O_DIRECTORY);
            let identity = own.and_then(kernel::identity);
            let known = made.iter().any(|old| kernel::identity(old.own) == identity);
            return if known { Ok((own?, true)) } else { Err(errno) };
        }
        match hold(path) {
            Err(Errno::ENOENT) => {}
            // Not on the list of what is taken back, so here.
            Err(errno) => {
                let _ = kernel::remove_directory(CURRENT, path);
                return Err(errno);
            }
            Ok(own) => return Ok((own, false)),
        }
    }
    Err(Errno::ESTALE)
}

/// Opens and locks a directory that was just made. ENOENT if it is gone: who sweeps
/// takes the lock first, and may have been here in between.
fn hold(path: &CStr) -> kernel::Result<Fd> {
    let own = kernel::open(path, libc::O_RDONLY | libc::O_DIRECTORY)?;
    kernel::lock(own)?;
    let now = kernel::open(path, libc::O_PATH).and_then(kernel::identity)?;
    if now == kernel::identity(own)? { Ok(own) } else { Err(Errno::ENOENT) }
}

/// How often a directory is made anew that somebody else takes away.
const TRIES: u32 = 10;

/// cgroup v1: a cpuset is empty when it is made, and takes no process as it is.
/// The hierarchies of other controllers do not have these files.
fn inherit(own: Fd) -> kernel::Result<()> {
    for (file, above) in [(c"cpuset.cpus", c"../cpuset.cpus"), (c"cpuset.mems", c"../cpuset.mems")]
    {
        let mut value = List::new();
        match kernel::read_file(own, above, &mut value) {
            Err(Errno::ENOENT) => return Ok(()),
            read => read?,
        }
        kernel::write_file(own, file, value.as_slice())?;
    }
    Ok(())
}

/// Removes what thimbles that were killed have left in a directory: cgroups that
/// are named after a process that is gone, that nobody holds the lock of (for
/// that process may be in another pid namespace), and that are empty. What cannot
/// go stays, and the next thimble tries again.
fn sweep(parent: &CStr) {
    let Ok(parent) = kernel::open(parent, libc::O_RDONLY | libc::O_DIRECTORY) else { return };
    let mut buffer = [0; 2048];
    while let Ok(entries @ [_, ..]) = kernel::read_directory(parent, &mut buffer) {
        for name in kernel::Entries::of(entries) {
            let number = name.to_bytes().strip_prefix(PREFIX).and_then(parse_whole);
            let Some(pid) = number.and_then(Pid::from_number) else { continue };
            if kernel::send_signal(pid, 0) != Err(Errno::ESRCH) {
                continue;
            }
            if let Ok(old) = kernel::open_at(parent, name, libc::O_RDONLY | libc::O_DIRECTORY) {
                if kernel::lock(old).is_ok() {
                    let _ = kernel::remove_directory(parent, name);
                }
                kernel::close(old);
            }
        }
    }
    kernel::close(parent);
}

/// Host side: puts the container into its cgroups and sets its limits, in the
/// article's order. It is not released before that, so no process of it is ever
/// outside or without its limit.
pub fn admit(config: &Config, child: Pid, report: &mut Report) {
    let pid = Text::number(child.number() as u64);
    write(b"cgroup.procs", pid.as_bytes(), report);
    let mut settings = config.cgroup_conf.as_slice().iter();
    if !settings.any(|setting| setting.to_bytes().starts_with(b"notify_on_release=")) {
        write(b"notify_on_release", b"1", report);
    }
    for (resource, ([one, two], limit)) in FILES.iter().zip(config.limits).enumerate() {
        let (Some(limit), Some(controller)) = (limit, controller_of(one.to_bytes())) else {
            continue;
        };
        for at in 0.. {
            let Some(directory) = report.undo.cgroups.as_slice().get(at) else { break };
            if directory.controller != controller {
                continue;
            }
            let v2 = directory.v2;
            let file = if v2 { two } else { one };
            let value = match limit {
                Limit::At(number) if v2 => Text::number(in_v2(config, resource, number)),
                Limit::At(number) => Text::number(number),
                Limit::Max if v2 || controller == PIDS => Text::of(&[b"max"]),
                Limit::Max => Text::of(&[b"-1"]),
            };
            let written = kernel::write_file(directory.own, file, value.as_bytes());
            report.step_on(Step::WriteCgroup, file, written);
        }
    }
}

/// Writes a file in the directory of its controller, or, if it belongs to
/// none, in all of them.
fn write(file: &[u8], value: &[u8], report: &mut Report) {
    let name = Text::of(&[file]);
    let name = name.as_c_str().unwrap_or(c"");
    for at in 0.. {
        let Some(directory) = report.undo.cgroups.as_slice().get(at) else { break };
        let here = match controller_of(file) {
            Some(controller) => controller == directory.controller,
            // Of v1 only: the release agent is told, if there is one.
            None => !(directory.shared || directory.v2 && file == b"notify_on_release"),
        };
        if here {
            let written = kernel::write_file(directory.own, name, value);
            report.step_on(Step::WriteCgroup, name, written);
        }
    }
}

/// Host side, at the end: whether a process of the container was killed since the
/// memory that it was given was used up.
pub fn ran_out_of_memory(report: &Report) -> bool {
    report.undo.cgroups.as_slice().iter().any(|directory| {
        if directory.controller != b"memory" {
            return false;
        }
        let file = if directory.v2 { c"memory.events" } else { c"memory.oom_control" };
        let mut counts = List::new();
        // A kernel before 4.13 does not count them.
        let _ = kernel::read_file(directory.own, file, &mut counts);
        Parts::of(counts.as_slice(), b'\n')
            .find_map(|line| line.strip_prefix(b"oom_kill "))
            .and_then(parse_whole)
            .is_some_and(|count| count > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_controller() {
        for (file, want) in [
            ("pids.max", Some("pids")),
            ("memory.limit_in_bytes", Some("memory")),
            ("cgroup.procs", None),
            ("notify_on_release", None),
            ("tasks", None),
        ] {
            assert_eq!(controller_of(file.as_bytes()), want.map(str::as_bytes), "{file}");
        }
    }

    #[test]
    fn a_controller_is_found_where_it_is_mounted() {
        const MOUNTS: &[u8] = b"\
            31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            39 31 0:36 /../.. /elsewhere rw,relatime shared:9 master:1 - cgroup cgroup rw,pids\n\
            40 31 0:37 / /named rw - cgroup cgroup rw,xattr,name=memory\n";
        let config = Config::new();
        let mut maker = Maker { config: &config, name: c"", mounts: List::new() };
        maker.mounts.extend(MOUNTS).unwrap();
        let find = |controller: &str| {
            let mut path = Text::new();
            let v2 = maker.find(controller.as_bytes(), &mut path).ok()?;
            Some((String::from_utf8(path.as_bytes().to_vec()).unwrap(), v2))
        };
        assert_eq!(find("cpu"), Some(("/sys/fs/cgroup/cpu,cpuacct".into(), false)));
        assert_eq!(find("cpuacct"), Some(("/sys/fs/cgroup/cpu,cpuacct".into(), false)));
        assert_eq!(find("pids"), Some(("/elsewhere".into(), false)));
        assert_eq!(find("memory"), None);
        assert_eq!(find("cpuset"), None);
    }

    #[test]
    fn limits_mean_the_same_in_both_versions() {
        let mut config = Config::new();
        config.limits[Resource::Memory as usize] = Some(Limit::At(100));
        for (resource, number, want) in [
            (Resource::Pids, 7, 7),
            (Resource::Memory, 100, 100),
            (Resource::MemorySwap, 150, 50),
            (Resource::MemorySwap, 100, 0),
            (Resource::Cpus, 50_000, 50_000),
            (Resource::CpuShares, 2, 1),
            (Resource::CpuShares, 1024, 39),
            (Resource::CpuShares, 262_144, 10_000),
        ] {
            assert_eq!(in_v2(&config, resource as usize, number), want);
        }
    }
}

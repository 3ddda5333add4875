//! The container's cgroups: a directory in each hierarchy whose controllers a limit
//! needs, in cgroup v1 or v2, wherever this host has that controller. Made before the
//! container and removed after it (cgroups(7); Documentation/admin-guide/cgroup-v2.rst).

use core::ffi::CStr;

use crate::config::{Config, Limit, Resource, Share};
use crate::kernel::{self, CURRENT, Errno, Fd, List, Pid};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{
    Numbered, PackedList, Parts, Text, line_behind, pack_list, parse_whole, split_at,
};
use crate::undo::Directory;

const CPUS: &[u8] = b"cpuset.cpus";

/// How a cgroup is named that nobody gave a name, before the number of its thimble.
pub const PREFIX: &[u8] = b"thimble-";

/// The files of each limit in v1 and v2, in the order of `Config::limits`. The
/// processors' time is of a period of 100 ms, which is the default of both.
const FILES: PackedList = pack_list!(
    "pids.max=\0pids.max=\0memory.limit_in_bytes=\0memory.max=\0\
     memory.memsw.limit_in_bytes=\0memory.swap.max=\0cpu.cfs_quota_us=\0cpu.max=\0\
     cpu.shares=\0cpu.weight=\0"
);

/// The file of a limit, and behind it a `=`.
fn file_of(resource: usize, v2: bool) -> Text {
    let mut file = Text::new();
    file.push_part(FILES, 2 * resource + usize::from(v2));
    file
}

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

/// The controller that a `FILE` or `FILE=VALUE` belongs to; `None` for those files that every
/// directory has, as `cgroup.procs` and `notify_on_release`.
fn controller_of(file: &[u8]) -> Option<&[u8]> {
    let file = Parts::of(file, b'=').next()?;
    let controller = Parts::of(file, b'.').next()?;
    (controller.len() < file.len() && controller != b"cgroup").then_some(controller)
}

/// Host side: makes the directories, and sets what `--cgroup-conf` and `--cpuset-cpus`
/// ask for: some of it must be set before a process is in them. Gives the limits that
/// cgroup v2 has the controllers of, a bit each.
pub fn create<'a>(config: &Config<'a>, name: &'a CStr, report: &mut Report<'a>) -> u32 {
    let mut unified = 0;
    if !config.wants_cgroup() {
        return unified;
    }
    let mut mounts = List::new();
    let read = kernel::read_file(CURRENT, c"/proc/self/mountinfo", &mut mounts);
    report.step(Step::FindCgroups, read);
    let maker = Maker { config, mounts: mounts.as_slice() };
    report.undo.name = name;
    report.undo.end_all = config.pid == Some(Share::Host);
    for (resource, limit) in config.limits.iter().enumerate() {
        if limit.is_some() {
            let v2 = maker.make_for(file_of(resource, false).as_bytes(), report);
            unified |= u32::from(v2) << resource;
        }
    }
    if config.cpuset_cpus.is_some() {
        maker.make_for(CPUS, report);
    }
    for setting in config.cgroup_conf.as_slice() {
        maker.make_for(setting.to_bytes(), report);
    }
    // By the controller of pids, processes are counted, and found.
    if report.undo.cgroups.as_slice().is_empty() || report.undo.end_all {
        maker.make_for(b"pids.max", report);
    }
    if let Some(list) = config.cpuset_cpus {
        write(CPUS, list, report);
    }
    for setting in config.cgroup_conf.as_slice() {
        if let Some((file, value)) = split_at(setting, b'=') {
            write(file, value, report);
        }
    }
    unified
}

struct Maker<'a> {
    config: &'a Config<'a>,
    /// /proc/self/mountinfo
    mounts: &'a [u8],
}

impl Maker<'_> {
    /// Makes the directory for a file's controller, if its hierarchy has none yet.
    /// Whether that is v2.
    fn make_for(&self, file: &[u8], report: &mut Report) -> bool {
        let Some(controller) = controller_of(file) else { return false };
        let (point, v2) = find(self.mounts, controller);
        let mut path = Text::of(&[point]);
        let mut found = Ok(());
        if v2 {
            found = open(&path).and_then(|root| lists(root, c"cgroup.controllers", controller));
        }
        step_for(Step::FindController, controller, found, report);
        let parent = self.config.cgroup_parent.map_or(&[][..], CStr::to_bytes);
        let mut parts = Parts::of(parent, b'/');
        loop {
            if v2 {
                let enabled = open(&path).and_then(|above| enable(above, controller));
                step_for(Step::EnableController, controller, enabled, report);
            }
            let Some(part) = parts.next() else { break };
            if !part.is_empty() {
                path.push(b"/");
                path.push(part);
            }
        }
        let parent = open(&path);
        path.push(b"/");
        path.push(report.undo.name.to_bytes());
        let made = parent.and_then(|parent| {
            // Controllers may share a hierarchy, and so a directory.
            for made in report.undo.cgroups.as_slice() {
                if kernel::identity(made.parent)? == kernel::identity(parent)? {
                    return Ok(());
                }
            }
            if self.config.name.is_none() {
                sweep(parent);
            }
            let name = report.undo.name;
            let own = make_directory(parent, name)?;
            let directory = Directory { parent, own, v2 };
            if let Err(errno) = report.undo.cgroups.push(directory) {
                // Not on the list of what is taken back, so here; the failure that counts is
                // the first.
                let _ = kernel::remove_directory(parent, name);
                return Err(errno);
            }
            if !v2 {
                inherit(parent, own)?;
            }
            Ok(())
        });
        report.step_on(Step::MakeCgroup, path.as_c_str().unwrap_or(c""), made);
        v2
    }
}

/// Where the hierarchy is mounted that has a controller, and whether it is that of
/// v2, which has the rest.
pub fn find<'a>(mounts: &'a [u8], controller: &[u8]) -> (&'a [u8], bool) {
    let mut unified: &[u8] = &[];
    for line in Parts::of(mounts, b'\n') {
        // proc_pid_mountinfo(5): the mount point is the fifth field, and behind a
        // field of a dash come type, source and options.
        let mut fields = Parts::of(line, b' ');
        let point = fields.nth(4).unwrap_or(&[]);
        while fields.next().is_some_and(|field| field != b"-") {}
        let kind = fields.next().unwrap_or(&[]);
        if kind == b"cgroup2" {
            unified = point;
        } else if kind == b"cgroup" && has(fields.nth(1).unwrap_or(&[]), b',', controller) {
            return (point, false);
        }
    }
    (unified, true)
}

/// Takes the result of a step whose subject is a controller.
fn step_for(step: Step, controller: &[u8], result: kernel::Result<()>, report: &mut Report) {
    report.step_on(step, Text::of(&[controller]).as_c_str().unwrap_or(c""), result);
}

fn open(path: &Text) -> kernel::Result<Fd> {
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    kernel::open(path, libc::O_RDONLY | libc::O_DIRECTORY)
}

/// cgroup v2: lets a directory hand the controller on to those below. Nothing is
/// written where it does already, which an ordinary user may not.
fn enable(above: Fd, controller: &[u8]) -> kernel::Result<()> {
    let file = c"cgroup.subtree_control";
    let done = lists(above, file, controller)
        .or_else(|_| kernel::write_file(above, file, Text::of(&[b"+", controller]).as_bytes()));
    kernel::close(above);
    done
}

/// Whether a file of a directory, which is a line of words, has this one: ENOENT if not.
fn lists(directory: Fd, file: &CStr, word: &[u8]) -> kernel::Result<()> {
    let mut buffer = [0; 1024];
    let words = kernel::read_start(directory, file, &mut buffer)?;
    let line = Parts::of(words, b'\n').next().unwrap_or(&[]);
    if has(line, b' ', word) { Ok(()) } else { Err(Errno::ENOENT) }
}

/// Whether a list has this word.
fn has(list: &[u8], between: u8, word: &[u8]) -> bool {
    Parts::of(list, between).any(|known| known == word)
}

/// Makes a directory, opens it, and locks it for the container's life.
fn make_directory(parent: Fd, name: &CStr) -> kernel::Result<Fd> {
    for _ in 0..TRIES {
        kernel::make_directory(parent, name)?;
        match hold(parent, name) {
            Err(Errno::ENOENT) => {}
            // Not on the list of what is taken back, so here.
            Err(errno) => {
                let _ = kernel::remove_directory(parent, name);
                return Err(errno);
            }
            own => return own,
        }
    }
    Err(Errno::ESTALE)
}

/// Opens and locks a directory that was just made. ENOENT if it is gone: who sweeps
/// takes the lock first, and may have been here in between.
fn hold(parent: Fd, name: &CStr) -> kernel::Result<Fd> {
    let own = kernel::open_at(parent, name, libc::O_RDONLY | libc::O_DIRECTORY)?;
    // In a directory that was removed nothing is found.
    let look = || kernel::open_at(own, c"cgroup.procs", libc::O_PATH).map(kernel::close);
    let held = kernel::lock(own).and_then(|()| look());
    if held.is_err() {
        kernel::close(own);
    }
    held.map(|()| own)
}

/// How often a directory is made anew that somebody else takes away.
const TRIES: u32 = 10;

/// cgroup v1: a cpuset is empty when it is made, and takes no process as it is.
/// The hierarchies of other controllers do not have these files.
fn inherit(parent: Fd, own: Fd) -> kernel::Result<()> {
    for file in [c"cpuset.cpus", c"cpuset.mems"] {
        let mut value = List::new();
        match kernel::read_file(parent, file, &mut value) {
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
fn sweep(parent: Fd) {
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
}

/// Host side: puts the container into its cgroups and sets its limits, in the
/// article's order. It is not released before that, so no process of it is ever
/// outside or without its limit.
pub fn admit(config: &Config, unified: u32, child: Pid, report: &mut Report) {
    if report.undo.cgroups.as_slice().is_empty() {
        return;
    }
    let pid = Numbered::of(b"", child.number() as u32);
    write(b"cgroup.procs", pid.as_c_str(), report);
    let mut asked = config.cgroup_conf.as_slice().iter();
    if !asked.any(|setting| setting.to_bytes().starts_with(b"notify_on_release=")) {
        write(NOTIFY, c"1", report);
    }
    for (resource, limit) in config.limits.iter().enumerate() {
        let Some(limit) = *limit else { continue };
        let v2 = unified >> resource & 1 == 1;
        let mut setting = file_of(resource, v2);
        match limit {
            Limit::At(number) if v2 => setting.push_number(in_v2(config, resource, number)),
            Limit::At(number) => setting.push_number(number),
            Limit::Max if v2 || resource == Resource::Pids as usize => setting.push(b"max"),
            Limit::Max => setting.push(b"-1"),
        }
        if let Some((file, value)) = split_at(setting.as_c_str().unwrap_or(c""), b'=') {
            write(file, value, report);
        }
    }
}

/// Of v1 only: the release agent is told, if there is one.
const NOTIFY: &[u8] = b"notify_on_release";

/// Writes a file in the directories that have it: that of its controller, or, if it
/// belongs to none, all of them.
fn write(file: &[u8], value: &CStr, report: &mut Report) {
    let name = Text::of(&[file]);
    let name = name.as_c_str().unwrap_or(c"");
    let mut written = Err(Errno::ENOENT);
    for directory in report.undo.cgroups.as_slice() {
        let here = kernel::write_file(directory.own, name, value.to_bytes());
        match here {
            Err(Errno::ENOENT) => {}
            Ok(()) => written = here,
            Err(errno) => report.fail(Step::WriteCgroup, Some(name), errno),
        }
    }
    if file != NOTIFY || written != Err(Errno::ENOENT) {
        report.step_on(Step::WriteCgroup, name, written);
    }
}

/// Host side, at the end: whether a process of the container was killed since the
/// memory that it was given was used up.
pub fn ran_out_of_memory(report: &Report) -> bool {
    for directory in report.undo.cgroups.as_slice() {
        let file = if directory.v2 { c"memory.events" } else { c"memory.oom_control" };
        let mut buffer = [0; 1024];
        // Of other controllers there is no such file; a kernel before 4.13 does not count.
        let counts = kernel::read_start(directory.own, file, &mut buffer).unwrap_or(&[]);
        if line_behind(counts, b"oom_kill ").is_some_and(|count| count != b"0") {
            return true;
        }
    }
    false
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
            ("pids.max=7", Some("pids")),
            ("notify_on_release=1.", None),
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
        let find = |controller: &str| {
            let (point, v2) = find(MOUNTS, controller.as_bytes());
            (std::str::from_utf8(point).unwrap(), v2)
        };
        assert_eq!(find("cpu"), ("/sys/fs/cgroup/cpu,cpuacct", false));
        assert_eq!(find("cpuacct"), ("/sys/fs/cgroup/cpu,cpuacct", false));
        assert_eq!(find("pids"), ("/elsewhere", false));
        assert_eq!(find("memory"), ("", true));
        assert_eq!(find("cpuset"), ("", true));
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

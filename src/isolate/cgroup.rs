//! The container's cgroups: a directory in each hierarchy whose controllers a limit
//! needs, in cgroup v1 or v2. Made before the container and removed after it (cgroups(7);
//! Documentation/admin-guide/cgroup-v2.rst).

use core::ffi::CStr;

use crate::config::{Config, Limit, Resource, Share};
use crate::isolate::hierarchy::{Hierarchies, lists, open};
use crate::kernel::{self, Alike, Errno, Fd, List, Pid, Stack, Strings};
use crate::report::{self, Report};
use crate::steps::Step;
use crate::text::{
    Numbered, PackedList, Parts, Text, line_behind, pack_list, parse_whole, split_at,
};
use crate::undo::{self, BETWEEN_TRIES, Directory, LEAF, PROCS, SUBTREE, TRIES, Undo};

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
    let file = Parts::of(file, b'=').word();
    let controller = Parts::of(file, b'.').word();
    (controller.len() < file.len() && controller != b"cgroup").then_some(controller)
}

/// Host side: makes the directories, and sets what `--cgroup-conf` and `--cpuset-cpus`
/// ask for: some of it must be set before a process is in them. Gives the limits that
/// cgroup v2 has the controllers of, a bit each.
#[inline(never)]
pub fn create<'a>(
    config: &Config<'a>,
    name: &'a CStr,
    user: u32,
    stack: &mut Stack,
    report: &mut Report<'a>,
) -> u32 {
    let mut unified = 0;
    if !config.wants_cgroup() {
        return unified;
    }
    let hierarchies = &mut Hierarchies::new(config, user, stack);
    report.step(Step::FindCgroups, hierarchies.read());
    report.undo.name = name;
    report.undo.end_all = config.pid == Some(Share::Host);
    for (resource, limit) in config.limits.iter().enumerate() {
        if limit.is_some() {
            let v2 = make_for(hierarchies, file_of(resource, false).as_bytes(), report);
            unified |= u32::from(v2) << resource;
        }
    }
    if config.cpuset_cpus.is_some() {
        make_for(hierarchies, CPUS, report);
    }
    for setting in config.cgroup_conf.as_slice() {
        make_for(hierarchies, setting.to_bytes(), report);
    }
    // By the controller of pids, processes are counted, and found.
    if report.undo.cgroups.as_slice().is_empty() || report.undo.end_all {
        make_for(hierarchies, b"pids.max", report);
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

/// Makes the directory for a file's controller, if its hierarchy has none yet.
/// Whether that is v2.
fn make_for(hierarchies: &mut Hierarchies, file: &[u8], report: &mut Report) -> bool {
    let Some(controller) = controller_of(file) else { return false };
    let mut path = Text::new();
    let subject = Text::of(&[controller]);
    let subject = subject.name();
    let found = hierarchies.find(controller, &mut path);
    report.step_on(Step::FindController, subject, found);
    let mut parts = Parts::of(hierarchies.parent, b'/');
    let above = loop {
        let part = parts.next();
        if part.is_some_and(<[u8]>::is_empty) {
            continue;
        }
        if hierarchies.v2 || part.is_none() {
            let above = open(hierarchies.base, &path);
            if part.is_none() && hierarchies.v2 && hierarchies.beside && report.undo.leaf.is_none()
            {
                let left = above.and_then(|above| leave(above, &mut report.undo));
                report.step_on(Step::LeaveCgroup, path.name(), left);
            }
            if hierarchies.v2 {
                let enabled = above.and_then(|above| enable(above, controller));
                report.step_on(Step::EnableController, subject, enabled);
            }
            if part.is_none() {
                break above;
            }
        }
        path.push(b"/");
        path.push(part.unwrap_or(&[]));
    };
    path.push(b"/");
    path.push(report.undo.name.to_bytes());
    let made = above.and_then(|above| make(above, hierarchies, &mut report.undo));
    report.step_on(Step::MakeCgroup, path.name(), made);
    hierarchies.v2
}

/// Makes it in one of them, of the name that the container has.
#[inline(never)]
fn make(parent: Fd, hierarchies: &Hierarchies, undo: &mut Undo) -> kernel::Result<()> {
    // Controllers may share a hierarchy, and so a directory.
    for made in undo.cgroups.as_slice() {
        if kernel::compare(made.parent, parent)? == Alike::File {
            return Ok(());
        }
    }
    if hierarchies.config.name.is_none() {
        sweep(parent);
    }
    let own = make_directory(parent, undo.name, false)?;
    if let Err(errno) = undo.cgroups.push(Directory { parent, own, v2: hierarchies.v2 }) {
        // Not on the list of what is taken back, so here; the failure that counts is
        // the first.
        let _ = kernel::remove_directory(parent, undo.name);
        return Err(errno);
    }
    if hierarchies.v2 { Ok(()) } else { inherit(parent, own) }
}

/// cgroup v2: processes cannot lie beside the container's cgroup, so thimble, and others like
/// it, go from its parent to a leaf beside it. EBUSY if anybody else is there.
fn leave(parent: Fd, undo: &mut Undo) -> kernel::Result<()> {
    let leaf = make_directory(parent, LEAF, true)?;
    undo.leaf = Some((parent, leaf));
    undo::move_all(parent, leaf)
}

/// cgroup v2: lets a directory hand the controller on to those below. Nothing is
/// written where it does already, which an ordinary user may not.
#[inline(never)]
fn enable(above: Fd, controller: &[u8]) -> kernel::Result<()> {
    match lists(above, SUBTREE, controller) {
        Err(Errno::ENOENT) => {
            let more = Numbered::named(b"+", controller);
            kernel::write_file(above, SUBTREE, more.as_c_str().to_bytes())
        }
        listed => listed,
    }
}

/// Makes a directory, opens it, and locks it for the container's life; if it is `shared`,
/// together with others, of whom one may have made it.
fn make_directory(parent: Fd, name: &CStr, shared: bool) -> kernel::Result<Fd> {
    let mut may_be_there = shared;
    for _ in 0..TRIES {
        let made = kernel::make_directory(parent, name);
        if !may_be_there || made != Err(Errno::EEXIST) {
            made?;
        }
        match hold(parent, name, shared) {
            Err(Errno::ENOENT) => {}
            // Who sweeps, or is the last one there, takes it away.
            Err(Errno::EAGAIN) => {
                may_be_there = true;
                kernel::sleep(BETWEEN_TRIES);
            }
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
fn hold(parent: Fd, name: &CStr, shared: bool) -> kernel::Result<Fd> {
    let own = kernel::open_at(parent, name, libc::O_DIRECTORY)?;
    // In a directory that was removed nothing is found.
    let look = || kernel::open_at(own, PROCS, libc::O_PATH).map(kernel::close);
    let held = kernel::lock(own, shared).and_then(|()| look());
    if held.is_err() {
        kernel::close(own);
    }
    held.map(|()| own)
}

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
/// go stays, and the next thimble tries again. So it is with the rest where there are so
/// many that it would take long: each looks from somewhere else on, in the order of hashes
/// of 31 bits that cgroups are listed in, and goes once around at most.
fn sweep(parent: Fd) {
    let mut buffer = [0; 2048];
    let start = (kernel::own_pid().number() as u32).wrapping_mul(0x9e37_79b1) >> 1;
    let mut moved = kernel::seek(parent, start);
    for _ in 0..READS {
        let entries = moved.and_then(|()| kernel::read_directory(parent, &mut buffer));
        let Ok(entries) = entries else { break };
        if entries.is_empty() {
            moved = kernel::seek(parent, 0);
        }
        for name in kernel::Entries::of(entries) {
            let number = name.to_bytes().strip_prefix(PREFIX).and_then(parse_whole);
            let Some(pid) = number.and_then(Pid::from_number) else { continue };
            if kernel::send_signal(pid, 0) != Err(Errno::ESRCH) {
                continue;
            }
            if let Ok(old) = kernel::open_at(parent, name, libc::O_DIRECTORY) {
                if kernel::lock(old, false).is_ok() {
                    // Somebody may be left in it: the next run sweeps again.
                    let _ = kernel::remove_directory(parent, name);
                }
                kernel::close(old);
            }
        }
    }
}

/// How often one reads on: once around a hundred cgroups and their parent's files.
const READS: u32 = 5;

/// Host side: puts the container into its cgroups and sets its limits, in the
/// article's order. It is not released before that, so no process of it is ever
/// outside or without its limit.
#[inline(never)]
pub fn admit(config: &Config, unified: u32, child: Pid, report: &mut Report) {
    if report.undo.cgroups.as_slice().is_empty() {
        return;
    }
    let pid = Numbered::of(b"", child.number() as u32);
    write(PROCS.to_bytes(), pid.as_c_str(), report);
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
        if let Some((file, value)) = split_at(setting.name(), b'=') {
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
    let name = name.name();
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

/// What is told of a container that has ended: its status, the signal that ended it, the most
/// bytes that it had in use at once, the microseconds that it took on processors, and how many
/// of its processes were killed since the memory that they were given was used up.
pub type Figures = [u64; 5];

/// What nobody has counted.
pub const UNKNOWN: u64 = u64::MAX;

/// Where the last three of them are counted, in v1 and in v2 (`memory.peak` since Linux 5.19,
/// processes since 4.13).
const COUNTERS: Strings = Strings::new(
    "memory.max_usage_in_bytes\0memory.peak\0cpuacct.usage\0cpu.stat\0\
     memory.oom_control\0memory.events\0\0",
);

/// Host side, at the end: fills in what the container's cgroups have counted.
pub fn count(figures: &mut Figures, report: &Report) {
    for directory in report.undo.cgroups.as_slice() {
        for (place, file) in COUNTERS.enumerate() {
            if usize::from(directory.v2) != place % 2 {
                continue;
            }
            // What the number's line begins with.
            let start: &[u8] = match place {
                3 => b"usage_usec ",
                4.. => b"oom_kill ",
                _ => b"",
            };
            let mut buffer = [0; 1024];
            match kernel::read_start(directory.own, file, &mut buffer) {
                Ok(lines) => {
                    let number = line_behind(lines, start).and_then(parse_whole);
                    if let (Some(number), Some(figure)) = (number, figures.get_mut(2 + place / 2)) {
                        // That of v1 is in nanoseconds.
                        *figure = if place == 2 { number / 1000 } else { number };
                    }
                }
                Err(Errno::ENOENT) => {} // another controller's
                Err(errno) => report::warn(Step::ReadCounter, Some(file), errno),
            }
        }
    }
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

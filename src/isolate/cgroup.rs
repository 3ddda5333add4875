//! The container's cgroups: a directory for each controller that a limit needs,
//! in cgroup v1 or v2, wherever this host has that controller. Made before the
//! container and removed after it (cgroups(7); Documentation/admin-guide/cgroup-v2.rst).

use core::ffi::CStr;

use crate::config::{Config, Limit, Share};
use crate::kernel::{self, CURRENT, Errno, Fd, List, Pid};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Parts, Text, parse_whole, split_at};
use crate::undo::Directory;

/// The controller by which processes are counted, and found.
const PIDS: &[u8] = b"pids";

/// How a cgroup is named that nobody gave a name, before the number of its thimble.
pub const PREFIX: &[u8] = b"thimble-";

/// A limit: its files in v1 and v2, and what they are to hold.
type Row = ([&'static CStr; 2], [Option<Limit>; 2]);

fn rows(config: &Config) -> [Row; 5] {
    let same = |limit| [limit, limit];
    // v1 counts memory and swap together, v2 swap alone.
    let swap = match (config.memory_swap, config.memory) {
        (Some(Limit::At(both)), Some(Limit::At(memory))) => Some(Limit::At(both - memory)),
        (both, _) => both,
    };
    let shares = config.cpu_shares.map(Limit::At);
    // 2 to 262144 become 1 to 10000, as with runc and crun.
    let weight = config.cpu_shares.map(|shares| Limit::At(1 + (shares - 2) * 9999 / 262_142));
    [
        ([c"pids.max", c"pids.max"], same(config.pids_limit)),
        ([c"memory.limit_in_bytes", c"memory.max"], same(config.memory)),
        ([c"memory.memsw.limit_in_bytes", c"memory.swap.max"], [config.memory_swap, swap]),
        // Of a period of 100 ms, which is the default of both.
        ([c"cpu.cfs_quota_us", c"cpu.max"], same(config.cpus.map(Limit::At))),
        ([c"cpu.shares", c"cpu.weight"], [shares, weight]),
    ]
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
    for (files, limits) in rows(config) {
        if limits[0].is_some() {
            maker.make_for(files[0].to_bytes(), report);
        }
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
        let found = self.find(controller);
        let (mut path, v2) = report.step_on(Step::FindController, shown, found);
        if v2 {
            let enabled = self.enable(controller, &path);
            report.step_on(Step::EnableController, shown, enabled);
        }
        if let Some(parent) = self.config.cgroup_parent {
            path.push(b"/");
            path.push(parent.to_bytes());
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

    /// Where the controller's hierarchy is mounted, and whether that is v2.
    fn find(&self, controller: &[u8]) -> kernel::Result<(Text, bool)> {
        let mut unified = None;
        for line in Parts::of(self.mounts.as_slice(), b'\n') {
            // proc_pid_mountinfo(5): the mount point is the fifth field, and behind a
            // field of a dash come type, source and options.
            let mut fields = Parts::of(line, b' ');
            let point = fields.nth(4).unwrap_or(&[]);
            let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
            match fields.next() {
                Some(b"cgroup2") => unified = unified.or(Some(point)),
                Some(b"cgroup") => {
                    let options = fields.nth(1).unwrap_or(&[]);
                    if Parts::of(options, b',').any(|option| option == controller) {
                        return Ok((Text::of(&[point]), false));
                    }
                }
                _ => {}
            }
        }
        let path = Text::of(&[unified.ok_or(Errno::ENOENT)?]);
        match lists(&path, b"/cgroup.controllers", controller)? {
            true => Ok((path, true)),
            false => Err(Errno::ENOENT),
        }
    }

    /// cgroup v2: lets the directories down to the parent hand the controller on.
    /// Nothing is written where they do already, which an ordinary user may not.
    fn enable(&self, controller: &[u8], top: &Text) -> kernel::Result<()> {
        const FILE: &[u8] = b"/cgroup.subtree_control";
        let mut path = Text::of(&[top.as_bytes()]);
        let parent = self.config.cgroup_parent.map_or(&[][..], CStr::to_bytes);
        for part in
            [&[][..]].into_iter().chain(Parts::of(parent, b'/').filter(|part| !part.is_empty()))
        {
            if !part.is_empty() {
                path.push(b"/");
                path.push(part);
            }
            if !lists(&path, FILE, controller)? {
                let file = Text::of(&[path.as_bytes(), FILE]);
                let value = Text::of(&[b"+", controller]);
                let file = file.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
                kernel::write_file(CURRENT, file, value.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Whether a file of a directory, which is a list of words, has this one.
fn lists(directory: &Text, file: &[u8], word: &[u8]) -> kernel::Result<bool> {
    let path = Text::of(&[directory.as_bytes(), file]);
    let mut list = List::new();
    kernel::read_file(CURRENT, path.as_c_str().ok_or(Errno::ENAMETOOLONG)?, &mut list)?;
    let line = list.as_slice().strip_suffix(b"\n").unwrap_or(list.as_slice());
    Ok(Parts::of(line, b' ').any(|known| known == word))
}

/// Makes a directory, opens it, and locks it for the container's life. Whether
/// it was made before, for a controller that shares the hierarchy.
fn make_directory(path: &CStr, made: &[Directory]) -> kernel::Result<(Fd, bool)> {
    for _ in 0..TRIES {
        let fresh = kernel::make_directory(CURRENT, path);
        let own = kernel::open(path, libc::O_RDONLY | libc::O_DIRECTORY);
        if let Err(errno) = fresh {
            let identity = own.and_then(kernel::identity);
            let known = made.iter().any(|old| kernel::identity(old.own) == identity);
            return if known { Ok((own?, true)) } else { Err(errno) };
        }
        // Who sweeps takes the lock first, and may have been here in between.
        if let Ok(own) = own {
            kernel::lock(own)?;
            if kernel::open(path, libc::O_PATH).and_then(kernel::identity) == kernel::identity(own)
            {
                return Ok((own, false));
            }
            kernel::close(own);
        }
    }
    Err(Errno::ESTALE)
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
    for (files, limits) in rows(config) {
        let Some(controller) = controller_of(files[0].to_bytes()) else { continue };
        let made = report.undo.cgroups.as_slice().iter();
        let directory = made.copied().find(|directory| directory.controller == controller);
        let Some(directory) = directory else { continue };
        let version = usize::from(directory.v2);
        let (Some(file), Some(Some(limit))) = (files.get(version), limits.get(version)) else {
            continue;
        };
        let value = match limit {
            Limit::At(number) => Text::number(*number),
            Limit::Max if directory.v2 || controller == PIDS => Text::of(&[b"max"]),
            Limit::Max => Text::of(&[b"-1"]),
        };
        let written = kernel::write_file(directory.own, file, value.as_bytes());
        report.step_on(Step::WriteCgroup, file, written);
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
        let find = |controller: &str| match maker.find(controller.as_bytes()) {
            Ok((path, v2)) => Some((String::from_utf8(path.as_bytes().to_vec()).unwrap(), v2)),
            Err(_) => None,
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
        config.memory = Some(Limit::At(100));
        config.memory_swap = Some(Limit::At(150));
        for (shares, weight) in [(2, 1), (1024, 39), (262_144, 10_000)] {
            config.cpu_shares = Some(shares);
            let [_, memory, swap, _, cpu] = rows(&config).map(|row| row.1);
            assert_eq!(memory, [Some(Limit::At(100)); 2]);
            assert_eq!(swap, [Some(Limit::At(150)), Some(Limit::At(50))]);
            assert_eq!(cpu, [Some(Limit::At(shares)), Some(Limit::At(weight))]);
        }
        config.memory_swap = Some(Limit::Max);
        assert_eq!(rows(&config)[2].1, [Some(Limit::Max); 2]);
    }
}

//! What is mounted inside the container's root: /proc, /sys, and what of them
//! is covered or read-only. A directory whose name the image wrote is opened
//! once, as the directory that it has to be, and everything goes by that
//! descriptor: a link there, or one that takes its place in this moment, leads
//! nowhere.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::idmap::Maps;
use crate::isolate::namespaces;
use crate::kernel::{self, CURRENT, Errno, Fd, left_out};
use crate::report::Report;
use crate::steps::Step;
use crate::text::Text;

/// Flags of every mount that neither programs nor devices belong on.
pub const INERT: u64 = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

/// Attributes of every mount whose files somebody else wrote.
pub fn foreign() -> u64 {
    let unless = |name: &CStr, attribute| if left_out(name) { 0 } else { attribute };
    unless(c"nodev", libc::MOUNT_ATTR_NODEV) | unless(c"nosuid", libc::MOUNT_ATTR_NOSUID)
}

/// Attributes of what the host shares, and nobody inside is to change.
const INERT_ATTRIBUTES: u64 = libc::MOUNT_ATTR_NODEV
    | libc::MOUNT_ATTR_NOSUID
    | libc::MOUNT_ATTR_NOEXEC
    | libc::MOUNT_ATTR_RDONLY;

const DIRECTORY: i32 = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;

/// Files of /proc that tell about the host or reach into it (CONFIG_IKCONFIG
/// and the like decide which there are), as docker and podman mask them.
const MASKED_FILES: &[&CStr] = &[
    c"kcore",
    c"keys",
    c"latency_stats",
    c"timer_list",
    c"timer_stats",
    c"sched_debug",
    c"interrupts",
];

/// Directories of /proc, likewise.
const MASKED_PROC: &[&CStr] = &[c"acpi", c"asound", c"scsi"];

/// Directories of /sys, likewise.
const MASKED_SYS: &[&CStr] = &[c"firmware", c"devices/virtual/powercap"];

/// What of /proc sets the host's kernel up, and is therefore read-only.
const READ_ONLY: &[&CStr] = &[c"bus", c"fs", c"irq", c"sys", c"sysrq-trigger"];

/// Takes the mount namespace out of all propagation: no mount of the
/// container's reaches the host, nor the other way round.
pub fn make_private(report: &mut Report) {
    if !left_out(c"private mounts") {
        report.step(Step::MakePrivate, kernel::make_private())
    }
}

/// Mounts the container's own /proc, and unless `--bare` the kernel's /sys.
pub fn kernel_files(config: &Config, maps: Option<&Maps>, root: Fd, report: &mut Report) {
    // A user namespace may mount only what its own namespaces own. Where one of
    // those is the host's, its file system is the host's too, read-only.
    let hosts = |private: bool| maps.is_some() && !private;
    let mounted = if hosts(config.private(config.pid, true)) {
        bind_hosts(root, c"proc", c"/proc", libc::PROC_SUPER_MAGIC)
    } else {
        over(root, c"proc", c"proc", INERT, c"", libc::PROC_SUPER_MAGIC)
    };
    let proc = report.step_on(Step::MountProc, c"/proc", mounted);
    if !config.bare {
        let writable = config.privileged || left_out(c"read-only /sys");
        let flags = if writable { INERT } else { INERT | libc::MS_RDONLY };
        let mounted = if hosts(namespaces::own_network(config)) {
            bind_hosts(root, c"sys", c"/sys", libc::SYSFS_MAGIC)
        } else {
            over(root, c"sys", c"sysfs", flags, c"", libc::SYSFS_MAGIC)
        };
        let sys = report.step_on(Step::MountSys, c"/sys", mounted);
        if !config.privileged {
            let file = mask_file(root, report);
            mask(proc, MASKED_FILES, Some(file), report);
            mask(proc, MASKED_PROC, None, report);
            mask(sys, MASKED_SYS, None, report);
            protect(proc, report);
        }
    }
    report.step(Step::GoTo, kernel::change_directory_to(root));
}

/// Mounts a file system on a directory of the root and gives the root of what
/// was mounted.
pub fn over(
    root: Fd,
    name: &CStr,
    kind: &CStr,
    flags: u64,
    data: &CStr,
    magic: i64,
) -> kernel::Result<Fd> {
    let find = || {
        let follow = if left_out(c"O_NOFOLLOW") { libc::O_NOFOLLOW } else { 0 };
        kernel::open_at(root, name, DIRECTORY & !follow)
    };
    mount_where(&find, kind, flags, data, magic)
}

/// Binds a file system of the host's, with all below it, on a directory of the
/// root, and makes it read-only. Only the root of a mount takes attributes, so
/// what is given is one.
fn bind_hosts(root: Fd, name: &CStr, source: &CStr, magic: i64) -> kernel::Result<Fd> {
    let find = || kernel::open_at(root, name, DIRECTORY);
    kernel::change_directory_to(find()?)?;
    kernel::bind(source, c".")?;
    let mounted = find()?;
    kernel::change_attributes(mounted, INERT_ATTRIBUTES, 0, true)?;
    if kernel::file_system(mounted)? == magic as u64 { Ok(mounted) } else { Err(Errno::ESTALE) }
}

/// Mounts a file system on the directory that `find` finds. That it lies where
/// the program will look for it is checked: `find` must then give another device
/// than before, of the right type.
pub fn mount_where(
    find: &dyn Fn() -> kernel::Result<Fd>,
    kind: &CStr,
    flags: u64,
    data: &CStr,
    magic: i64,
) -> kernel::Result<Fd> {
    let target = find()?;
    kernel::change_directory_to(target)?;
    kernel::mount(kind, c".", flags, data)?;
    let mounted = find()?;
    let below = kernel::identity(target)?.device;
    kernel::close(target);
    let right =
        kernel::file_system(mounted)? == magic as u64 && kernel::identity(mounted)?.device != below;
    if right || left_out(c"check of mounts") { Ok(mounted) } else { Err(Errno::ESTALE) }
}

/// An empty file to cover others with, on a file system of its own that is
/// read-only as a whole. It is mounted on /dev, where the real one will cover it.
fn mask_file(root: Fd, report: &mut Report) -> Fd {
    if left_out(c"own mask") {
        let images = kernel::open_at(root, c"dev/null", libc::O_PATH);
        return report.step(Step::MakeMask, images);
    }
    let mounted = over(root, c"dev", c"tmpfs", INERT, c"mode=0,size=4k", libc::TMPFS_MAGIC);
    let place = report.step_on(Step::MountDev, c"/dev", mounted);
    let made = kernel::change_directory_to(place)
        .and_then(|()| kernel::make_file(CURRENT, c"mask", 0))
        .and_then(|()| kernel::remount(c".", INERT | libc::MS_RDONLY))
        .and_then(|()| kernel::open(c"mask", libc::O_PATH));
    report.step(Step::MakeMask, made)
}

/// Covers entries of a file system that is thimble's own, as far as there are
/// such: with the empty file, or else with an empty read-only directory.
fn mask(place: Fd, names: &[&CStr], file: Option<Fd>, report: &mut Report) {
    report.step(Step::GoTo, kernel::change_directory_to(place));
    let mut source = Text::of(&[b"self/fd/"]);
    if let Some(file) = file {
        source.push_number(file.number() as u64);
    }
    for name in names {
        if left_out(name) {
            continue;
        }
        let covered = match file {
            Some(_) => kernel::bind(source.as_c_str().unwrap_or(c""), name),
            None => kernel::mount(c"tmpfs", name, INERT | libc::MS_RDONLY, c"size=4k"),
        };
        if covered != Err(Errno::ENOENT) {
            report.step_on(Step::Mask, name, covered);
        }
    }
}

/// Makes what is in READ_ONLY so, by a bind on itself.
fn protect(proc: Fd, report: &mut Report) {
    report.step(Step::GoTo, kernel::change_directory_to(proc));
    for name in READ_ONLY {
        if left_out(name) {
            continue;
        }
        let bound = kernel::bind(name, name);
        if bound != Err(Errno::ENOENT) {
            let flags = INERT | libc::MS_RDONLY | libc::MS_BIND;
            let protected = bound.and_then(|()| kernel::remount(name, flags));
            report.step_on(Step::Protect, name, protected);
        }
    }
}

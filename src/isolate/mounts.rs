//! What is mounted inside the container's root: /proc, /sys, and what of them
//! is covered or read-only. A directory whose name the image wrote is opened
//! once, as the directory that it has to be, and everything goes by that
//! descriptor: a link there, or one that takes its place in this moment, leads
//! nowhere.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::idmap::Maps;
use crate::isolate::{namespaces, places};
use crate::kernel::{
    self, Alike, CURRENT, Errno, Fd, List, Magic, MountFlags, Strings, left_out, tail,
};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Numbered, Parts, Text, line_behind, unescape};

/// Flags of every mount that neither programs nor devices belong on.
pub const INERT: MountFlags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

/// Flags of every mount whose files somebody else wrote.
pub fn foreign() -> MountFlags {
    let unless = |name: &CStr, flag| if left_out(name) { 0 } else { flag };
    unless(c"nodev", libc::MS_NODEV) | unless(c"nosuid", libc::MS_NOSUID)
}

/// Files of /proc that tell about the host or reach into it (CONFIG_IKCONFIG
/// and the like decide which there are), as docker and podman mask them.
const MASKED_FILES: Strings = Strings::new(
    "kcore\0keys\0latency_stats\0timer_list\0timer_stats\0sched_debug\0interrupts\0\0",
);

/// Directories of /proc, likewise.
const MASKED_PROC: Strings = Strings::new("acpi\0asound\0scsi\0\0");

/// Directories of /sys, likewise.
const MASKED_SYS: Strings = Strings::new("firmware\0devices/virtual/powercap\0\0");

/// What they are covered with: on a file system of its own, which is on top of
/// the root, and so where `..` of the root leads.
const MASK_FILE: &CStr = c"/../file";
const MASK_DIRECTORY: &CStr = c"/../directory";

/// What of /proc sets the host's kernel up, and is therefore read-only.
const READ_ONLY: Strings = Strings::new("bus\0fs\0irq\0sys\0sysrq-trigger\0\0");

/// Takes the mount namespace out of all propagation: no mount of the
/// container's reaches the host, nor the other way round.
pub fn make_private(report: &mut Report) {
    if !left_out(c"private mounts") {
        report.step(Step::MakePrivate, kernel::make_private())
    }
}

/// Changes to a directory of the root.
#[inline(never)]
pub fn go_to(place: Fd, report: &mut Report) {
    report.step(Step::GoTo, kernel::change_directory_to(place));
}

/// Whether parts of /proc and /sys are masked or read-only.
fn is_protected(config: &Config) -> bool {
    !config.bare && !config.privileged
}

/// A user namespace may mount only what its own namespaces own. Where one of
/// those is the host's, its file system is the host's too, read-only.
fn hosts_proc(config: &Config, maps: Option<&Maps>) -> bool {
    maps.is_some() && !config.private(config.pid, true)
}

/// Mounts the container's own /proc and gives its root. What else is mounted
/// goes by its links to descriptors, so that no name is looked up twice.
pub fn proc(config: &Config, maps: Option<&Maps>, root: Fd, report: &mut Report) -> Fd {
    let (path, magic) = (c"/proc", libc::PROC_SUPER_MAGIC);
    let mounted = if hosts_proc(config, maps) {
        over_hosts(root, path, None, magic)
    } else {
        // Read-only until what is below is protected.
        let flags = if is_protected(config) { INERT | libc::MS_RDONLY } else { INERT };
        over(root, path, c"proc", flags, c"", magic)
    };
    report.step_on(Step::MountProc, path, mounted)
}

/// Mounts the kernel's /sys, and masks and protects what is to be, unless `--bare`.
pub fn kernel_files(config: &Config, maps: Option<&Maps>, root: Fd, proc: Fd, report: &mut Report) {
    if config.bare {
        return;
    }
    let (path, magic) = (c"/sys", libc::SYSFS_MAGIC);
    let writable = config.privileged || left_out(c"read-only /sys");
    let flags = if writable { INERT } else { INERT | libc::MS_RDONLY };
    let mut mounted = over(root, path, c"sysfs", flags, c"", magic);
    // As with /proc, but the user namespace may also be the caller's.
    if matches!(mounted, Err(Errno::EPERM)) && !namespaces::own_network(config) {
        mounted = over_hosts(root, path, Some(proc), magic);
    }
    let sys = report.step_on(Step::MountSys, path, mounted);
    if config.wants_cgroup() && config.private(config.cgroup_namespace, false) {
        own_cgroup(sys, report);
    }
    if is_protected(config) {
        report.step(Step::MakeMask, make_masks());
        go_to(sys, report);
        cover(Some(MASK_DIRECTORY), MASKED_SYS, report);
        go_to(proc, report);
        cover(Some(MASK_DIRECTORY), MASKED_PROC, report);
        if left_out(c"own mask") {
            let images = kernel::open_at(root, c"dev/null", libc::O_PATH);
            let images = link(report.step(Step::MakeMask, images));
            cover(Some(images.as_c_str()), MASKED_FILES, report);
        } else {
            cover(Some(MASK_FILE), MASKED_FILES, report);
        }
        // A bind has the flags of the mount that it is of, which is still read-only. The host's
        // /proc stays so.
        cover(None, READ_ONLY, report);
        if !hosts_proc(config, maps) {
            report.step_on(Step::MountProc, c"/proc", kernel::remount(c".", INERT));
        }
        report.step(Step::RemoveMask, kernel::detach(c"/.."));
    }
}

/// Makes a file and a directory, empty and read-only, on top of the root for as
/// long as it takes, where no name of the image's leads to them.
fn make_masks() -> kernel::Result<()> {
    kernel::mount(c"tmpfs", c"/", INERT, c"mode=0,size=4k")?;
    kernel::make_file(CURRENT, MASK_FILE, 0)?;
    kernel::make_directory(CURRENT, MASK_DIRECTORY)?;
    kernel::remount(c"/..", INERT | libc::MS_RDONLY)
}

/// Covers entries of the current directory, a file system that is thimble's own, as
/// far as there are such: with a mask, or each with itself.
fn cover(mask: Option<&CStr>, names: Strings, report: &mut Report) {
    for name in names {
        if left_out(name) {
            continue;
        }
        let covered = kernel::bind(mask.unwrap_or(name), name, true);
        if covered != Err(Errno::ENOENT) {
            let step = if mask.is_some() { Step::Mask } else { Step::Protect };
            report.step_on(step, name, covered);
        }
    }
}

/// Shows the container's own cgroup, where the host has cgroup v2 in the usual
/// place. It is mounted from the new cgroup namespace, whose root the cgroup is:
/// from the host's, mount(2) would set the options of the whole hierarchy anew.
/// A cgroup v1 hierarchy is not shown, nor the caller's cgroup where none was made.
fn own_cgroup(sys: Fd, report: &mut Report) {
    let host = kernel::open(c"/sys/fs/cgroup", libc::O_PATH);
    let shown = match host.and_then(|host| kernel::is_on(host, libc::CGROUP2_SUPER_MAGIC)) {
        Err(Errno::ENOENT) | Ok(false) => return,
        host => host.and_then(|_| {
            kernel::change_directory_to(sys)?;
            kernel::mount(c"cgroup2", c"fs/cgroup", INERT | libc::MS_RDONLY, c"")
        }),
    };
    report.step_on(Step::MountCgroup, c"/sys/fs/cgroup", shown);
}

/// The directory `/NAME` of the root, which has to be one.
fn directory(root: Fd, path: &CStr) -> kernel::Result<Fd> {
    let follow = if left_out(c"O_NOFOLLOW") { libc::O_NOFOLLOW } else { 0 };
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    kernel::open_at(root, tail(path, 1), flags & !follow)
}

/// Mounts a file system on a directory of the root and gives the root of what
/// was mounted.
pub fn over(
    root: Fd,
    path: &CStr,
    kind: &CStr,
    flags: MountFlags,
    data: &CStr,
    magic: Magic,
) -> kernel::Result<Fd> {
    let find = || directory(root, path);
    mount_where(find()?, &find, kind, flags, data, magic)
}

/// Binds a file system of the host's, with all below it, on the directory of the
/// root that is named like it, and makes it read-only. Only the root of a mount
/// takes attributes, so what is given is one.
#[inline(never)]
fn over_hosts(root: Fd, path: &CStr, proc: Option<Fd>, magic: Magic) -> kernel::Result<Fd> {
    let mounted = over(root, path, path, libc::MS_BIND | libc::MS_REC, c"", magic)?;
    change(mounted, INERT | libc::MS_RDONLY, 0, true, proc.unwrap_or(mounted))?;
    Ok(mounted)
}

/// Mounts a file system on a directory, or with MS_BIND what lies at the path `kind`. That it
/// lies where the program will look for it is checked: `find` must then give another
/// device than that of the directory, of the right type. (The host's may have been there before.)
pub fn mount_where(
    target: Fd,
    find: &dyn Fn() -> kernel::Result<Fd>,
    kind: &CStr,
    flags: MountFlags,
    data: &CStr,
    magic: Magic,
) -> kernel::Result<Fd> {
    kernel::change_directory_to(target)?;
    kernel::mount(kind, c".", flags, data)?;
    let mounted = find()?;
    let right = if flags & libc::MS_BIND == 0 {
        is_over(mounted, target, magic)
    } else {
        kernel::is_on(mounted, magic)
    };
    if right? || left_out(c"check of mounts") { Ok(mounted) } else { Err(Errno::ESTALE) }
}

/// Whether one is a file system of that type on top of the other.
#[inline(never)]
pub fn is_over(mounted: Fd, below: Fd, magic: Magic) -> kernel::Result<bool> {
    Ok(kernel::is_on(mounted, magic)? && kernel::compare(mounted, below)? == Alike::Nothing)
}

/// The link of a descriptor in the container's /proc, seen from there.
pub fn link(fd: Fd) -> Numbered {
    Numbered::of(b"self/fd/", fd.number() as u32)
}

/// Binds a descriptor's file or directory at a path of the root, with these
/// flags added; `whole`: with all that is mounted below it, and the path made if
/// it is missing. That it lies where the program will look for it is checked.
pub fn bind_at(
    root: Fd,
    proc: Fd,
    source: Fd,
    path: &[u8],
    whole: bool,
    flags: MountFlags,
) -> kernel::Result<()> {
    let kind =
        if kernel::file_type(source)? == libc::S_IFDIR { libc::S_IFDIR } else { libc::S_IFREG };
    let target = places::target(root, path, whole.then_some(kind))?;
    kernel::change_directory_to(proc)?;
    kernel::bind(link(source).as_c_str(), link(target).as_c_str(), whole)?;
    let mounted = places::find(root, path, None)?;
    let right = kernel::compare(mounted, source)? == Alike::File;
    if !right && !left_out(c"check of mounts") {
        return Err(Errno::ESTALE);
    }
    // Of what is no mount's root this is refused (EINVAL).
    change(mounted, flags, 0, true, proc)?;
    kernel::close(source);
    kernel::close(target);
    kernel::close(mounted);
    Ok(())
}

/// Sets and clears flags of a mount and, if asked to, of all below it:
/// mount_setattr(2). Before Linux 5.12 each is remounted with the flags that it
/// has and these. Of MS_RDONLY, MS_NOSUID, MS_NODEV and MS_NOEXEC, which are
/// numbered alike in both.
pub fn change(
    tree: Fd,
    set: MountFlags,
    clear: MountFlags,
    recursive: bool,
    proc: Fd,
) -> kernel::Result<()> {
    let changed = kernel::change_attributes(tree, set, clear, recursive);
    if changed != Err(Errno::ENOSYS) {
        return changed;
    }
    let mut again = |mount, _: &CStr| {
        let flags = (kernel::mount_flags(mount)? | set) & !clear | libc::MS_BIND;
        kernel::change_directory_to(proc)?;
        kernel::remount(link(mount).as_c_str(), flags)
    };
    again(tree, c"")?;
    if recursive && kernel::file_type(tree)? == libc::S_IFDIR {
        each_below(tree, proc, &mut again)?;
    }
    Ok(())
}

/// Does something with the root of each mount below a directory, and its path
/// from there: parents come before children. One that is hidden by another is
/// left out: no path leads there.
pub fn each_below(
    tree: Fd,
    proc: Fd,
    act: &mut dyn FnMut(Fd, &CStr) -> kernel::Result<()>,
) -> kernel::Result<()> {
    // The table shows what can be reached from the root of who opens it, and paths from there.
    let host = kernel::open(c"/", libc::O_PATH)?;
    let mut table = List::new();
    change_root_to(tree)?;
    let read = kernel::read_file(proc, c"self/mountinfo", &mut table);
    change_root_to(host)?;
    kernel::close(host);
    read?;
    for line in Parts::of(table.as_slice(), b'\n') {
        at_line(tree, proc, line, act)?;
    }
    Ok(())
}

#[inline(never)]
fn change_root_to(place: Fd) -> kernel::Result<()> {
    kernel::change_directory_to(place)?;
    kernel::change_root(c".")
}

/// The same for the mount of one line of proc_pid_mountinfo(5).
fn at_line(
    tree: Fd,
    proc: Fd,
    line: &[u8],
    act: &mut dyn FnMut(Fd, &CStr) -> kernel::Result<()>,
) -> kernel::Result<()> {
    // ID, parent, device, root, mount point.
    let mut fields = Parts::of(line, b' ');
    let (Some(id), Some(point)) = (fields.next(), fields.nth(3)) else { return Ok(()) };
    if point == b"/" {
        return Ok(()); // the tree itself
    }
    let mut path = Text::new();
    unescape(point, &mut path);
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    let mount = match places::find(tree, path.to_bytes(), None) {
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(()),
        found => found?,
    };
    if has_id(mount, id, proc)? {
        act(mount, path)?;
    }
    kernel::close(mount);
    Ok(())
}

/// Whether a descriptor lies on the mount of this ID (proc_pid_fdinfo(5), since Linux 3.15).
fn has_id(fd: Fd, id: &[u8], proc: Fd) -> kernel::Result<bool> {
    let path = Numbered::of(b"self/fdinfo/", fd.number() as u32);
    let mut buffer = [0; 1024];
    let lines = kernel::read_start(proc, path.as_c_str(), &mut buffer)?;
    Ok(line_behind(lines, b"mnt_id:\t") == Some(id))
}

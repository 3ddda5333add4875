//! The container's own /dev: never the image's.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::mounts::{self, INERT};
use crate::kernel::{self, CURRENT, Errno, Fd, MountFlags, Strings, left_out, tail};
use crate::report::Report;
use crate::steps::Step;
use crate::text::Text;

/// The devices that every program may expect, as the host has them, and before each
/// the digits of its major and its minor number
/// (Documentation/admin-guide/devices.txt of the kernel).
const NODES: Strings = Strings::new(concat!(
    "13/dev/null\0",
    "15/dev/zero\0",
    "17/dev/full\0",
    "18/dev/random\0",
    "19/dev/urandom\0",
    "50/dev/tty\0",
    "\0"
));

/// Where each link leads, and its name.
const LINKS: Strings = Strings::new(concat!(
    "/proc/self/fd\0fd\0",
    "/proc/self/fd/0\0stdin\0",
    "/proc/self/fd/1\0stdout\0",
    "/proc/self/fd/2\0stderr\0",
    "pts/ptmx\0ptmx\0",
    "\0"
));

/// Mounts /dev and fills it, unless `--bare`.
#[inline(never)]
pub fn dev(config: &Config, root: Fd, report: &mut Report) {
    if config.bare || left_out(c"own /dev") {
        return;
    }
    let data = c"mode=755,size=64k";
    let dev = mounts::over(root, c"/dev", c"tmpfs", libc::MS_NOSUID, data, libc::TMPFS_MAGIC);
    let dev = report.step_on(Step::MountDev, c"/dev", dev);
    mounts::go_to(dev, report);
    for node in NODES {
        let name = tail(node, b"13/dev/".len());
        report.step_on(Step::MakeDevice, name, make_device(node, name));
    }
    let mut links = LINKS;
    while let (Some(target), Some(name)) = (links.next(), links.next()) {
        report.step_on(Step::MakeLinkIn, name, kernel::make_link(target, name));
    }
    // Programs and set-user-id have no place on these; devices only among the terminals.
    let flags = INERT & !libc::MS_NODEV;
    let data = c"gid=5,newinstance,ptmxmode=0666,mode=0620";
    let mut mounted = below(c"pts", c"devpts", flags, data);
    if mounted == Err(Errno::EINVAL) {
        // In a user namespace there need not be a group of terminals.
        mounted = kernel::mount(c"devpts", c"pts", flags, tail(data, b"gid=5,".len()));
    }
    report.step_on(Step::MountInDev, c"pts", mounted);
    let mut data = Text::of(&[b"mode=1777,size="]);
    data.push_number(config.shm_size.unwrap_or(64 << 20));
    let mounted = below(c"shm", c"tmpfs", INERT, data.name());
    report.step_on(Step::MountInDev, c"shm", mounted);
    let mut mounted = below(c"mqueue", c"mqueue", INERT, c"");
    // It may be missing: from a kernel without message queues, and where they are the host's, which
    // a user namespace may use and not mount.
    let hosts = !config.private(config.ipc, false);
    if mounted == Err(Errno::ENODEV) || hosts && mounted == Err(Errno::EPERM) {
        mounted = kernel::remove_directory(CURRENT, c"mqueue");
    }
    report.step_on(Step::MountInDev, c"mqueue", mounted);
}

/// Makes a device in the current directory. Where that is for the host's root
/// alone, binds the host's, if it is that device.
fn make_device(node: &CStr, name: &CStr) -> kernel::Result<()> {
    let &[major, minor, ..] = node.to_bytes() else { return Err(Errno::EINVAL) };
    let number = libc::makedev((major - b'0').into(), (minor - b'0').into());
    let made = kernel::make_device(name, number);
    if made != Err(Errno::EPERM) {
        return made;
    }
    kernel::make_file(CURRENT, name, 0)?;
    kernel::bind(tail(node, b"13".len()), name, false)?;
    kernel::check_device(kernel::open(name, libc::O_PATH)?, number)
}

/// Mounts a file system on a directory made for it.
fn below(name: &CStr, kind: &CStr, flags: MountFlags, data: &CStr) -> kernel::Result<()> {
    kernel::make_directory(CURRENT, name)?;
    kernel::mount(kind, name, flags, data)
}

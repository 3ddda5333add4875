//! The container's own /dev: never the image's.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::mounts::{self, INERT};
use crate::kernel::{self, CURRENT, Errno, Fd};
use crate::report::Report;
use crate::steps::Step;

/// The devices that every program may expect, by number
/// (Documentation/admin-guide/devices.txt of the kernel).
const NODES: &[(&CStr, u32, u32)] = &[
    (c"null", 1, 3),
    (c"zero", 1, 5),
    (c"full", 1, 7),
    (c"random", 1, 8),
    (c"urandom", 1, 9),
    (c"tty", 5, 0),
];

const LINKS: &[(&CStr, &CStr)] = &[
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
    (c"pts/ptmx", c"ptmx"),
];

/// File systems below /dev, each on a directory made for it. Programs and
/// set-user-id have no place there; devices only among the terminals.
const MOUNTS: &[(&CStr, &CStr, u64, &CStr)] = &[
    (c"pts", c"devpts", INERT & !libc::MS_NODEV, c"newinstance,ptmxmode=0666,mode=0620,gid=5"),
    (c"shm", c"tmpfs", INERT, c"mode=1777,size=64m"),
    (c"mqueue", c"mqueue", INERT, c""),
];

/// Mounts /dev and fills it, unless `--bare`.
pub fn dev(config: &Config, root: Fd, report: &mut Report) {
    if config.bare {
        return;
    }
    let data = c"mode=755,size=64k";
    let mounted = mounts::over(root, c"dev", c"tmpfs", libc::MS_NOSUID, data, libc::TMPFS_MAGIC);
    let dev = report.step_on(Step::MountDev, c"/dev", mounted);
    report.step(Step::GoTo, kernel::change_directory_to(dev));
    for (name, major, minor) in NODES {
        report.step_on(Step::MakeDevice, name, kernel::make_device(name, *major, *minor));
    }
    for (target, name) in LINKS {
        report.step_on(Step::MakeLinkIn, name, kernel::make_link(target, name));
    }
    for (name, kind, flags, data) in MOUNTS {
        let mounted = kernel::make_directory(CURRENT, name)
            .and_then(|()| kernel::mount(kind, name, *flags, data));
        // The one step that may be missing: a kernel without message queues.
        if mounted != Err(Errno::ENODEV) || *kind != c"mqueue" {
            report.step_on(Step::MountInDev, name, mounted);
        }
    }
}

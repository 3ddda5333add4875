//! The container's own /dev: never the image's.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::idmap::Maps;
use crate::isolate::mounts::{self, INERT};
use crate::kernel::{self, CURRENT, Errno, Fd, left_out};
use crate::report::Report;
use crate::steps::Step;
use crate::text::Text;

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

const SHM: &CStr = c"shm";

/// File systems below /dev, each on a directory made for it. Programs and
/// set-user-id have no place there; devices only among the terminals.
const MOUNTS: &[(&CStr, &CStr, u64, &CStr)] = &[
    (c"pts", c"devpts", INERT & !libc::MS_NODEV, c"newinstance,ptmxmode=0666,mode=0620,gid=5"),
    (SHM, c"tmpfs", INERT, c"mode=1777"),
    (c"mqueue", c"mqueue", INERT, c""),
];

/// Mounts /dev and fills it, unless `--bare`.
pub fn dev(config: &Config, maps: Option<&Maps>, root: Fd, report: &mut Report) {
    if config.bare || left_out(c"own /dev") {
        return;
    }
    let data = c"mode=755,size=64k";
    let mounted = mounts::over(root, c"dev", c"tmpfs", libc::MS_NOSUID, data, libc::TMPFS_MAGIC);
    let dev = report.step_on(Step::MountDev, c"/dev", mounted);
    report.step(Step::GoTo, kernel::change_directory_to(dev));
    for (name, major, minor) in NODES {
        let made = match maps {
            None => kernel::make_device(name, *major, *minor),
            // A user namespace may not make any, and borrows the host's.
            Some(_) => bind_device(name, (*major, *minor)),
        };
        report.step_on(Step::MakeDevice, name, made);
    }
    for (target, name) in LINKS {
        report.step_on(Step::MakeLinkIn, name, kernel::make_link(target, name));
    }
    let mut shm = Text::of(&[b"mode=1777,size="]);
    shm.push_number(config.shm_size.unwrap_or(64 << 20));
    for (name, kind, flags, data) in MOUNTS {
        let data = match maps {
            // The group of terminals, if there is one inside.
            Some(maps) if *name == c"pts" && !maps.has_group(5) => {
                c"newinstance,ptmxmode=0666,mode=0620"
            }
            _ if *name == SHM => shm.as_c_str().unwrap_or(data),
            _ => data,
        };
        if maps.is_some() && *name == c"mqueue" && !config.private(config.ipc, false) {
            continue; // the host's, which a user namespace may use and not mount
        }
        let mounted = kernel::make_directory(CURRENT, name)
            .and_then(|()| kernel::mount(kind, name, *flags, data));
        // The one step that may be missing: a kernel without message queues.
        if mounted != Err(Errno::ENODEV) || *kind != c"mqueue" {
            report.step_on(Step::MountInDev, name, mounted);
        }
    }
}

/// Binds a device of the host's on a file of the same name in the current
/// directory, if it is that device.
fn bind_device(name: &CStr, numbers: (u32, u32)) -> kernel::Result<()> {
    let host = Text::of(&[b"/dev/", name.to_bytes()]);
    kernel::make_file(CURRENT, name, 0)?;
    kernel::bind(host.as_c_str().unwrap_or(c""), name, false)?;
    let bound = kernel::open(name, libc::O_PATH)?;
    let right = kernel::character_device(bound)? == numbers;
    kernel::close(bound);
    if right { Ok(()) } else { Err(Errno::ESTALE) }
}

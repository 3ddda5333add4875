//! `--ephemeral`: what is written goes to memory and is gone at the end.
//!
//! An overlay (overlayfs of the kernel's documentation) shows one mount and
//! nothing of what is mounted below it. So each mount below ROOTFS that the
//! container would see gets an overlay of its own, and where the kernel has none
//! for it (a file, a file system that tells upper from lower case by itself, the
//! third overlay on top of each other) a bind that is read-only. A /proc of
//! somebody else's, whose links lead to the host's files, and the files of
//! namespaces are left out. So there is nothing of ROOTFS that can be written to.
//!
//! All that is written lies on one tmpfs, mounted on the host's `/` and below
//! the container's root: no path of the container leads to it, and pivot_root
//! takes it along with the rest of the host's tree. The overlays hold it.
//!
//! No path of the caller's is in an overlay's options, where a `,` or `:` in
//! it would mean something: layers are named by descriptor, or as `.` and `/..`.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::mounts::{self, INERT};
use crate::isolate::places;
use crate::kernel::{self, Errno, Fd, Magic, Strings};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Numbered, Text};

/// `OVERLAYFS_SUPER_MAGIC` and `NSFS_MAGIC` (linux/magic.h).
const OVERLAY: Magic = 0x794c_7630;
const NAMESPACES: Magic = 0x6e73_6673;

/// Where thimble's own mounts are going to be; with `--bare`, the first only.
const OWN: Strings = Strings::new("/proc\0/sys\0/dev\0\0");

/// What all overlays have in common.
pub struct Layers {
    /// ROOTFS itself.
    lower: Fd,
    /// The tmpfs.
    memory: Fd,
    /// So many overlays have a part of it.
    count: u32,
    /// Whether each takes the option that a user namespace needs.
    own_notes: bool,
}

/// Mounts the overlay of the current directory over `/`.
pub fn over_root(config: &Config, report: &mut Report) -> Layers {
    let mut layers = report.step(Step::MountMemory, mount_memory());
    let mount = |data: &CStr| kernel::mount(c"overlay", c"/", 0, data);
    let mounted = layers.mount(layers.lower, c".", c"/..", &mount);
    report.step_on(Step::Overlay, config.root, mounted);
    layers
}

fn mount_memory() -> kernel::Result<Layers> {
    kernel::mount(c"tmpfs", c"/", INERT, c"mode=700")?;
    let memory = kernel::open(c"/..", libc::O_PATH)?;
    // An overlay keeps notes in attributes, which are trusted.* unless told otherwise (since
    // Linux 5.11), and those are closed to a user namespace.
    let own_notes = match kernel::set_trusted_attribute(c"/..") {
        Err(Errno::EPERM) => true,
        Err(Errno::EOPNOTSUPP) => false, // without CONFIG_TMPFS_XATTR
        other => other.map(|()| false)?,
    };
    let lower = kernel::open(c".", libc::O_PATH)?;
    Ok(Layers { lower, memory, count: 0, own_notes })
}

/// Covers what is mounted below ROOTFS, now that there is a /proc. What
/// thimble's own mounts are going to cover needs nothing.
pub fn over_rest(config: &Config, root: Fd, proc: Fd, layers: &mut Layers, report: &mut Report) {
    let listed = mounts::each_below(layers.lower, proc, &mut |lower, path| {
        for place in OWN {
            let rest = path.to_bytes().strip_prefix(place.to_bytes());
            if let Some([] | [b'/', ..]) = rest {
                return Ok(());
            }
            if config.bare {
                break;
            }
        }
        if !kernel::is_on(lower, NAMESPACES)? && !kernel::is_on(lower, libc::PROC_SUPER_MAGIC)? {
            let covered = layers.cover(root, proc, lower, path.to_bytes());
            report.step_on(Step::Overlay, path, covered);
        }
        Ok(())
    });
    report.step_on(Step::ListMounts, config.root, listed);
}

impl Layers {
    /// What lies lowest on top of the host's root: the memory, or the mapped tree below it.
    pub fn first(&self, mapped: bool) -> Fd {
        if mapped { self.lower } else { self.memory }
    }

    /// Mounts an overlay with a part of the memory that is its own: `mount` is given its options.
    /// The names are those of `lower` and of the memory.
    fn mount(
        &mut self,
        lower: Fd,
        name: &CStr,
        memory: &CStr,
        mount: &dyn Fn(&CStr) -> kernel::Result<()>,
    ) -> kernel::Result<()> {
        let (upper, work) = (Numbered::of(b"u", self.count), Numbered::of(b"w", self.count));
        let (upper, work) = (upper.as_c_str(), work.as_c_str());
        self.count += 1;
        // The root of an overlay is as its upper layer is.
        kernel::make_directory_like(lower, self.memory, upper)?;
        kernel::make_directory(self.memory, work)?;
        let mut data = Text::new();
        for byte in b"lowerdir=\0,upperdir=\x01/\x02,workdir=\x01/\x03" {
            let part = match byte {
                0 => name,
                1 => memory,
                2 => upper,
                3 => work,
                other => {
                    data.push_byte(*other);
                    continue;
                }
            };
            data.push(part.to_bytes());
        }
        if self.own_notes {
            data.push(b",userxattr");
        }
        mount(data.name())
    }

    /// Covers one mount, or shows it read-only.
    fn cover(&mut self, root: Fd, proc: Fd, lower: Fd, path: &[u8]) -> kernel::Result<()> {
        if kernel::file_type(lower)? == libc::S_IFDIR {
            // On top of `/` lies the container's root, and in it that /proc.
            let link = |fd: Fd| Numbered::of(b"/../proc/self/fd/", fd.number() as u32);
            let (name, memory) = (link(lower), link(self.memory));
            let find = || places::find(root, path, None);
            let target = find()?;
            let mount = |data: &CStr| {
                mounts::mount_where(target, &find, c"overlay", 0, data, OVERLAY).map(kernel::close)
            };
            let covered = self.mount(lower, name.as_c_str(), memory.as_c_str(), &mount);
            kernel::close(target);
            // What there is no overlay for is refused with this errno.
            if covered != Err(Errno::EINVAL) {
                return covered;
            }
        }
        mounts::bind_at(root, proc, lower, path, false, libc::MS_RDONLY)
    }
}

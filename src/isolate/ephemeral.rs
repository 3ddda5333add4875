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

use core::cell::Cell;
use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::mounts::{self, INERT};
use crate::isolate::places;
use crate::kernel::{self, Errno, Fd};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Numbered, Text};

/// `OVERLAYFS_SUPER_MAGIC` and `NSFS_MAGIC` (linux/magic.h).
const OVERLAY: u64 = 0x794c_7630;
const NAMESPACES: u64 = 0x6e73_6673;

/// What all overlays have in common.
pub struct Layers {
    /// ROOTFS itself.
    lower: Fd,
    /// The tmpfs.
    memory: Fd,
    /// So many overlays have a part of it.
    count: Cell<u32>,
    /// An option that a user namespace needs.
    notes: &'static [u8],
}

/// Mounts the overlay of the current directory over `/`.
pub fn over_root(config: &Config, report: &mut Report) -> Layers {
    let layers = kernel::mount(c"tmpfs", c"/", INERT, c"mode=700").and_then(|()| {
        let memory = kernel::open(c"/..", libc::O_PATH)?;
        // An overlay keeps notes in attributes, which are trusted.* unless told otherwise (since
        // Linux 5.11), and those are closed to a user namespace.
        let notes: &[u8] = match kernel::set_trusted_attribute(c"/..") {
            Err(Errno::EPERM) => b",userxattr",
            Err(Errno::EOPNOTSUPP) => b"", // without CONFIG_TMPFS_XATTR
            other => other.map(|()| b"")?,
        };
        let lower = kernel::open(c".", libc::O_PATH)?;
        Ok(Layers { lower, memory, count: Cell::new(0), notes })
    });
    let layers = report.step(Step::MountMemory, layers);
    let mounted = layers.mount(layers.lower, c".", c"/..", c"/").and_then(|mounted| mounted);
    report.step_on(Step::Overlay, config.root, mounted);
    layers
}

/// Covers what is mounted below ROOTFS, now that there is a /proc. What
/// thimble's own mounts are going to cover needs nothing.
pub fn over_rest(config: &Config, root: Fd, proc: Fd, layers: &Layers, report: &mut Report) {
    let own: &[&[u8]] = if config.bare { &[b"/proc"] } else { &[b"/proc", b"/sys", b"/dev"] };
    let listed = mounts::each_below(layers.lower, proc, &mut |lower, path| {
        let below = |place: &&[u8]| {
            let rest = path.to_bytes().strip_prefix(*place);
            rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
        };
        let kind = kernel::file_system(lower)?;
        if !own.iter().any(below) && kind != NAMESPACES && kind != libc::PROC_SUPER_MAGIC as u64 {
            let covered = layers.cover(root, proc, lower, path.to_bytes());
            report.step_on(Step::Overlay, path, covered);
        }
        Ok(())
    });
    report.step_on(Step::ListMounts, config.root, listed);
}

impl Layers {
    /// Mounts an overlay with a part of the memory that is its own. The names
    /// are those of `lower` and of the memory. The inner answer is mount(2)'s.
    fn mount(
        &self,
        lower: Fd,
        name: &CStr,
        memory: &CStr,
        target: &CStr,
    ) -> kernel::Result<kernel::Result<()>> {
        let number = self.count.replace(self.count.get() + 1);
        let (upper, work) = (Numbered::of(b"u", number), Numbered::of(b"w", number));
        // The root of an overlay is as its upper layer is.
        kernel::make_directory_like(lower, self.memory, upper.as_c_str())?;
        kernel::make_directory(self.memory, work.as_c_str())?;
        let mut data = Text::new();
        for (option, place, slash, entry) in [
            (&b"lowerdir="[..], name, &b""[..], c""),
            (b",upperdir=", memory, b"/", upper.as_c_str()),
            (b",workdir=", memory, b"/", work.as_c_str()),
            (self.notes, c"", b"", c""),
        ] {
            for part in [option, place.to_bytes(), slash, entry.to_bytes()] {
                data.push(part);
            }
        }
        Ok(kernel::mount(c"overlay", target, 0, data.as_c_str().unwrap_or(c"")))
    }

    /// Covers one mount, or shows it read-only.
    fn cover(&self, root: Fd, proc: Fd, lower: Fd, path: &[u8]) -> kernel::Result<()> {
        if kernel::file_type(lower)? == libc::S_IFDIR {
            let target = places::find(root, path, None)?;
            kernel::change_directory_to(proc)?;
            let names = [lower, self.memory, target].map(mounts::link);
            let [name, memory, over] = names.each_ref().map(Numbered::as_c_str);
            let mounted = self.mount(lower, name, memory, over)?;
            // What there is no overlay for is refused with this errno.
            if mounted != Err(Errno::EINVAL) {
                mounted?;
                let found = places::find(root, path, None)?;
                let right = kernel::file_system(found)? == OVERLAY
                    && kernel::identity(found)?.device != kernel::identity(target)?.device;
                [found, target].into_iter().for_each(kernel::close);
                return if right { Ok(()) } else { Err(Errno::ESTALE) };
            }
            kernel::close(target);
        }
        mounts::bind_at(root, proc, lower, path, false, libc::MS_RDONLY)
    }
}

//! What the caller mounts into the container: volumes and temporary file
//! systems, in the order of the command line.
//!
//! The image may have put links where they are to go. Targets are found as if
//! the new root were `/`, so an ordinary link leads nowhere else, and magic links
//! of a mounted /proc, which would, are not followed: openat2(2) with
//! RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS. From there on everything goes by
//! descriptor, so that nobody who shares ROOTFS can put another directory in
//! its place.

use core::ffi::CStr;

use crate::config::{Config, Mount};
use crate::isolate::mounts::{self, INERT};
use crate::kernel::{self, Errno, Fd, left_out};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Fields, Parts, Text};

/// Mounts all of them. The current directory is the new root, and is so again.
pub fn mount_all(config: &Config, root: Fd, report: &mut Report) {
    for asked in config.mounts.as_slice() {
        let (word, mounted) = match *asked {
            Mount::Volume(word) => (word, volume(root, word)),
            Mount::Tmpfs(word) => (word, tmpfs(root, word)),
        };
        report.step_on(Step::MountVolume, word, mounted);
    }
}

/// `SRC:DST[:ro|rw]`. The source is still found from the host's root; the mount
/// that is made of it, with all below it, is nowhere until it is moved.
fn volume(root: Fd, word: &CStr) -> kernel::Result<()> {
    let fields = Fields::of(word);
    let source = fields.c_str(0).ok_or(Errno::ENAMETOOLONG)?;
    let tree = kernel::open_tree(source)?;
    let read_only = if fields.bytes(2) == b"ro" { libc::MOUNT_ATTR_RDONLY } else { 0 };
    kernel::change_attributes(tree, mounts::foreign() | read_only, 0, true)?;
    let is_directory = kernel::file_type(tree)? == libc::S_IFDIR;
    let target = target(root, fields.bytes(1), is_directory)?;
    kernel::move_mount(tree, target, c"")?;
    check(root, fields.bytes(1), tree)
}

/// `DST[:OPTIONS]`.
fn tmpfs(root: Fd, word: &CStr) -> kernel::Result<()> {
    let fields = Fields::of(word);
    let (flags, data) = options(fields.bytes(1));
    let data = data.as_c_str().ok_or(Errno::EINVAL)?;
    let find = || target(root, fields.bytes(0), true);
    let mounted = mounts::mount_where(&find, c"tmpfs", flags, data, libc::TMPFS_MAGIC)?;
    kernel::close(mounted);
    kernel::change_directory_to(root)
}

/// The flags and the file system's own options that the caller's options mean.
fn options(asked: &[u8]) -> (u64, Text) {
    let mut flags = INERT;
    let mut data = Text::of(&[b"mode=1777"]);
    for option in Parts::of(asked, b',') {
        match option {
            b"ro" => flags |= libc::MS_RDONLY,
            b"exec" => flags &= !libc::MS_NOEXEC,
            b"" | b"rw" | b"noexec" | b"nosuid" | b"nodev" => {}
            own => {
                data.push(b",");
                data.push(own);
            }
        }
    }
    (flags, data)
}

/// Finds a path of the new root.
fn find(root: Fd, path: &[u8], flags: i32) -> kernel::Result<Fd> {
    let path = Text::of(&[path]);
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    kernel::open_in_root(root, path, libc::O_PATH | flags)
}

/// Finds a mount point, and makes it where it is missing: the directories on
/// the way, and at the end a directory or an empty file. Nothing is mounted
/// below /proc, which the container's isolation rests on.
fn target(root: Fd, path: &[u8], directory: bool) -> kernel::Result<Fd> {
    let mut place = root;
    let mut done = 0;
    for part in Parts::of(path, b'/') {
        let end = done + part.len();
        let last = end == path.len();
        if !part.is_empty() {
            let way = path.get(..end).unwrap_or(path);
            let flags = if last { 0 } else { libc::O_DIRECTORY };
            place = match find(root, way, flags) {
                Err(Errno::ENOENT) => {
                    let name = Text::of(&[part]);
                    let name = name.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
                    if directory || !last {
                        kernel::make_directory(place, name)?;
                    } else {
                        kernel::make_file(place, name, 0o644)?;
                    }
                    find(root, way, flags)?
                }
                found => found?,
            };
        }
        done = end + 1;
    }
    let right = kernel::file_system(place)? != libc::PROC_SUPER_MAGIC as u64;
    let right = right || left_out(c"not below /proc");
    if right && place.number() != root.number() { Ok(place) } else { Err(Errno::EPERM) }
}

/// Whether a path leads to what was mounted there.
fn check(root: Fd, path: &[u8], mounted: Fd) -> kernel::Result<()> {
    let found = find(root, path, 0)?;
    let right = kernel::identity(found)? == kernel::identity(mounted)?;
    kernel::close(found);
    kernel::close(mounted);
    if right || left_out(c"check of mounts") { Ok(()) } else { Err(Errno::ESTALE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_tmpfs() {
        for (asked, flags, data) in [
            ("", INERT, "mode=1777"),
            ("size=1m,mode=755", INERT, "mode=1777,size=1m,mode=755"),
            ("ro,exec", INERT & !libc::MS_NOEXEC | libc::MS_RDONLY, "mode=1777"),
            ("rw,nodev,size=50%", INERT, "mode=1777,size=50%"),
        ] {
            let (got, text) = options(asked.as_bytes());
            assert_eq!((got, text.as_bytes()), (flags, data.as_bytes()), "{asked}");
        }
    }
}

//! What the caller mounts into the container: volumes, temporary file systems
//! and devices, in the order of the command line. `places` says how a target is
//! found; from there on everything goes by descriptor, so that nobody who shares
//! ROOTFS can put another directory in its place.

use core::ffi::CStr;

use crate::config::{Config, Mount};
use crate::isolate::mounts::{self, INERT};
use crate::isolate::places;
use crate::kernel::{self, Errno, Fd};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Parts, Text, field};

/// Host side, before anything is made: whether all sources are there, and the
/// devices are such.
pub fn look_up(config: &Config, report: &mut Report) {
    for asked in config.mounts.as_slice() {
        let (step, word, device) = match *asked {
            Mount::Volume(word) => (Step::MountVolume, word, false),
            Mount::Device(word) => (Step::AddDevice, word, true),
            Mount::Tmpfs(_) => continue,
        };
        let found = source(word, device).map(kernel::close);
        if found.is_err() {
            report.step_on(step, word, found);
        }
    }
}

/// Mounts all of them. The current directory is the new root, and is so again.
pub fn mount_all(config: &Config, root: Fd, proc: Fd, report: &mut Report) {
    for asked in config.mounts.as_slice() {
        let (step, word, mounted) = match *asked {
            Mount::Volume(word) => (Step::MountVolume, word, bind(root, proc, word, false)),
            Mount::Device(word) => (Step::AddDevice, word, bind(root, proc, word, true)),
            Mount::Tmpfs(word) => (Step::MountVolume, word, tmpfs(root, word)),
        };
        report.step_on(step, word, mounted);
        report.step(Step::GoTo, kernel::change_directory_to(root));
    }
}

/// The source, found from the host's root.
fn source(word: &CStr, device: bool) -> kernel::Result<Fd> {
    let mut path = Text::new();
    path.push_field(field(word, 0));
    let source = kernel::open(path.as_c_str().ok_or(Errno::ENAMETOOLONG)?, libc::O_PATH)?;
    if device {
        let kind = kernel::file_type(source)?;
        if !matches!(kind, libc::S_IFCHR | libc::S_IFBLK) {
            return Err(Errno::ENODEV);
        }
        // Its mount would have the flag too, and the device be without effect.
        if kernel::mount_flags(source)? & libc::MS_NODEV != 0 {
            return Err(Errno::EACCES);
        }
    }
    Ok(source)
}

/// `SRC:DST[:ro|rw]`, with all that is mounted below; or the device
/// `SRC[:DST]`, by itself.
fn bind(root: Fd, proc: Fd, word: &CStr, device: bool) -> kernel::Result<()> {
    let source = source(word, device)?;
    let flags = match field(word, 2) {
        _ if device => libc::MS_NOSUID | libc::MS_NOEXEC,
        Some(b"ro") => mounts::foreign() | libc::MS_RDONLY,
        _ => mounts::foreign(),
    };
    let mut path = Text::new();
    path.push_field(field(word, 1).or_else(|| field(word, 0)));
    mounts::bind_at(root, proc, source, path.as_bytes(), true, flags)
}

/// `DST[:OPTIONS]`.
fn tmpfs(root: Fd, word: &CStr) -> kernel::Result<()> {
    let (mut path, mut asked) = (Text::new(), Text::new());
    path.push_field(field(word, 0));
    asked.push_field(field(word, 1));
    let (flags, data) = options(asked.as_bytes());
    let data = data.as_c_str().ok_or(Errno::EINVAL)?;
    let find = || places::target(root, path.as_bytes(), Some(libc::S_IFDIR));
    mounts::mount_where(&find, c"tmpfs", flags, data, libc::TMPFS_MAGIC).map(kernel::close)
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

//! What the caller mounts into the container: volumes, temporary file systems
//! and devices, in the order of the command line. `places` says how a target is
//! found; from there on everything goes by descriptor, so that nobody who shares
//! ROOTFS can put another directory in its place.

use core::ffi::CStr;

use crate::config::{Config, Mount};
use crate::isolate::mounts::{self, INERT};
use crate::isolate::places;
use crate::kernel::{self, Errno, Fd, MountFlags};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{PackedList, Parts, Text, field, pack_list, place_in};

/// Host side, before anything is made: whether all sources are there, and the
/// devices are such.
pub fn look_up(config: &Config, report: &mut Report) {
    each(config, None, report);
}

/// Mounts all of them. The current directory is the new root, and is so again. What lies lowest
/// on top of the host's root is `first`: it would come along with a volume of `/`, and cover that.
pub fn mount_all(config: &Config, root: Fd, first: Fd, proc: Fd, report: &mut Report) {
    if !config.mounts.as_slice().is_empty() {
        set_bindable(first, false, report);
        each(config, Some((root, proc)), report);
        set_bindable(root, true, report);
    }
}

#[inline(never)]
fn set_bindable(mount: Fd, bindable: bool, report: &mut Report) {
    mounts::go_to(mount, report);
    report.step(Step::BindRoot, kernel::set_bindable(bindable));
}

/// What both have in common; `inside` are the new root and its /proc.
#[inline(never)]
fn each(config: &Config, inside: Option<(Fd, Fd)>, report: &mut Report) {
    for asked in config.mounts.as_slice() {
        let (step, word) = match *asked {
            Mount::Volume(word) | Mount::Tmpfs(word) => (Step::MountVolume, word),
            Mount::Device(word) => (Step::AddDevice, word),
        };
        let device = step == Step::AddDevice;
        let done = match (asked, inside) {
            (Mount::Tmpfs(_), None) => Ok(()),
            (_, None) => source(word, device).map(kernel::close),
            (Mount::Tmpfs(_), Some((root, _))) => tmpfs(root, word),
            (_, Some((root, proc))) => bind(root, proc, word, device),
        };
        // A source that is there is told of once it is mounted.
        if inside.is_some() || done.is_err() {
            report.step_on(step, word, done);
        }
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
    let (mut path, mut data) = (Text::new(), Text::of(&[b"mode=1777"]));
    path.push_field(field(word, 0));
    let flags = options(field(word, 1), &mut data);
    let data = data.as_c_str().ok_or(Errno::EINVAL)?;
    let find = || places::target(root, path.as_bytes(), Some(libc::S_IFDIR));
    mounts::mount_where(find()?, &find, c"tmpfs", flags, data, libc::TMPFS_MAGIC).map(kernel::close)
}

/// The flags that the caller's options mean; those of the file system itself are
/// added to `data`.
fn options(asked: Option<&[u8]>, data: &mut Text) -> MountFlags {
    const FLAGS: PackedList = pack_list!("ro\0exec\0rw\0noexec\0nosuid\0nodev\0");
    let mut flags = INERT;
    for option in Parts::of(asked.unwrap_or(&[]), b',') {
        match place_in(FLAGS, option) {
            Some(0) => flags |= libc::MS_RDONLY,
            Some(1) => flags &= !libc::MS_NOEXEC,
            None if !option.is_empty() => {
                data.push(b",");
                data.push_field(Some(option));
            }
            _ => {} // as it is without
        }
    }
    flags
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
            let mut text = Text::of(&[b"mode=1777"]);
            let got = options(Some(asked.as_bytes()), &mut text);
            assert_eq!((got, text.as_bytes()), (flags, data.as_bytes()), "{asked}");
        }
    }
}

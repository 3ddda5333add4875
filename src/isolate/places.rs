//! Places of the new root, found and made without ever leaving it.
//!
//! The image may have put links anywhere, and somebody who shares ROOTFS may
//! put one there at this moment. So a path is walked here, component by
//! component, and each is opened as what it is (O_PATH with O_NOFOLLOW): a
//! link is read and its text walked from the root or from where it lies, and
//! `..` only takes a component off the path again, down to the root and no
//! further. No component is ever left to the kernel to follow. That takes no
//! call that an old kernel would lack (openat2(2) is of Linux 5.6).

use crate::kernel::{self, Errno, Fd, left_out};
use crate::text::Text;

/// Each component is opened as what it is.
fn itself() -> i32 {
    if left_out(c"in the root") { libc::O_PATH } else { libc::O_PATH | libc::O_NOFOLLOW }
}

/// So many links may be on the way, as with the kernel (MAXSYMLINKS).
const MOST_LINKS: u32 = 40;

/// A path on its way to be walked.
struct Way {
    path: Text,
    /// So many bytes at the end are the caller's own, and not a link's.
    own: usize,
}

impl Way {
    /// Puts another path in place of what lies before `rest`: `start` of the
    /// old one, and `middle`.
    fn replace(&mut self, start: usize, middle: &[u8], rest: usize) {
        let old = self.path.as_bytes();
        let behind = part(old, rest, old.len());
        self.own = self.own.min(behind.len());
        self.path = Text::of(&[part(old, 0, start), middle, b"/", behind]);
    }

    /// Puts what a link says in place of what lies before `rest`, or where it is an
    /// absolute path, of all before. A magic link leads to wherever it likes.
    #[inline(never)]
    fn follow(&mut self, link: Fd, start: usize, rest: usize) -> kernel::Result<()> {
        if kernel::is_on(link, libc::PROC_SUPER_MAGIC)? {
            return Err(Errno::ELOOP);
        }
        let mut buffer = [0; 1024];
        let target = kernel::read_link(link, &mut buffer)?;
        self.replace(if target.starts_with(b"/") { 0 } else { start }, target, rest);
        kernel::close(link);
        Ok(())
    }
}

#[inline(never)]
fn part(path: &[u8], start: usize, end: usize) -> &[u8] {
    path.get(start..end).unwrap_or(&[])
}

/// Finds a path of the root. With `make`, what is missing at the end of it is
/// made: directories on the way, and at the end what `make` says, S_IFDIR or
/// S_IFREG. What a link names is never made.
pub fn find(root: Fd, path: &[u8], make: Option<u32>) -> kernel::Result<Fd> {
    let mut way = Way { path: Text::of(&[path]), own: path.len() };
    let mut links = 0;
    let (mut place, mut done) = (root, 0);
    loop {
        let whole = way.path.as_c_str().ok_or(Errno::ENAMETOOLONG)?.to_bytes();
        let mut start = past(whole, done, true);
        let end = past(whole, start, false);
        let name = part(whole, start, end);
        if name.is_empty() {
            return Ok(place);
        } else if name == b".." {
            // The component before is no link, or was none a moment ago, and no `.`.
            start = done;
            while start > 0 && whole.get(start - 1) != Some(&b'/') {
                start -= 1;
            }
            way.replace(start, b"", end);
        } else if name == b"." {
            way.replace(start, b"", end);
        } else {
            let mut made = make.filter(|_| whole.len() - start <= way.own);
            if made.is_some() && past(whole, end, true) < whole.len() {
                made = Some(libc::S_IFDIR);
            }
            let next = step(place, name, made)?;
            if kernel::file_type(next)? != libc::S_IFLNK {
                leave(root, place);
                (place, done) = (next, end);
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::ELOOP);
            }
            way.follow(next, start, end)?;
        }
        leave(root, place);
        (place, done) = (root, 0);
    }
}

/// Where in a path, from here on, the slashes end, or what is none ends.
#[inline(never)]
fn past(path: &[u8], mut at: usize, slashes: bool) -> usize {
    while let Some(byte) = path.get(at)
        && (*byte == b'/') == slashes
    {
        at += 1;
    }
    at
}

/// Opens one component, and makes it first if it is missing and `make` says what.
#[inline(never)]
fn step(place: Fd, name: &[u8], make: Option<u32>) -> kernel::Result<Fd> {
    let name = Text::of(&[name]);
    let name = name.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    match (kernel::open_at(place, name, itself()), make) {
        (Err(Errno::ENOENT), Some(kind)) => {
            if kind == libc::S_IFDIR {
                kernel::make_directory(place, name)?;
            } else {
                kernel::make_file(place, name, 0o644)?;
            }
            kernel::open_at(place, name, itself())
        }
        (found, _) => found,
    }
}

fn leave(root: Fd, place: Fd) {
    if place.number() != root.number() {
        kernel::close(place);
    }
}

/// Finds a mount point, and with `make` makes it where it is missing. Nothing is mounted
/// below /proc, which the container's isolation rests on, nor on the root.
pub fn target(root: Fd, path: &[u8], make: Option<u32>) -> kernel::Result<Fd> {
    let place = find(root, path, make)?;
    let right = !kernel::is_on(place, libc::PROC_SUPER_MAGIC)? || left_out(c"not below /proc");
    if right && place.number() != root.number() { Ok(place) } else { Err(Errno::EPERM) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    fn open(path: &Path) -> Fd {
        let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        kernel::open(&path, libc::O_PATH).unwrap()
    }

    #[test]
    fn a_walk_ends_where_chroot_would_and_never_outside() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        let root = place.path().join("root");
        fs::create_dir_all(outside.join("deep")).unwrap();
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::write(root.join("a/file"), "").unwrap();
        let out = format!("{}/deep", outside.display());
        for (link, to) in [
            ("a/up", ".."),
            ("a/b/far", "../../../../../../a/b"),
            ("whole", "/a/b"),
            ("climb", "a/b/../../a/./b//c/.."),
            ("chain", "whole/far/c"),
            ("loop", "loop"),
            ("out", &out),
            ("out2", "../outside"),
            ("dangling", "/a/nothing"),
            ("a/link-then-up", "../whole/.."),
            ("cwd", "/a/b/c"),
        ] {
            symlink(to, root.join(link)).unwrap();
        }
        let fd = open(&root);
        for (path, want) in [
            ("/", Ok("")),
            ("", Ok("")),
            ("/..", Ok("")),
            ("/../../a", Ok("a")),
            ("/a/b/c", Ok("a/b/c")),
            ("//a//b///c//", Ok("a/b/c")),
            ("/a/up", Ok("")),
            ("/a/up/a/file", Ok("a/file")),
            ("/a/b/far/c", Ok("a/b/c")),
            ("/whole", Ok("a/b")),
            ("/climb", Ok("a/b")),
            ("/chain", Ok("a/b/c")),
            ("/a/link-then-up", Ok("a")), // as the kernel has it, and not by the look of the path
            ("/cwd/../../file", Ok("a/file")),
            ("/loop", Err(Errno::ELOOP)),
            ("/out", Err(Errno::ENOENT)),
            ("/out2", Err(Errno::ENOENT)),
            ("/dangling", Err(Errno::ENOENT)),
            ("/a/file/x", Err(Errno::ENOTDIR)),
            ("/nothing", Err(Errno::ENOENT)),
        ] {
            let found =
                find(fd, path.as_bytes(), None).map(|found| kernel::identity(found).unwrap().inode);
            let want = want.map(|want| fs::metadata(root.join(want)).unwrap().ino());
            assert_eq!(found, want, "{path}");
        }
        // What is missing is made, but not by a link.
        for (path, kind, made) in [
            ("/new/er/est", libc::S_IFDIR, Some("new/er/est")),
            ("/new/file", libc::S_IFREG, Some("new/file")),
            ("/whole/made", libc::S_IFDIR, Some("a/b/made")),
            ("/dangling", libc::S_IFDIR, None),
            ("/dangling/x", libc::S_IFDIR, None),
            ("/out/x", libc::S_IFDIR, None),
            ("/out2/x", libc::S_IFREG, None),
        ] {
            let found =
                find(fd, path.as_bytes(), Some(kind)).map(|fd| kernel::identity(fd).unwrap().inode);
            assert_eq!(found.is_ok(), made.is_some(), "{path}");
            if let Some(made) = made {
                let metadata = fs::symlink_metadata(root.join(made)).unwrap();
                assert_eq!((found, metadata.is_dir()), (Ok(metadata.ino()), kind == libc::S_IFDIR));
            }
        }
        assert!(!root.join("a/nothing").exists());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(fs::read_dir(outside.join("deep")).unwrap().count(), 0);
    }

    #[test]
    fn no_link_of_proc_is_followed() {
        let root = open(Path::new("/"));
        for path in ["/proc/self", "/proc/self/cwd/x", "/proc/1/root/etc", "/dev/fd/0"] {
            assert_eq!(find(root, path.as_bytes(), None).map(drop), Err(Errno::ELOOP), "{path}");
        }
    }
}

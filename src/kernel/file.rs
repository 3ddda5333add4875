//! Files, directories and descriptors.

use core::ffi::{CStr, c_int, c_long};
use core::mem::MaybeUninit;
use core::ptr::null;

use syscalls::Sysno;

use super::{Errno, List, MountFlags, Result, arch, call, perform};

/// An open descriptor. thimble opens every one with O_CLOEXEC, closes by hand
/// those whose being open means something to somebody, and leaves the rest to
/// the end of a process that is soon to come: the container side closes all
/// before there is a program.
#[derive(Clone, Copy, Debug)]
pub struct Fd(c_int);

/// A process's current directory, as the `*at` calls name it.
pub const CURRENT: Fd = Fd(libc::AT_FDCWD);

/// The caller's standard input.
pub const STDIN: Fd = Fd(0);

/// The caller's standard output.
pub const STDOUT: Fd = Fd(1);

/// The caller's standard error.
pub const STDERR: Fd = Fd(2);

impl Fd {
    /// The descriptor of this number, which somebody opened.
    pub fn new(number: usize) -> Fd {
        Fd(number as c_int)
    }

    /// The number of the descriptor.
    pub fn number(&self) -> c_int {
        self.0
    }
}

/// close(2). Linux releases the number whatever the answer, so there is none.
#[inline(never)]
pub fn close(fd: Fd) {
    // SAFETY: no memory is passed; callers do not use the descriptor again.
    let _ = unsafe { perform!(Sysno::close, fd.0) };
}

/// openat(2) with O_CLOEXEC, for reading or as `flags` say; a new file has the mode 0644 less
/// the umask.
#[inline(never)]
pub fn open_at(directory: Fd, path: &CStr, flags: c_int) -> Result<Fd> {
    let flags = flags | libc::O_CLOEXEC | libc::O_LARGEFILE;
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { call!(Sysno::openat, directory.0, path.as_ptr(), flags, 0o644) }.map(Fd::new)
}

/// open(2) with O_CLOEXEC, for reading or as `flags` say.
#[inline(never)]
pub fn open(path: &CStr, flags: c_int) -> Result<Fd> {
    open_at(CURRENT, path, flags)
}

/// readlinkat(2) of the link that a descriptor of O_PATH and O_NOFOLLOW is.
pub fn read_link(link: Fd, buffer: &mut [u8]) -> Result<&[u8]> {
    let (start, size) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: the path is NUL-terminated and only read, the buffer is writable for its length.
    let length = unsafe { call!(Sysno::readlinkat, link.0, c"".as_ptr(), start, size) }?;
    // What fills the buffer may have been cut off.
    if length < size { Ok(buffer.get(..length).unwrap_or(&[])) } else { Err(Errno::ENAMETOOLONG) }
}

/// Opens a device for reading and writing, at the lowest free number and to
/// pass through execve(2).
#[inline(never)]
pub fn open_standard(device: &CStr) -> Result<()> {
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { call!(Sysno::openat, CURRENT.0, device.as_ptr(), flags, 0) }.map(drop)
}

/// Whether a descriptor is open for reading only (fcntl(2), F_GETFL).
pub fn is_read_only(fd: Fd) -> Result<bool> {
    // SAFETY: no memory is passed.
    let flags = unsafe { call!(Sysno::fcntl, fd.0, libc::F_GETFL) }?;
    Ok(flags as c_int & libc::O_ACCMODE == libc::O_RDONLY)
}

/// Puts another open file in the place of a descriptor too (dup3(2)), to pass
/// through execve(2).
#[inline(never)]
pub fn duplicate(fd: Fd, other: Fd) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { call!(Sysno::dup3, other.0, fd.0, 0) }.map(drop)
}

/// The same for a file that is then no longer open elsewhere.
pub fn replace(fd: Fd, other: Fd) -> Result<()> {
    duplicate(fd, other)?;
    close(other);
    Ok(())
}

/// pipe2(2) with O_CLOEXEC: the end to read from, and the one to write to.
pub fn pipe() -> Result<(Fd, Fd)> {
    let mut pair: [c_int; 2] = [-1; 2];
    // SAFETY: the kernel writes two descriptors into the array.
    unsafe { perform!(Sysno::pipe2, pair.as_mut_ptr(), libc::O_CLOEXEC) }?;
    let [from, to] = pair;
    Ok((Fd(from), Fd(to)))
}

/// read(2): the part of `buffer` that was filled; empty at the end of the file.
pub fn read(fd: Fd, buffer: &mut [u8]) -> Result<&[u8]> {
    // SAFETY: the buffer is writable for its length.
    let length = unsafe { call!(Sysno::read, fd.0, buffer.as_mut_ptr(), buffer.len()) }?;
    Ok(buffer.get(..length).unwrap_or(&[]))
}

/// The start of a file of the kernel's, by one read(2): as much of it as `buffer` holds.
pub fn read_start<'a>(directory: Fd, path: &CStr, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    let file = open_at(directory, path, libc::O_RDONLY)?;
    let start = read(file, buffer);
    close(file);
    start
}

/// What is waited for with `wait_until_ready`: that a descriptor can be read (POLLIN) or
/// written (POLLOUT) without waiting, or with nothing of that, only that it is hung up.
pub const fn ready(fd: Fd, events: i16) -> libc::pollfd {
    libc::pollfd { fd: fd.0, events, revents: 0 }
}

/// ppoll(2), without a time limit: waits until one of them is ready.
pub fn wait_until_ready(waits: &mut [libc::pollfd]) -> Result<()> {
    let none = null::<u8>();
    // SAFETY: the kernel reads and writes as many as the length says; neither a time nor a set of
    // signals is given.
    unsafe { call!(Sysno::ppoll, waits.as_mut_ptr(), waits.len(), none, none, 0) }.map(drop)
}

/// Whether nobody has the other end of a descriptor any more: ppoll(2), without waiting.
pub fn is_hung_up(fd: Fd) -> bool {
    let mut wait = ready(fd, 0);
    let (now, none) = ([0usize; 2], null::<u8>());
    // SAFETY: the kernel reads the time, and reads and writes one structure.
    let found = unsafe { call!(Sysno::ppoll, &raw mut wait, 1, &raw const now, none, 0) };
    found == Ok(1)
}

/// write(2) of all bytes, in as many calls as it takes, also where somebody has made the
/// file one that does not wait (O_NONBLOCK).
pub fn write_all(fd: Fd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the bytes are readable for their length.
        match unsafe { call!(Sysno::write, fd.0, bytes.as_ptr(), bytes.len()) } {
            Ok(length) => bytes = bytes.get(length..).ok_or(Errno::EIO)?,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait_until_ready(&mut [ready(fd, libc::POLLOUT)])?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Opens a file that exists, writes `text` to it by one write(2), and closes
/// it: the way in which the kernel takes a value in proc, sysfs and cgroups.
pub fn write_file(directory: Fd, path: &CStr, text: &[u8]) -> Result<()> {
    let file = open_at(directory, path, libc::O_WRONLY)?;
    // SAFETY: the text is readable for its length.
    let written = unsafe { call!(Sysno::write, file.0, text.as_ptr(), text.len()) };
    close(file);
    if written? == text.len() { Ok(()) } else { Err(Errno::EIO) }
}

/// mkdirat(2), mode 0755 less the umask.
#[inline(never)]
pub fn make_directory(directory: Fd, path: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::mkdirat, directory.0, path.as_ptr(), 0o755) }
}

/// mkdirat(2) with the owner and the mode of another directory. An owner whom
/// this user namespace does not know (EINVAL) stays behind.
pub fn make_directory_like(other: Fd, directory: Fd, path: &CStr) -> Result<()> {
    let like = status(other)?;
    make_directory(directory, path)?;
    let (path, mode) = (path.as_ptr(), like.st_mode & 0o7777);
    // SAFETY: the path is NUL-terminated and only read.
    let owned = unsafe {
        perform!(
            Sysno::fchownat,
            directory.0,
            path,
            like.st_uid,
            like.st_gid,
            libc::AT_SYMLINK_NOFOLLOW
        )
    };
    if owned != Err(Errno::EINVAL) {
        owned?;
    }
    // SAFETY: likewise.
    unsafe { perform!(Sysno::fchmodat, directory.0, path, mode) }
}

/// setxattr(2) of an attribute that only root outside of any user namespace
/// may set: EPERM for others.
pub fn set_trusted_attribute(path: &CStr) -> Result<()> {
    let (path, name) = (path.as_ptr(), c"trusted.thimble".as_ptr());
    // SAFETY: both strings are NUL-terminated and only read; the value is empty.
    unsafe { perform!(Sysno::setxattr, path, name, c"".as_ptr(), 0, 0) }
}

/// mknodat(2) of a character device, mode 0666 less the umask.
pub fn make_device(path: &CStr, device: u64) -> Result<()> {
    let mode = libc::S_IFCHR | 0o666;
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::mknodat, CURRENT.0, path.as_ptr(), mode, device) }
}

/// mknodat(2) of an empty file, with this mode less the umask.
#[inline(never)]
pub fn make_file(directory: Fd, path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::mknodat, directory.0, path.as_ptr(), libc::S_IFREG | mode, 0) }
}

/// fchown(2) of the user alone.
pub fn give(fd: Fd, user: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::fchown, fd.0, user, u32::MAX) }
}

/// symlinkat(2)
pub fn make_link(target: &CStr, path: &CStr) -> Result<()> {
    // SAFETY: both paths are NUL-terminated and only read.
    unsafe { perform!(Sysno::symlinkat, target.as_ptr(), CURRENT.0, path.as_ptr()) }
}

/// unlinkat(2) of an empty directory.
#[inline(never)]
pub fn remove_directory(directory: Fd, path: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::unlinkat, directory.0, path.as_ptr(), libc::AT_REMOVEDIR) }
}

/// unlinkat(2) of a file.
pub fn remove_file(directory: Fd, path: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::unlinkat, directory.0, path.as_ptr(), 0) }
}

/// renameat2(2) of what is in one directory, in the place of what is there, be it a link.
pub fn rename(directory: Fd, from: &CStr, to: &CStr) -> Result<()> {
    let (from, to) = (from.as_ptr(), to.as_ptr());
    // SAFETY: both paths are NUL-terminated and only read.
    unsafe { perform!(Sysno::renameat2, directory.0, from, directory.0, to, 0) }
}

/// flock(2) with LOCK_NB, and LOCK_EX or LOCK_SH in the place of what is held: for as long as
/// the descriptor is open. EAGAIN where somebody else has the lock.
pub fn lock(fd: Fd, shared: bool) -> Result<()> {
    let kind = if shared { libc::LOCK_SH } else { libc::LOCK_EX };
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::flock, fd.0, kind | libc::LOCK_NB) }
}

/// getdents64(2): the part of `buffer` that was filled, for `Entries`; empty at the
/// end of the directory.
pub fn read_directory(fd: Fd, buffer: &mut [u8]) -> Result<&[u8]> {
    // SAFETY: the buffer is writable for its length.
    let length = unsafe { call!(Sysno::getdents64, fd.0, buffer.as_mut_ptr(), buffer.len()) }?;
    Ok(buffer.get(..length).unwrap_or(&[]))
}

/// lseek(2) to a position of a file or directory.
#[inline(never)]
pub fn seek(fd: Fd, position: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { call!(Sysno::lseek, fd.0, position, libc::SEEK_SET) }.map(drop)
}

/// The names in what `read_directory` gave: the kernel's `struct linux_dirent64`, of which
/// the length is a 16-bit number at byte 16 and the name begins at byte 19.
pub struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    /// Those of these entries.
    pub fn of(entries: &'a [u8]) -> Entries<'a> {
        Entries(entries)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a CStr;

    fn next(&mut self) -> Option<&'a CStr> {
        let [low, high] = *self.0.get(16..)?.first_chunk()?;
        let (entry, rest) = self.0.split_at_checked(u16::from_ne_bytes([low, high]).into())?;
        self.0 = rest;
        super::first_string(entry.get(19..)?)
    }
}

/// Which file it is: the file system's number and the inode's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// `st_dev`
    pub device: u64,
    /// `st_ino`
    pub inode: u64,
}

#[inline(always)]
fn status(fd: Fd) -> Result<arch::Status> {
    let mut status = MaybeUninit::<arch::Status>::uninit();
    // SAFETY: on success the kernel has filled the whole structure.
    unsafe {
        perform!(arch::FSTAT, fd.0, status.as_mut_ptr())?;
        Ok(status.assume_init())
    }
}

/// fstat(2), of which only the identity is kept.
#[inline(never)]
pub fn identity(fd: Fd) -> Result<Identity> {
    status(fd).map(|status| Identity { device: status.st_dev, inode: status.st_ino })
}

/// What two descriptors have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alike {
    /// They are of one file.
    File,
    /// Their files are on one file system.
    Device,
    /// Nothing of that.
    Nothing,
}

/// fstat(2) of both.
#[inline(never)]
pub fn compare(one: Fd, other: Fd) -> Result<Alike> {
    let (one, other) = (status(one)?, status(other)?);
    Ok(match (one.st_dev == other.st_dev, one.st_ino == other.st_ino) {
        (true, true) => Alike::File,
        (true, false) => Alike::Device,
        _ => Alike::Nothing,
    })
}

/// fstat(2), of which only the type is kept: one of the `S_IF*` of inode(7).
/// EBADF if the descriptor is closed.
#[inline(never)]
pub fn file_type(fd: Fd) -> Result<u32> {
    status(fd).map(|status| status.st_mode & libc::S_IFMT)
}

/// fstat(2): ESTALE if it is not the character device of this number.
pub fn check_device(fd: Fd, device: u64) -> Result<()> {
    let status = status(fd)?;
    let right = status.st_rdev == device && status.st_mode & libc::S_IFMT == libc::S_IFCHR;
    if right { Ok(()) } else { Err(Errno::ESTALE) }
}

/// The number of a type of file systems: one of the `*_SUPER_MAGIC` of statfs(2).
pub type Magic = c_long;

/// The number of the type of the file system that a descriptor lies on.
#[inline(never)]
fn file_system(fd: Fd) -> Result<u32> {
    arch::file_system_status(fd.0).map(|status| status.0 as u32)
}

/// Whether a descriptor lies on a file system of this type.
pub fn is_on(fd: Fd, magic: Magic) -> Result<bool> {
    file_system(fd).map(|found| found == magic as u32)
}

/// The flags of the mount that a descriptor lies on, as mount(2) takes them.
pub fn mount_flags(fd: Fd) -> Result<MountFlags> {
    /// The kernel's ST_RELATIME and ST_NOSYMFOLLOW have numbers of their own (linux/statfs.h);
    /// those of the others are mount(2)'s. ST_VALID, 0x20, says nothing.
    const SAME: MountFlags = INERT | libc::MS_RDONLY | libc::MS_NOATIME | libc::MS_NODIRATIME;
    const INERT: MountFlags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    const NOSYMFOLLOW: MountFlags = 256;
    let flags = arch::file_system_status(fd.0)?.1;
    let moved = |bit: MountFlags, to| if flags & bit == 0 { 0 } else { to };
    Ok(flags & SAME | moved(0x1000, libc::MS_RELATIME) | moved(0x2000, NOSYMFOLLOW))
}

/// Whether a path, followed to its end, names anything. Not a check of
/// permission: for messages only.
pub fn exists(path: &CStr) -> bool {
    open(path, libc::O_PATH).map(close).is_ok()
}

/// chdir(2)
pub fn change_directory(path: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::chdir, path.as_ptr()) }
}

/// fchdir(2)
#[inline(never)]
pub fn change_directory_to(fd: Fd) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::fchdir, fd.0) }
}

/// chroot(2): makes `path` the process's root. It changes no directory: a
/// process whose current directory lies outside can walk on from there.
pub fn change_root(path: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::chroot, path.as_ptr()) }
}

/// umask(2)
pub fn set_umask(mask: u32) {
    // SAFETY: no memory is passed. The call always succeeds; the old mask is of no use.
    let _ = unsafe { call!(Sysno::umask, mask) };
}

/// memfd_create(2): an empty file in memory, which nobody else has a name for. ENOSYS before
/// Linux 3.17. (Since 6.3 the kernel wants to be told that it is to be executed, which it
/// did not know before.)
pub fn memory_file(name: &CStr) -> Result<Fd> {
    const EXECUTABLE: u32 = 0x10; // MFD_EXEC
    let make = |flags| {
        let flags = flags | libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name is NUL-terminated and only read.
        unsafe { call!(Sysno::memfd_create, name.as_ptr(), flags) }.map(Fd::new)
    };
    match make(EXECUTABLE) {
        Err(Errno::EINVAL) => make(0),
        made => made,
    }
}

/// sendfile(2) of all that is left of a file.
pub fn copy_file(from: Fd, to: Fd) -> Result<()> {
    let none = core::ptr::null::<i64>();
    // SAFETY: no memory is passed.
    while unsafe { call!(Sysno::sendfile, to.0, from.0, none, 1 << 20) }? > 0 {}
    Ok(())
}

/// All of fcntl(2)'s seals that are about what is in a file.
const SEALS: c_int =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// fcntl(2), F_ADD_SEALS: nobody changes what is in this file of memory any more.
pub fn seal(file: Fd) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::fcntl, file.0, libc::F_ADD_SEALS, SEALS) }
}

/// fcntl(2), F_GET_SEALS: EINVAL if that does not hold of this file, as of any that is not of
/// memory.
pub fn check_sealed(file: Fd) -> Result<()> {
    // SAFETY: no memory is passed.
    let seals = unsafe { call!(Sysno::fcntl, file.0, libc::F_GET_SEALS) }?;
    if seals as c_int & SEALS == SEALS { Ok(()) } else { Err(Errno::EINVAL) }
}

/// close_range(2): closes every descriptor from `first` to `last`. ENOSYS
/// before Linux 5.9.
pub fn close_range(first: c_int, last: c_int) -> Result<()> {
    // SAFETY: no memory is passed; callers own what they close.
    unsafe { perform!(Sysno::close_range, first, last, 0) }
}

/// Adds the bytes of a whole file to a list. EFBIG for more than 16 MiB.
pub fn read_file(directory: Fd, path: &CStr, list: &mut List<u8>) -> Result<()> {
    read_all(open_at(directory, path, libc::O_RDONLY)?, list)
}

/// The same for a file that somebody else may have put there: only a regular
/// one, and not one of /proc's, which call themselves regular, and some of which
/// do something when read (/proc/kmsg empties the kernel's log). EINVAL for any
/// other; opening a pipe does not wait for its writer.
pub fn read_regular_file(path: &CStr, list: &mut List<u8>) -> Result<()> {
    let file = open(path, libc::O_NONBLOCK | libc::O_NOCTTY)?;
    let regular = file_type(file)? == libc::S_IFREG && !is_on(file, libc::PROC_SUPER_MAGIC)?;
    if regular { read_all(file, list) } else { Err(Errno::EINVAL) }
}

fn read_all(file: Fd, list: &mut List<u8>) -> Result<()> {
    const LARGEST: usize = 16 << 20;
    let mut buffer = [0; 4096];
    loop {
        let bytes = read(file, &mut buffer)?;
        if bytes.is_empty() {
            close(file);
            return Ok(());
        }
        list.extend(bytes)?;
        if list.as_slice().len() > LARGEST {
            return Err(Errno::EFBIG);
        }
    }
}

//! The mount table of the process's own mount namespace.

use core::ffi::{CStr, c_char, c_int, c_ulong};
use core::ptr::null;

use syscalls::Sysno;

use super::{Fd, Result, call, perform};

/// The flags of mount(2): `MS_*`.
pub type MountFlags = c_ulong;

/// mount(2) of a file system by type. `data` are its own options, `c""` for none.
/// With MS_BIND in the flags it is `bind`, of the path `kind`.
#[inline(never)]
pub fn mount(kind: &CStr, target: &CStr, flags: MountFlags, data: &CStr) -> Result<()> {
    // SAFETY: all four strings are NUL-terminated and only read. The source of a file system
    // without a device is a free text; the type's name is what mountinfo then shows.
    unsafe {
        perform!(Sysno::mount, kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr())
    }
}

/// mount(2) of a directory elsewhere, if asked to with all that is mounted below it.
/// The kernel ignores MS_RDONLY and the like here: they take a second call
/// with MS_REMOUNT.
#[inline(never)]
pub fn bind(source: &CStr, target: &CStr, recursive: bool) -> Result<()> {
    let none = null::<c_char>();
    let flags = libc::MS_BIND | if recursive { libc::MS_REC } else { 0 };
    // SAFETY: both paths are NUL-terminated and only read; the rest may be null.
    unsafe { perform!(Sysno::mount, source.as_ptr(), target.as_ptr(), none, flags, none) }
}

/// mount(2) that changes flags: of the file system as such, or with MS_BIND of
/// this one mount of it, whose flags become exactly those given.
pub fn remount(target: &CStr, flags: MountFlags) -> Result<()> {
    change(target, flags | libc::MS_REMOUNT)
}

/// mount(2) of nothing new: it changes what is mounted.
#[inline(never)]
fn change(target: &CStr, flags: MountFlags) -> Result<()> {
    let none = null::<c_char>();
    // SAFETY: the path is NUL-terminated and only read; the rest may be null.
    unsafe { perform!(Sysno::mount, none, target.as_ptr(), none, flags, none) }
}

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// mount_setattr(2): sets and clears flags (`MOUNT_ATTR_*`) of a mount and, if
/// asked to, of all below it. ENOSYS before Linux 5.12.
pub fn change_attributes(
    mount: Fd,
    set: MountFlags,
    clear: MountFlags,
    recursive: bool,
) -> Result<()> {
    let flags = if recursive { libc::AT_RECURSIVE } else { 0 };
    let (set, clear): (u64, u64) = (set as _, clear as _);
    set_attributes(mount, flags, Attributes { set, clear, propagation: 0, userns: 0 })
}

/// mount_setattr(2) with MOUNT_ATTR_IDMAP, of a mount that is nowhere yet: its
/// files belong to whom the user namespace maps their owners to. EINVAL for a
/// file system that cannot.
pub fn map_ids(mount: Fd, userns: Fd) -> Result<()> {
    let set = libc::MOUNT_ATTR_IDMAP;
    let userns = userns.number() as u64;
    set_attributes(mount, 0, Attributes { set, clear: 0, propagation: 0, userns })
}

fn set_attributes(mount: Fd, flags: c_int, attributes: Attributes) -> Result<()> {
    // SAFETY: the path is NUL-terminated, the structure is of the size that is given, and both
    // are only read.
    unsafe {
        perform!(
            Sysno::mount_setattr,
            mount.number(),
            c"".as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<Attributes>()
        )
    }
}

/// open_tree(2) with OPEN_TREE_CLONE: a bind of what the path names and of all
/// that is mounted below, which is nowhere yet. ENOSYS before Linux 5.2.
pub fn open_tree(path: &CStr) -> Result<Fd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as u32;
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { call!(Sysno::open_tree, libc::AT_FDCWD, path.as_ptr(), flags) }.map(Fd::new)
}

/// move_mount(2): puts a mount of `open_tree` onto what `path` in `target` names,
/// or onto what `target` is where there is no path.
pub fn move_mount(mount: Fd, target: Fd, path: &CStr) -> Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    let (from, target, path) = (c"".as_ptr(), target.number(), path.as_ptr());
    // SAFETY: both paths are NUL-terminated and only read.
    unsafe { perform!(Sysno::move_mount, mount.number(), from, target, path, flags) }
}

/// mount(2) that takes `/` and all below it out of every peer group: from here
/// on no mount of this namespace reaches another one, nor the other way round.
pub fn make_private() -> Result<()> {
    change(c"/", libc::MS_REC | libc::MS_PRIVATE)
}

/// mount(2) that says whether the current directory, which must be a mount, can be bound
/// elsewhere. What cannot is left out where it would come along with all that is mounted below
/// something.
pub fn set_bindable(bindable: bool) -> Result<()> {
    change(c".", if bindable { libc::MS_PRIVATE } else { libc::MS_UNBINDABLE })
}

/// pivot_root(2) with "." for both: the current directory, which must be a
/// mount, becomes the root, and the old root lies on top of it until it is
/// unmounted (pivot_root(2), "pivot_root(".", ".")").
pub fn pivot_root() -> Result<()> {
    // SAFETY: both paths are NUL-terminated and only read.
    unsafe { perform!(Sysno::pivot_root, c".".as_ptr(), c".".as_ptr()) }
}

/// mount(2) with MS_MOVE: the current directory, which must be a mount, to what lies on top
/// of `/`. ELOOP if it is that itself.
pub fn move_over_root() -> Result<()> {
    let none = null::<c_char>();
    let (from, to) = (c".".as_ptr(), c"/".as_ptr());
    // SAFETY: both paths are NUL-terminated and only read; the rest may be null.
    unsafe { perform!(Sysno::mount, from, to, none, libc::MS_MOVE, none) }
}

/// umount2(2) with MNT_DETACH: the mount and all below it leave the tree at
/// once, also while in use.
pub fn detach(target: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { perform!(Sysno::umount2, target.as_ptr(), libc::MNT_DETACH) }
}

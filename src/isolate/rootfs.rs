//! The root: found by the host side, bound and entered by the container side.
//!
//! The container's root is bound over `/` itself, so that it lies on top of
//! the host's. From there `..` of the root leads onto it (a path never crosses
//! a mount upwards at its root, but walks onto what lies on top), which works for `/` as for any directory. A
//! process that escapes from a mere chroot climbs to the host's root and finds
//! the container's on top of it again.

use crate::config::Config;
use crate::isolate::ephemeral::{self, Layers};
use crate::isolate::mounts;
use crate::kernel::{self, CURRENT, Errno, Fd, MountFlags, left_out};
use crate::report::Report;
use crate::steps::Step;

/// Host side: goes to the directory. clone(2) carries the current directory
/// over into the new mount namespace, so ROOTFS is looked up only once, and
/// cannot have become another one in between.
pub fn go_to(config: &Config, report: &mut Report) {
    let gone = kernel::change_directory(config.root);
    report.step_on(Step::OpenRoot, config.root, gone);
}

/// Host side, afterwards: keeps nothing busy for the container's life.
pub fn go_away(report: &mut Report) {
    report.step_on(Step::Chdir, c"/", kernel::change_directory(c"/"));
}

/// Container side: binds the current directory, or the mount that the host side
/// made of it, over `/` and goes there; with `--ephemeral` to an overlay of that.
/// Gives the new root. That mount is given up where it cannot be put anywhere: then the files
/// stay the host's users', as without the other calls that it takes.
pub fn bind(config: &Config, mapped: &mut Option<Fd>, report: &mut Report) -> (Fd, Option<Layers>) {
    let (place, top) = if left_out(c"over /") { (c".", config.root) } else { (c"/", c"/..") };
    let mut bound = Err(Errno::ENOSYS);
    if let Some(tree) = *mapped {
        bound = kernel::move_mount(tree, CURRENT, place);
    }
    if bound == Err(Errno::ENOSYS) {
        *mapped = None;
        bound = if config.ephemeral { Ok(()) } else { kernel::bind(c".", place, true) };
    } else {
        bound = bound.and_then(|()| kernel::change_directory(top));
    }
    report.step_on(Step::BindRoot, config.root, bound);
    let layers = config.ephemeral.then(|| ephemeral::over_root(config, report));
    let root = kernel::open(top, libc::O_PATH | libc::O_DIRECTORY);
    (report.step_on(Step::BindRoot, config.root, root), layers)
}

/// Container side, once /proc is there and nothing else: the flags of the root
/// and of what is mounted below it. Unless `--bare` or `--privileged`, devices
/// and set-user-id programs of the image mean nothing.
pub fn restrict(config: &Config, root: Fd, proc: Fd, report: &mut Report) {
    if !config.bare && !config.privileged {
        let added = mounts::change(root, mounts::foreign(), 0, true, proc);
        report.step_on(Step::RestrictRoot, config.root, added);
    }
    if config.read_only {
        report.step_on(Step::ReadOnly, config.root, all_read_only(root, proc));
    }
}

/// What is mounted now becomes read-only, but /proc, and the root itself: on that,
/// mount points are still to be made.
#[inline(never)]
fn all_read_only(root: Fd, proc: Fd) -> kernel::Result<()> {
    let (free_root, free_proc) = (free(root)?, free(proc)?);
    mounts::change(root, libc::MS_RDONLY, 0, true, proc)?;
    mounts::change(proc, 0, free_proc, false, proc)?;
    mounts::change(root, 0, free_root, false, proc)
}

/// MS_RDONLY, if it can be taken off again: if the host has the mount read-only,
/// a user namespace could not.
fn free(mount: Fd) -> kernel::Result<MountFlags> {
    Ok(!kernel::mount_flags(mount)? & libc::MS_RDONLY)
}

/// Container side: makes the root read-only, if asked to, now that everything
/// is mounted.
pub fn seal(config: &Config, root: Fd, proc: Fd, report: &mut Report) {
    if config.read_only {
        let sealed = mounts::change(root, libc::MS_RDONLY, 0, false, proc);
        report.step_on(Step::ReadOnly, config.root, sealed);
        mounts::go_to(root, report);
    }
}

/// Container side: makes the current directory, which is the root, `/`, and forgets the
/// host's.
pub fn enter(config: &Config, mapped: bool, root: Fd, proc: Fd, report: &mut Report) {
    if !left_out(c"pivot") {
        let pivoted = if config.no_pivot { Err(Errno::EINVAL) } else { kernel::pivot_root() };
        if pivoted == Err(Errno::EINVAL) {
            report.step_on(Step::MoveRoot, config.root, move_to_top(root, proc));
        } else {
            report.step_on(Step::PivotRoot, config.root, pivoted);
            // What an overlay lies on is on top of the host's root: its memory, and the mapped tree.
            for _ in 0..1 + u32::from(config.ephemeral) + u32::from(config.ephemeral && mapped) {
                report.step(Step::DetachHost, kernel::detach(c"."));
            }
        }
    }
    // The current directory is then the root's `/`.
    report.step_on(Step::Chroot, config.root, kernel::change_root(c"."));
}

/// Where the host's root cannot be pivoted away (EINVAL): puts the container's on top of all
/// that its mount namespace has, so that a second chroot leads nowhere else.
///
/// The root of an initramfs has no parent, for the namespace begins with it; there it lies on
/// top already. That of a caller who is in a chroot may have a parent that is shared, and
/// there is more above it. So the process leaves that chroot first (setns(2)).
fn move_to_top(root: Fd, proc: Fd) -> kernel::Result<()> {
    let own = kernel::open_at(proc, c"self/ns/mnt", libc::O_RDONLY)?;
    kernel::enter_namespace(own, libc::CLONE_NEWNS)?;
    kernel::make_private()?; // of what lies outside of the chroot, too
    kernel::change_directory_to(root)?;
    let moved = kernel::move_over_root();
    if moved == Err(Errno::ELOOP) { Ok(()) } else { moved }
}

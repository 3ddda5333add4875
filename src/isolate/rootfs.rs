//! The root: found by the host side, bound and entered by the container side.
//!
//! The container's root is bound over `/` itself, so that it lies on top of
//! the host's. From there `..` of the root leads onto it (a path never crosses
//! a mount upwards at its root, but walks onto what lies on top), which works for `/` as for any directory. A
//! process that escapes from a mere chroot climbs to the host's root and finds
//! the container's on top of it again.

use crate::config::Config;
use crate::isolate::mounts;
use crate::kernel::{self, CURRENT, Fd, left_out};
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
/// made of it, over `/` and goes there.
/// Gives the new root; unless `--bare` or `--privileged`, devices and set-user-id programs of the
/// image mean nothing on it and on what is mounted below it.
pub fn bind(config: &Config, mapped: Option<Fd>, report: &mut Report) -> Fd {
    let (place, top) = if left_out(c"over /") { (c".", config.root) } else { (c"/", c"/..") };
    let bound = match mapped {
        Some(tree) => kernel::move_mount(tree, CURRENT, place),
        None => kernel::bind(c".", place),
    };
    let bound = bound
        .and_then(|()| kernel::change_directory(top))
        .and_then(|()| kernel::open(c".", libc::O_PATH | libc::O_DIRECTORY));
    let root = report.step_on(Step::BindRoot, config.root, bound);
    if !config.bare && !config.privileged {
        let added = kernel::change_attributes(root, mounts::foreign(), 0, true);
        report.step_on(Step::RestrictRoot, config.root, added);
    }
    if config.read_only {
        // What is mounted below now, and the root itself once mount points were made on it.
        let read_only = libc::MOUNT_ATTR_RDONLY;
        // If the host has it read-only, a user namespace could not take that off again.
        let was = kernel::mount_flags(root).is_ok_and(|flags| flags & libc::MS_RDONLY != 0);
        let free = if was { 0 } else { read_only };
        let changed = kernel::change_attributes(root, read_only, 0, true)
            .and_then(|()| kernel::change_attributes(root, 0, free, false));
        report.step_on(Step::ReadOnly, config.root, changed);
    }
    root
}

/// Container side: makes the root read-only, if asked to, now that everything
/// is mounted.
pub fn seal(config: &Config, root: Fd, report: &mut Report) {
    if config.read_only {
        let sealed = kernel::change_attributes(root, libc::MOUNT_ATTR_RDONLY, 0, false);
        report.step_on(Step::ReadOnly, config.root, sealed);
    }
}

/// Container side: makes the current directory the root and forgets the host's.
pub fn enter(config: &Config, report: &mut Report) {
    if !config.no_pivot && !left_out(c"pivot") {
        report.step_on(Step::PivotRoot, config.root, kernel::pivot_root());
        report.step(Step::DetachHost, kernel::detach(c"."));
    }
    report.step_on(Step::Chroot, config.root, kernel::change_root(c"."));
    report.step_on(Step::Chdir, c"/", kernel::change_directory(c"/"))
}

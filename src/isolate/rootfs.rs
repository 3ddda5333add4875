//! The root: found by the host side, bound and entered by the container side.
//!
//! The container's root is bound over `/` itself, so that it lies on top of
//! the host's. From there `..` of the root leads onto it (a path never crosses
//! a mount upwards at its root, but walks onto what lies on top), which needs no
//! second look at ROOTFS by name and works for `/` as for any directory. A
//! process that escapes from a mere chroot climbs to the host's root and finds
//! the container's on top of it again.

use crate::config::Config;
use crate::kernel::{self, Errno, Fd, Identity};
use crate::report::Report;
use crate::steps::Step;

fn open(config: &Config, report: &mut Report) -> (Fd, Identity) {
    let opened = kernel::open(config.root, libc::O_PATH | libc::O_DIRECTORY)
        .and_then(|root| kernel::identity(root).map(|identity| (root, identity)));
    report.step_on(Step::OpenRoot, config.root, opened)
}

/// Host side: finds out which directory ROOTFS names.
pub fn look_up(config: &Config, report: &mut Report) -> Identity {
    let (root, identity) = open(config, report);
    kernel::close(root); // or it would keep the file system busy for the container's life
    identity
}

/// Container side: binds the directory over `/` and goes there. Opened anew,
/// because the kernel binds nothing of another mount namespace; `seen` is what
/// the host side found, and a name that means something else by now is an error.
/// Gives the new root; unless `--bare`, devices and set-user-id programs of the
/// image mean nothing on it and on what is mounted below it.
pub fn bind(config: &Config, seen: Identity, report: &mut Report) -> Fd {
    let (root, identity) = open(config, report);
    let bound = if identity == seen { Ok(()) } else { Err(Errno::ESTALE) }
        .and_then(|()| kernel::change_directory_to(root))
        .and_then(|()| kernel::bind(c".", c"/"))
        .and_then(|()| kernel::change_directory(c"/.."))
        .and_then(|()| kernel::open(c".", libc::O_PATH | libc::O_DIRECTORY));
    let root = report.step_on(Step::BindRoot, config.root, bound);
    if !config.bare {
        let attributes = libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID;
        let added = kernel::add_attributes(root, attributes, true);
        report.step_on(Step::RestrictRoot, config.root, added);
    }
    root
}

/// Container side: makes the current directory the root and forgets the host's.
pub fn enter(config: &Config, report: &mut Report) {
    if !config.no_pivot {
        report.step_on(Step::PivotRoot, config.root, kernel::pivot_root());
        report.step(Step::DetachHost, kernel::detach(c"."));
    }
    report.step_on(Step::Chroot, config.root, kernel::change_root(c"."));
    report.step_on(Step::Chdir, c"/", kernel::change_directory(c"/"))
}

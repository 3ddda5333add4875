//! The container's side, from its first instruction in the new namespaces to
//! the program's. The order is the point: each line says why it stands there.

use core::ffi::CStr;

use crate::config::Config;
use crate::init;
use crate::isolate::link::{self, Link};
use crate::isolate::{
    devices, ephemeral, mounts, namespaces, privileges, program, rootfs, volumes,
};
use crate::kernel::{self, Argv};
use crate::report::Report;
use crate::steps::Step;
use crate::text::pack;

/// What the container's side is given: its own copy of all this.
pub struct Container<'a> {
    /// What was asked for.
    pub config: &'a Config<'a>,
    /// The program's environment.
    pub environment: Argv<'a>,
    /// The host name inside.
    pub hostname: &'a CStr,
    /// The line between the two sides.
    pub link: Link,
}

/// Runs the container in the process that clone(2) made: the program, and pid 1
/// beside it. Gives pid 1's exit status, which is the program's.
pub fn enter(container: &mut Container) -> u8 {
    let config = container.config;
    let link = container.link.keep_container_end();
    let report = &mut Report::new();
    report.verbose = config.verbose;
    report.link = Some(link);

    // First the death signal, then the look at the link: whichever way the host
    // side dies, one of the two notices.
    report.step(Step::SetDeathSignal, kernel::die_with_parent());
    link::wait_for_release(link, report);
    report.tell_number(pack!("thimble: child pid: "), kernel::own_pid().number() as u64);

    namespaces::set_up(config, container.hostname, report);
    mounts::make_private(report); // before any other mount
    kernel::set_umask(0);
    let (root, layers) = rootfs::bind(config, report);
    // While the host's proc and sysfs are there: a user namespace asks for that.
    let proc = mounts::proc(root, report);
    if let Some(layers) = layers {
        ephemeral::over_rest(config, root, proc, &layers, report);
    }
    rootfs::restrict(config, root, proc, report); // what is thimble's own comes after
    mounts::kernel_files(config, root, proc, report);
    devices::dev(config, root, report);
    report.step(Step::GoTo, kernel::change_directory_to(root));
    volumes::mount_all(config, root, proc, report);
    rootfs::seal(config, root, proc, report);
    rootfs::enter(config, report);
    namespaces::set_up_network(config, report);

    kernel::set_umask(0o022);
    link::close_all_but(link, report);
    // Before there is a program that could look into this process.
    report.step(Step::Undumpable, kernel::make_undumpable());
    privileges::cut_down(config, report);
    let program = program::start(config, container.environment, report);
    report.tell_number(pack!("thimble: program pid: "), program.number() as u64);

    init::attend(program, report).status()
}

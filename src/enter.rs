//! The container's side, from its first instruction in the new namespaces to
//! the program's. The order is the point: each line says why it stands there.

use core::ffi::CStr;

use crate::config::Config;
use crate::init;
use crate::isolate::idmap::{self, Maps};
use crate::isolate::link::{self, Link};
use crate::isolate::{
    accounts, descriptors, devices, environment, ephemeral, limits, mounts, namespaces, privileges,
    program, rootfs, terminal, volumes,
};
use crate::kernel::{self, Fd, List, Pid, Stack, Word, left_out};
use crate::report::Report;
use crate::steps::Step;
use crate::text::pack;

/// What the container's side is given: its own copy of all this.
pub struct Container<'a> {
    /// What was asked for.
    pub config: &'a Config<'a>,
    /// The program's environment.
    pub environment: List<Option<Word<'a>>>,
    /// The filter of system calls that was read from a file.
    pub filter: &'a [u8],
    /// The host name inside.
    pub hostname: &'a CStr,
    /// The line between the two sides.
    pub link: Link,
    /// What its user namespace maps, if it has one of its own.
    pub maps: Option<&'a Maps<'a>>,
    /// The stack that the program's process starts on.
    pub program_stack: &'a mut Stack,
    /// The command line of this process, as everybody can read it.
    pub shown: &'a mut [u8],
}

/// Runs the container in the process that clone(2) made: the program, and pid 1
/// beside it. Gives pid 1's exit status, which is the program's.
pub fn enter(container: &mut Container) -> u8 {
    // It tells what is where on the host, and the values of variables.
    if !left_out(c"command line") {
        container.shown.fill(0);
    }
    let mut report = Report::new();
    report.verbose = container.config.verbose;
    set_up(container, &mut report)
}

// A function of its own: the report is then at hand in a register, which each line takes.
#[inline(never)]
fn set_up(container: &mut Container, report: &mut Report) -> ! {
    let config = container.config;
    let link = container.link.keep_container_end();
    report.link = Some(link);

    // First the death signal, then the look at the link: whichever way the host
    // side dies, one of the two notices.
    report.step(Step::SetDeathSignal, kernel::die_with_parent());
    let mut mapped = link::wait_for_release(link, report);
    if let Some(maps) = container.maps {
        idmap::become_root(maps, report);
        // A change of ids has cleared it, so both once more.
        report.step(Step::SetDeathSignal, kernel::die_with_parent());
        link::check_host(link, report);
    }
    report.tell_pid(pack!("thimble: child pid: "), None);

    namespaces::set_up(config, container.hostname, report);
    mounts::make_private(report); // before any other mount
    kernel::set_umask(0);
    let (root, mut layers) = rootfs::bind(config, &mut mapped, report);
    // While the host's proc and sysfs are there: a user namespace asks for that.
    let proc = mounts::proc(config, container.maps, root, report);
    if let Some(layers) = &mut layers {
        ephemeral::over_rest(config, root, proc, layers, report);
    }
    rootfs::restrict(config, root, proc, report); // what is thimble's own comes after
    mounts::kernel_files(config, container.maps, root, proc, report);
    devices::dev(config, root, report);
    terminal::open(config, link, report); // of the devpts that is now there
    mounts::go_to(root, report);
    let first = layers.map_or(root, |layers| layers.first(mapped.is_some()));
    volumes::mount_all(config, root, first, proc, report);
    rootfs::seal(config, root, proc, report);
    rootfs::enter(config, mapped.is_some(), root, proc, report);
    namespaces::set_up_network(config, report);

    limits::set_oom_score(config, report);
    limits::make_room(config, report);
    kernel::set_umask(0o022);
    let recent = descriptors::close_all_but(link, config, report);
    let only_group = container.maps.and_then(Maps::only_group);
    let ids = accounts::resolve(config, only_group, &mut container.environment, report);
    terminal::give(config, ids.user, report);
    // Before there is a program that could look into this process.
    if !left_out(c"undumpable") {
        report.step(Step::Undumpable, kernel::set_dumpable(false));
    }
    let rest = privileges::cut_down(config, &ids, only_group.is_some(), recent, report);
    let program = program::start(
        config,
        environment::vector(&container.environment),
        &ids,
        container.filter,
        None,
        container.program_stack,
        report,
    );
    let program = report.step(Step::Clone, program);
    privileges::settle(config, rest, report);
    descriptors::let_go(config);
    report.tell_pid(pack!("thimble: program pid: "), Some(program));

    if config.detach {
        report.step(Step::Descriptors, descriptors::let_go_of_output());
    }
    if config.awaits_program() && !report.has_failed {
        link::tell_executed(link, report);
    }

    container.program_stack.leave_to((program, link, config.verbose), wait)
}

/// pid 1, beside the program.
fn wait((program, link, verbose): (Pid, Fd, bool)) -> u8 {
    let report = &mut Report::new();
    report.verbose = verbose;
    report.link = Some(link);
    let end = init::attend(program, None, report);
    link::tell_signal(link, end, report);
    end.status()
}

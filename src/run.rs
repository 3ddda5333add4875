//! The host's side of `thimble run`, in the order in which it happens. A step
//! that fails ends it, and whatever was made before is taken back.

use core::ffi::CStr;

use crate::config::Config;
use crate::enter::{Container, enter};
use crate::init;
use crate::isolate::link::{self, Link};
use crate::isolate::{cgroup, descriptors, environment, namespaces, rootfs, volumes};
use crate::kernel::{self, Argv, Stack};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Text, pack};
use crate::undo;

/// Runs a container to its end and gives the program's exit status.
pub fn run(config: &Config, caller: Argv) -> u8 {
    let mut name = Text::new();
    let name = name_of(config, &mut name);
    let hostname = config.hostname.unwrap_or(name);
    // What the program will find: the host's, if it shares the uts namespace.
    let host = if config.private(config.uts, true) { None } else { kernel::Names::now().ok() };
    let found = host.as_ref().map_or(hostname, kernel::Names::host);
    let variable = Text::of(&[b"HOSTNAME=", found.to_bytes()]);
    let variable = variable.as_c_str().unwrap_or(c"HOSTNAME=");
    let report = &mut Report::new();
    report.verbose = config.verbose;

    descriptors::take_over(report);
    let environment = environment::collect(config, variable, caller, report);
    rootfs::go_to(config, report);
    volumes::look_up(config, report);
    namespaces::enter_network(config, report);

    // Blocked from here on, so that none ends thimble between two steps; they
    // wait until there is a container to pass them on to.
    report.step(Step::BlockSignals, kernel::block_signals());
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    cgroup::create(config, name, report);
    let link = Link::new(report);
    let mut stack = report.step(Step::MapStack, Stack::map());
    report.tell_number(pack!("thimble: parent pid: "), kernel::own_pid().number() as u64);

    let mut container = Container { config, environment, hostname, link };
    let flags = namespaces::flags(config);
    let child = kernel::clone_process(flags, &mut stack, &mut container, |c| enter(c));
    let child = report.step(Step::Clone, child);
    report.undo.child = Some(child);
    let link = container.link.keep_host_end();
    report.undo.link = Some(link);
    rootfs::go_away(report);
    cgroup::admit(config, child, report);
    link::release(link, report);
    let end = init::attend(child, report);
    report.undo.child = None;
    undo::relay(link);
    report.end(end.status())
}

/// The container's name, which lies in `text` if it was not given.
fn name_of<'a>(config: &Config<'a>, text: &'a mut Text) -> &'a CStr {
    text.push(b"thimble-");
    text.push_number(kernel::own_pid().number() as u64);
    config.name.or(text.as_c_str()).unwrap_or(c"")
}

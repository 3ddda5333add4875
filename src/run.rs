//! The host's side of `thimble run`, in the order in which it happens. A step
//! that fails ends it, and whatever was made before is taken back.

use crate::config::Config;
use crate::enter::{Container, enter};
use crate::init;
use crate::isolate::link::{self, Link};
use crate::isolate::{
    cgroup, descriptors, environment, idmap, namespaces, rootfs, seccomp, volumes,
};
use crate::kernel::{self, Argv, Stack};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Numbered, Packed, Text, pack};
use crate::undo;

/// Exit status of a program that SIGKILL ended.
const KILLED: u8 = 128 + libc::SIGKILL as u8;

/// Runs a container to its end and gives the program's exit status.
pub fn run(config: &Config, caller: Argv) -> u8 {
    let default = Numbered::of(cgroup::PREFIX, kernel::own_pid().number() as u32);
    let name = config.name.unwrap_or(default.as_c_str());
    let hostname = config.hostname.unwrap_or(name);
    let mut names = kernel::Names::none();
    // What the program will find: the host's, if it shares the uts namespace.
    let found = if config.private(config.uts, true) { Ok(hostname) } else { names.host() };
    let variable = Text::of(&[b"HOSTNAME=", found.unwrap_or(hostname).to_bytes()]);
    let variable = variable.as_c_str().unwrap_or(c"HOSTNAME=");
    let report = &mut Report::new();
    report.verbose = config.verbose;

    descriptors::take_over(config, report);
    let maps = idmap::plan(config, report);
    let environment = environment::collect(config, variable, caller, report);
    let filter = seccomp::read(config, report);
    rootfs::go_to(config, report);
    volumes::look_up(config, report);
    namespaces::enter_network(config, report);

    // Blocked from here on, so that none ends thimble between two steps; they
    // wait until there is a container to pass them on to.
    report.step(Step::BlockSignals, kernel::block_signals());
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    let unified = cgroup::create(config, name, report);
    let link = Link::new(report);
    let mut stack = report.step(Step::MapStack, Stack::map());
    report.tell_number(pack!("thimble: parent pid: "), kernel::own_pid().number() as u64);

    let maps = maps.as_ref();
    let mut container = Container { config, environment, filter, hostname, link, maps };
    let flags = namespaces::flags(config, maps.is_some());
    let child = kernel::clone_process(flags, &mut stack, &mut container, |c| enter(c));
    let child = report.step(Step::Clone, child);
    report.undo.child = Some(child);
    let link = container.link.keep_host_end();
    report.undo.link = Some(link);
    descriptors::let_go(config);
    let root = maps.and_then(|maps| idmap::write(maps, child, caller, report));
    rootfs::go_away(report);
    cgroup::admit(config, unified, child, report);
    link::release(link, root, report);
    let end = init::attend(child, report);
    report.undo.child = None;
    undo::relay(link);
    if end.status() == KILLED && cgroup::ran_out_of_memory(report) {
        report.complain(
            pack!("the program used up its memory and was killed"),
            c"",
            c"",
            Packed::NONE,
        );
    }
    report.end(end.status())
}

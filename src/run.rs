//! The host's side of `thimble run`, in the order in which it happens. A step
//! that fails ends it, and whatever was made before is taken back.

use crate::announce;
use crate::config::Config;
use crate::enter::{Container, enter};
use crate::init::{self, Stop};
use crate::isolate::link::{self, Link};
use crate::isolate::{
    cgroup, descriptors, environment, idmap, namespaces, rootfs, seccomp, terminal, volumes,
};
use crate::kernel::{self, Given};
use crate::report::{self, Report};
use crate::steps::Step;
use crate::text::{Numbered, pack};
use crate::undo::{self, Heard};

/// Runs a container to its end and gives the program's exit status.
pub fn run(config: &Config, given: &mut Given) -> u8 {
    let report = &mut Report::new();
    report.verbose = config.verbose;
    let monitored = announce::prepare(config, report);
    let caller = given.environment;
    let pid = if config.detach { kernel::own_pid() } else { given.pid };
    let [user, _] = given.caller;
    let default = Numbered::of(cgroup::PREFIX, pid.number() as u32);
    let name = config.name.unwrap_or(default.as_c_str());
    let hostname = config.hostname.unwrap_or(name);
    let mut names = kernel::Names::none();
    // What the program will find: the host's, if it shares the uts namespace.
    let found = if config.private(config.uts, true) { hostname } else { names.host() };
    let variable = Numbered::named(b"HOSTNAME=", found.to_bytes());

    if config.die_with_parent {
        report.step(Step::SetDeathSignal, kernel::die_with_this_parent());
    }
    let [stack, program_stack] = match &mut given.stacks {
        Ok(stacks) => stacks,
        Err(errno) => report.fail(Step::MapStacks, None, *errno),
    };
    descriptors::take_over(config, stack, report);
    terminal::look_at_callers(config, report); // before the signals are blocked
    let room = &mut given.variables;
    let maps = idmap::plan(config, given.caller, report);
    let environment = environment::collect(config, Some(variable.as_c_str()), caller, room, report);
    let filter = seccomp::read(config, report);
    rootfs::go_to(config, report);
    volumes::look_up(config, report);
    namespaces::enter_network(config, report);

    // Blocked from here on, so that none ends thimble between two steps; they
    // wait until there is a container to pass them on to.
    report.step(Step::BlockSignals, kernel::block_signals());
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    let unified = cgroup::create(config, name, user, program_stack, report);
    let link = Link::new(report);
    report.tell_pid(pack!("thimble: parent pid: "), None);

    let (maps, shown) = (maps.as_ref(), &mut *given.shown);
    let mut container =
        Container { config, environment, filter, hostname, link, maps, program_stack, shown };
    let flags = namespaces::flags(config, maps.is_some());
    let child = kernel::clone_process(flags, stack, &mut container, |c| enter(c));
    let child = report.step(Step::Clone, child);
    report.undo.child = Some(child);
    let link = container.link.keep_host_end();
    report.undo.link = Some(link);
    descriptors::let_go(config);
    let root = maps.and_then(|maps| idmap::write(maps, child, caller, stack, report));
    rootfs::go_away(report);
    cgroup::admit(config, unified, child, report);
    announce::tell_start(config, child, report);
    link::release(link, root, report);
    terminal::relay(config, link, stack, report);
    let mut stop = Stop::new(config, report);
    let mut heard = Heard { executed: config.as_pid_1, ..Heard::default() };
    if let Some(caller) = monitored {
        announce::let_go(caller, child, link, &mut heard, report);
    }
    container.program_stack.forget();
    let end = init::attend(child, Some(&mut stop), report);
    report.undo.child = None;
    let status = end.status();
    report.undo.end_terminal();
    if status >= report::FAILED || config.json_status_fd.is_some() {
        undo::relay(link, &mut heard);
    }
    let status = if stop.timed_out { report::TIMED_OUT } else { status };
    announce::tell_end(config, status, end, &heard, report);
    report.end(status)
}

//! `thimble exec`, in the order in which it happens: from the host into a container that
//! runs already, and there a program under what the container's own is under.
//!
//! The process that has joined the namespaces is not to be seen inside, since it is of no pid
//! namespace but its own. Only its child is, which becomes the program: undumpable from its
//! first instruction, with nothing of the host's open, and with a copy of this program
//! as /proc/PID/exe that nobody can write to (CVE-2016-9962, CVE-2019-5736).

use crate::config::Config;
use crate::init;
use crate::isolate::link::Link;
use crate::isolate::program::{self, Entry};
use crate::isolate::{accounts, descriptors, environment, running, seccomp, terminal};
use crate::kernel::{self, Argv, Errno, Fd, Given, left_out};
use crate::report::{FAILED, Report};
use crate::steps::Step;
use crate::text::pack;
use crate::undo::{self, Heard};

/// Runs a program in a running container to its end and gives its exit status.
pub fn exec(config: &mut Config, given: &mut Given, report: &mut Report) -> u8 {
    let own = report.step(Step::CopyItself, kernel::open(c"/proc/self/exe", libc::O_RDONLY));
    let sealed = kernel::check_sealed(own);
    if sealed != Err(Errno::EINVAL) {
        report.step(Step::CopyItself, sealed);
    } else if !left_out(c"own copy") {
        running::find(config, Some(own), report);
        let failed = execute_copy(own, given.arguments, given.environment);
        report.fail(Step::CopyItself, None, failed);
    }
    kernel::close(own);
    report.verbose = config.verbose;
    let stack = match &mut given.stacks {
        Ok([stack, _]) => stack,
        Err(errno) => report.fail(Step::MapStacks, None, *errno),
    };
    descriptors::take_over(config, stack, report);
    // What the caller ignores, as nohup(1) does, is not passed on.
    let ignored = report.step(Step::BlockSignals, program::ignored_signals());
    descriptors::close_rest(config, report);
    // The file that was executed has a number for a name.
    report.step(Step::CopyItself, kernel::set_name(c"thimble"));
    let room = &mut given.variables;
    let mut environment = environment::collect(config, None, given.environment, room, report);
    let filter = seccomp::read(config, report);
    let container = running::find(config, None, report);
    terminal::look_at_callers(config, report); // before the signals are blocked
    let passed_over = ignored & !(1 << (libc::SIGCHLD - 1));
    report.step(Step::BlockSignals, kernel::block_signals_but(passed_over));
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    let link = Link::new(report);

    if !left_out(c"undumpable") {
        report.step(Step::Undumpable, kernel::set_dumpable(false));
    }
    terminal::open_inside(config, &container, stack, report);
    // Where none may be set inside, the caller's would stay. An ordinary user has no choice.
    if container.only_group().is_some() {
        let given_up = kernel::set_groups(&[]);
        if given_up != Err(Errno::EPERM) {
            report.step(Step::Groups, given_up);
        }
    }
    // Everybody inside could read what the child is called with, while it is not the program;
    // and who is just reading that reads this process's memory also when it is. So they stay
    // blank.
    if !left_out(c"command line") {
        given.shown.fill(0);
    }
    let [user, _] = given.caller;
    container.join(user != 0, report);
    kernel::set_umask(0o022);
    let mut names = kernel::Names::none();
    let added = match environment::vector(&environment).variable(b"HOSTNAME") {
        Some(_) => Ok(()),
        None => environment::add(&mut environment, b"HOSTNAME=", names.host().to_bytes()),
    };
    report.step(Step::CollectEnvironment, added);
    let ids = accounts::resolve(config, container.only_group(), &mut environment, report);

    // A report of its own: what this one has to take back is not to be taken back inside.
    let mut inside = Report::new();
    inside.verbose = config.verbose;
    let slave = report.undo.terminal.slave;
    let entry = Entry { running: &container, link: &link, slave, ignored };
    let variables = environment::vector(&environment);
    let program = program::start(config, variables, &ids, filter, Some(entry), stack, &mut inside);
    let program = report.step(Step::Clone, program);
    report.undo.child = Some(program);
    report.undo.terminal.let_go();
    let link = link.keep_host_end();
    report.undo.link = Some(link);
    descriptors::let_go(config);
    report.tell_pid(pack!("thimble: program pid: "), Some(program));
    let end = init::attend(program, None, report);
    report.undo.child = None;
    report.undo.end_terminal();
    if end.status() >= FAILED {
        undo::relay(link, &mut Heard::default());
    }
    report.end(end.status())
}

/// Executes this program anew from a copy that nobody can change. What the container makes
/// of /proc/self/exe, as the program to execute or as what one is executed by, is then that.
fn execute_copy(own: Fd, words: Argv, environment: Argv) -> Errno {
    let copied = || {
        // A caller's limit on the size of files is told of by this, too.
        kernel::block_signals_but(!(1 << (libc::SIGXFSZ - 1)))?;
        let copy = kernel::memory_file(c"thimble")?;
        kernel::copy_file(own, copy)?;
        kernel::seal(copy)?;
        Ok(copy)
    };
    match copied() {
        Ok(copy) => kernel::execute_open(copy, words, environment),
        Err(errno) => errno,
    }
}

//! Processes: their making, their ends, and their attributes.

use core::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use core::ptr::{NonNull, null};
use core::slice;

use syscalls::Sysno;

use super::{
    Argv, Errno, Fd, List, Result, Stack, Word, arch, block_signals, call, errno, perform,
    unblock_one,
};

/// The number of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pid(c_int);

impl Pid {
    /// The number itself.
    pub fn number(self) -> c_int {
        self.0
    }

    /// The process of this number, which is at least 1: kill(2) takes 0 and
    /// less for whole groups.
    pub fn from_number(number: u64) -> Option<Pid> {
        c_int::try_from(number).ok().filter(|number| *number > 0).map(Pid)
    }
}

/// exit_group(2)
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: the process ends here; the loop only tells the compiler so.
        let _ = unsafe { call!(Sysno::exit_group, status) };
    }
}

/// What the process begins with.
pub struct Given<'a> {
    /// Its own number.
    pub pid: Pid,
    /// Its command line, the program's name first.
    pub arguments: Argv<'a>,
    /// Its environment.
    pub environment: Argv<'a>,
    /// Its effective user and group.
    pub caller: [u32; 2],
    /// Stacks for clone(2): the container's, and that of the program in it.
    pub stacks: Result<[Stack; 2]>,
    /// Room for the program's environment.
    pub variables: List<Option<Word<'a>>>,
    /// The bytes that /proc/PID/cmdline shows, to everybody. `arguments` is a copy of them.
    pub shown: &'a mut [u8],
}

/// The whole process, on a stack of its own: its first one grows only as far as the
/// caller's limit lets it (`ulimit -s`), which need not be as far as the host side's
/// texts take. Without memory for another, it is that one all the same.
///
/// # Safety
/// `stack` is the stack pointer as execve(2) left it: argc, the arguments, a null,
/// the environment, a null, and pairs of numbers up to AT_NULL (getauxval(3)).
pub unsafe fn begin_with(stack: NonNull<usize>, main: fn(&mut Given) -> u8) -> ! {
    // SAFETY: the kernel laid it out like this, and it lives as long as the process.
    let (arguments, environment) = unsafe {
        (Argv::from_raw(stack.add(1).cast()), Argv::from_raw(stack.add(stack.read() + 2).cast()))
    };
    let caller = [libc::AT_EUID, libc::AT_EGID].map(|kind| {
        let mut pair = environment.behind().cast::<[c_ulong; 2]>();
        // SAFETY: the last pair is of AT_NULL. (Both kinds are there since long before Linux 3.)
        unsafe {
            while (*pair)[0] != kind && (*pair)[0] != libc::AT_NULL {
                pair = pair.add(1);
            }
            (*pair)[1] as _
        }
    });
    // SAFETY: argc, and as many pointers to strings, which nobody else reads yet.
    let words = unsafe {
        slice::from_raw_parts_mut(stack.add(1).cast::<*mut c_char>().as_ptr(), stack.read())
    };
    let mut shown: &mut [u8] = &mut [];
    if let ([first, ..], [.., last]) = (&*words, &*words) {
        // SAFETY: the kernel lays the strings one behind the other, and shows them like that.
        shown = unsafe {
            let end = last.add(CStr::from_ptr(*last).count_bytes() + 1);
            slice::from_raw_parts_mut(first.cast(), end.offset_from_unsigned(*first))
        };
    }
    let (mut own, mut variables) = (None, List::new());
    let stacks = Stack::map(shown.len()).map(|([program, container, mut large], list)| {
        variables = list;
        let copy = large.take(shown.len());
        // SAFETY: so much was just taken of a new mapping.
        unsafe { copy.copy_from_nonoverlapping(shown.as_ptr(), shown.len()) };
        for word in words {
            *word =
                copy.cast::<c_char>().wrapping_byte_add(*word as usize - shown.as_ptr() as usize);
        }
        own = Some(large);
        [container, program]
    });
    let mut given =
        Given { pid: own_pid(), arguments, environment, caller, stacks, variables, shown };
    let Some(mut own) = own else { exit(main(&mut given)) };
    let mut start = Start { entry: of_pointer(main), argument: (&raw mut given).cast() };
    // SAFETY: the stack is mapped and aligned, and nobody unmaps it; `begin` takes a `Start`, and
    // this frame, on the first stack, never ends.
    unsafe { arch::switch_stack(own.top(), begin, (&raw mut start).cast()) }
}

/// What the new process is to do, as it lies on the old one's stack.
struct Start {
    entry: unsafe fn(*mut c_void) -> u8,
    argument: *mut c_void,
}

unsafe extern "C" fn begin(start: *mut c_void) -> ! {
    // SAFETY: `launch` passes a pointer to its own `Start`. Where memory is shared the parent
    // sleeps in clone(2) while this runs; where it is not, this is the copy.
    let Start { entry, argument } = unsafe { start.cast::<Start>().read() };
    // SAFETY: `argument` is what `entry` expects, by the promise of who called `launch`.
    exit(unsafe { entry(argument) })
}

/// # Safety
/// With CLONE_VM, also CLONE_VFORK: the child uses memory of this frame. `argument` is
/// what `entry` expects, and nobody else's meanwhile.
#[inline(never)]
unsafe fn launch(
    flags: c_int,
    stack: &mut Stack,
    argument: *mut c_void,
    entry: unsafe fn(*mut c_void) -> u8,
) -> Result<Pid> {
    let mut start = Start { entry, argument };
    let flags = (flags | libc::SIGCHLD) as u32 as usize;
    // SAFETY: the stack is mapped, aligned, borrowed for the call, and `begin` takes a
    // `Start`, which outlives the child's use of it by the caller's promise.
    let answer = unsafe { arch::clone(flags, stack.top(), begin, (&raw mut start).cast()) };
    errno::number(answer as usize).map(|number| Pid(number as c_int))
}

/// A function of one reference as one of a plain pointer, so that one `launch` does for all.
fn of_pointer<T>(entry: fn(&mut T) -> u8) -> unsafe fn(*mut c_void) -> u8 {
    // SAFETY: a reference to a sized type is passed as a pointer is ("ABI compatibility" in the
    // documentation of the primitive type fn).
    unsafe { core::mem::transmute(entry) }
}

/// clone(2) of a process with a copy of this memory, in the new namespaces
/// that `namespaces` names. It runs `entry(argument)` on `stack` and exits
/// with the status that this gives.
pub fn clone_process<T>(
    namespaces: c_int,
    stack: &mut Stack,
    argument: &mut T,
    entry: fn(&mut T) -> u8,
) -> Result<Pid> {
    const KINDS: c_int = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWUSER;
    // SAFETY: without CLONE_VM the child works on its own copy of everything.
    unsafe { launch(namespaces & KINDS, stack, (&raw mut *argument).cast(), of_pointer(entry)) }
}

/// The same on the stack that this process is on, and that `argument` lies on: what the new
/// one has of it is a copy.
pub fn clone_copy<T>(namespaces: c_int, argument: &mut T, entry: fn(&mut T) -> u8) -> Result<Pid> {
    let mut stack = Stack::below(argument);
    clone_process(namespaces, &mut stack, argument, entry)
}

/// clone(2) with CLONE_VM and CLONE_VFORK: the child runs `entry(argument)` in
/// this memory, on `stack`, while the caller sleeps until it has exited or
/// executed a program. What it changes through `argument` is there afterwards.
pub fn spawn<T>(stack: &mut Stack, argument: &mut T, entry: fn(&mut T) -> u8) -> Result<Pid> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK;
    // SAFETY: CLONE_VFORK keeps this frame, and so `argument`, out of use until the child is gone
    // from this memory.
    unsafe { launch(flags, stack, (&raw mut *argument).cast(), of_pointer(entry)) }
}

/// The same of a child that shares the descriptors besides: what it opens is open here.
pub fn spawn_for_descriptors<T>(
    stack: &mut Stack,
    argument: &mut T,
    entry: fn(&mut T) -> u8,
) -> Result<Pid> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    // SAFETY: as for `spawn`.
    unsafe { launch(flags, stack, (&raw mut *argument).cast(), of_pointer(entry)) }
}

/// The same of a child that has a mount namespace of its own, and shares the descriptors
/// besides: what it opens is open here.
pub fn spawn_apart<T>(stack: &mut Stack, argument: &mut T, entry: fn(&mut T) -> u8) -> Result<Pid> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::CLONE_NEWNS;
    // SAFETY: as for `spawn`.
    unsafe { launch(flags, stack, (&raw mut *argument).cast(), of_pointer(entry)) }
}

/// clone(2) as fork(2) does it: the new process goes on from here as well, on a copy of this
/// memory, and is given `None`.
pub fn fork() -> Result<Option<Pid>> {
    // SAFETY: without CLONE_VM, and without another stack, no memory is passed.
    let number = unsafe { call!(Sysno::clone, libc::SIGCHLD, 0, 0, 0, 0) }?;
    Ok(Pid::from_number(number as u64))
}

/// execve(2): on success it does not return.
pub fn execute(path: &CStr, arguments: Argv, environment: Argv) -> Errno {
    // SAFETY: the path and both vectors are NUL- and null-terminated and only read.
    let done =
        unsafe { perform!(Sysno::execve, path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    done.err().unwrap_or(Errno::EIO) // it never returns with success
}

/// execveat(2) of an open file, likewise. ENOSYS before Linux 3.19.
pub fn execute_open(file: Fd, arguments: Argv, environment: Argv) -> Errno {
    let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    let (arguments, environment) = (arguments.as_ptr(), environment.as_ptr());
    // SAFETY: the path and both vectors are NUL- and null-terminated and only read.
    let done =
        unsafe { perform!(Sysno::execveat, file.number(), path, arguments, environment, flags) };
    done.err().unwrap_or(Errno::EIO) // likewise
}

/// Gives this process a name for ps(1), which is otherwise that of the file: PR_SET_NAME.
pub fn set_name(name: &'static CStr) -> Result<()> {
    prctl(libc::PR_SET_NAME, name.as_ptr() as usize, 0)
}

/// How a child ended: the status of wait(2), and the microseconds of processors' time that it
/// and the children that it has waited for took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End(c_int, u64);

impl End {
    /// Whether it ended by itself, with status 0.
    pub fn is_success(self) -> bool {
        self.0 == 0
    }

    /// The signal that ended it; 0 for none.
    pub fn signal(self) -> u8 {
        (self.0 & 0x7f) as u8
    }

    /// The processors' time.
    pub fn microseconds(self) -> u64 {
        self.1
    }

    /// As a shell tells it: the child's own status, or 128 and the number of
    /// the signal that ended it.
    #[inline(never)]
    pub fn status(self) -> u8 {
        match self.signal() {
            0 => (self.0 >> 8) as u8,
            signal => 128 | signal,
        }
    }
}

/// The child that ended, if one did.
fn wait4(pid: c_int, options: c_int) -> Result<Option<(Pid, End)>> {
    let mut status: c_int = 0;
    // The kernel's `struct rusage`: seconds and microseconds, of the process's own and of the
    // kernel's in its name, and fourteen more. What libc has differs by C library.
    let mut usage: [c_long; 18] = [0; 18];
    loop {
        // SAFETY: the kernel writes one int, and the structure that the words are as large as.
        match unsafe { call!(Sysno::wait4, pid, &raw mut status, options, usage.as_mut_ptr()) } {
            Ok(0) => return Ok(None),
            Ok(number) => {
                let [user, user_micro, system, system_micro, ..] = usage;
                let time = (user + system) as u64 * 1_000_000 + (user_micro + system_micro) as u64;
                return Ok(Some((Pid(number as c_int), End(status, time))));
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// wait4(2) for any child, without sleeping: the one that ended, if one did.
/// ECHILD where there are none.
pub fn reap_any() -> Result<Option<(Pid, End)>> {
    wait4(-1, libc::WNOHANG)
}

/// wait4(2) for one child, sleeping until it has ended.
pub fn wait_for(child: Pid) -> Result<Option<(Pid, End)>> {
    wait4(child.0, 0)
}

/// kill(2) of one process. ESRCH if it is gone already.
pub fn send_signal(process: Pid, signal: c_int) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::kill, process.0, signal) }
}

/// getpid(2)
#[inline(never)]
pub fn own_pid() -> Pid {
    // SAFETY: no memory is passed; the call always succeeds.
    Pid(unsafe { call!(Sysno::getpid) }.unwrap_or(0) as c_int)
}

/// nanosleep(2), for so many milliseconds.
pub fn sleep(milliseconds: u32) {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1_000_000].map(u64::from);
    // A signal may cut the sleep short, which callers, who sleep between two looks, do not mind.
    let _ = arch::sleep(&time);
}

/// A limit of this process, by number: soft and hard (prlimit(2)).
pub fn limit(number: usize) -> Result<[u64; 2]> {
    let mut values = [0; 2];
    // SAFETY: the kernel writes a `struct rlimit64`, which is these two.
    unsafe { perform!(Sysno::prlimit64, 0, number, null::<u64>(), values.as_mut_ptr()) }?;
    Ok(values)
}

/// Sets a limit of this process (prlimit(2)). EPERM for a hard one above the
/// present, without CAP_SYS_RESOURCE in the first user namespace.
pub fn set_limit(number: usize, values: [u64; 2]) -> Result<()> {
    // SAFETY: the kernel reads a `struct rlimit64`, which is these two.
    unsafe { perform!(Sysno::prlimit64, 0, number, values.as_ptr(), null::<u64>()) }
}

/// setsid(2)
#[inline(never)]
pub fn new_session() -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { call!(Sysno::setsid) }.map(drop)
}

/// setpgid(2): a process group of this process's own, in its session.
pub fn new_process_group() -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::setpgid, 0, 0) }
}

#[inline(never)]
pub(super) fn prctl(option: c_int, value: usize, further: u32) -> Result<()> {
    // SAFETY: callers pass options that take plain numbers and give nothing.
    unsafe { perform!(Sysno::prctl, option, value, further, 0, 0) }
}

/// Lets the kernel kill this process when its parent ends (PR_SET_PDEATHSIG).
/// A change of the process's ids clears it.
pub fn die_with_parent() -> Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as usize, 0)
}

/// The same where nothing else tells that the parent has ended: ESRCH if it did before
/// the kernel knew.
pub fn die_with_this_parent() -> Result<()> {
    // SAFETY: no memory is passed; the call always succeeds.
    let parent = || unsafe { call!(Sysno::getppid) }.unwrap_or(0);
    let before = parent();
    die_with_parent()?;
    if parent() == before { Ok(()) } else { Err(Errno::ESRCH) }
}

/// Stops this process by SIGTSTP until it is continued, with every signal blocked before
/// and after; not at all where nobody could continue it, its
/// process group being orphaned (credentials(7)).
pub fn stop_self() -> Result<()> {
    send_signal(own_pid(), libc::SIGTSTP)?;
    unblock_one(libc::SIGTSTP)?;
    block_signals()
}

/// Opens or closes the memory and the /proc entries of this process, and of those
/// that share its memory, to processes of the same user (PR_SET_DUMPABLE).
/// execve(2) opens them again.
pub fn set_dumpable(open: bool) -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, usize::from(open), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_reads_as_in_a_shell() {
        for (raw, status) in [
            (0x0000, 0),
            (0x0100, 1),
            (0xff00, 255),
            (0x0009, 137),
            (0x008b, 139), // with a core dump
            (0x0040, 192),
        ] {
            assert_eq!(End(raw, 0).status(), status);
        }
    }

    #[test]
    fn a_cloned_process_works_on_a_copy_and_a_spawned_one_does_not() {
        let ([mut stack, ..], _) = Stack::map::<u8>(0).unwrap();
        let mut number = 1;
        let entry = |number: &mut i32| {
            *number += 1;
            *number as u8
        };
        let child = clone_process(0, &mut stack, &mut number, entry).unwrap();
        let (_, end) = wait_for(child).unwrap().unwrap();
        assert_eq!((end.status(), number), (2, 1));
        let child = spawn(&mut stack, &mut number, entry).unwrap();
        let (_, end) = wait_for(child).unwrap().unwrap();
        assert_eq!((end.status(), number), (2, 2));
    }
}

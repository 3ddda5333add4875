//! Filters of system calls: that of a file, and the default one. There, what reaches
//! past the container, or into corners of the kernel that a program in one has no use
//! for, is refused with an error; everything else is allowed.
//!
//! It is a constant, made when this is compiled. Arguments are compared by
//! their low 32 bits, which is what the kernel takes of each of those.

use syscalls::Sysno;

use crate::config::Config;
use crate::kernel::{self, Errno, Instruction, List};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Parts, parse_whole};

use crate::kernel::arch::{AUDIT_ARCH, FOREIGN_NUMBERS, OWN_ALLOWED, OWN_DENIED};

/// Refused with EPERM whatever their arguments.
const DENIED: &[Sysno] = &[
    // The mount table: the old calls and the new.
    Sysno::mount,
    Sysno::umount2,
    Sysno::pivot_root,
    Sysno::open_tree,
    Sysno::open_tree_attr,
    Sysno::move_mount,
    Sysno::fsopen,
    Sysno::fsconfig,
    Sysno::fsmount,
    Sysno::fspick,
    Sysno::mount_setattr,
    Sysno::statmount,
    Sysno::listmount,
    Sysno::setns,
    // Files by handle, which no root directory bounds (CVE-2014-3519's way).
    Sysno::open_by_handle_at,
    Sysno::name_to_handle_at,
    // The kernel as such.
    Sysno::bpf,
    Sysno::perf_event_open,
    Sysno::userfaultfd,
    Sysno::kexec_load,
    Sysno::init_module,
    Sysno::finit_module,
    Sysno::delete_module,
    Sysno::reboot,
    Sysno::swapon,
    Sysno::swapoff,
    Sysno::syslog,
    Sysno::acct,
    Sysno::quotactl,
    Sysno::quotactl_fd,
    Sysno::fanotify_init,
    Sysno::lookup_dcookie,
    Sysno::vhangup,
    Sysno::nfsservctl,
    // Clocks are the host's.
    Sysno::settimeofday,
    Sysno::clock_settime,
    Sysno::adjtimex,
    Sysno::clock_adjtime,
    // Keyrings know no namespaces (CVE-2016-0728 among others).
    Sysno::add_key,
    Sysno::request_key,
    Sysno::keyctl,
    // Other processes' memory and descriptors.
    Sysno::kcmp,
    Sysno::pidfd_getfd,
    Sysno::process_vm_readv,
    Sysno::process_vm_writev,
    Sysno::process_madvise,
];

/// As if the kernel had none of these: programs then do without. clone3 hides its flags from a
/// filter; io_uring does calls that no filter sees.
const ABSENT: &[Sysno] =
    &[Sysno::clone3, Sysno::io_uring_setup, Sysno::io_uring_enter, Sysno::io_uring_register];

/// The bits of a new namespace of any kind, as in clone(2) and unshare(2).
const NAMESPACES: u32 = 0x7e02_0000;

/// CLONE_NEWTIME, which clone(2) cannot take: there it is part of the signal.
const NEW_TIME: u32 = 0x80;

/// Put input into a terminal (CVE-2017-5226), or its selection (CVE-2023-1523):
/// tty_ioctl(4), ioctl_console(2).
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;

/// Puts another line discipline in the place of a terminal's own, of which the kernel loads one of
/// a serial network or a modem for everybody (CVE-2017-2636, CVE-2023-6546), and by which the next
/// to write there is kept from it.
const TIOCSETD: u32 = 0x5423;

/// PER_LINUX, and the question for the present one: personality(2).
const PERSONAS: &[u32] = &[0, 0xffff_ffff];

/// Unix, IPv4, IPv6, netlink, packet: address_families(7).
const FAMILIES: &[u32] = &[1, 2, 10, 16, 17];

/// The highest number that is known to be harmless or is decided about here.
const LAST: u32 = Sysno::last() as u32;

/// The verdicts, each of which stands once, at the end of the filter; the first is for
/// what no comparison decided.
const VERDICTS: [u32; 5] =
    [ALLOW, errno(libc::EPERM), errno(libc::ENOSYS), errno(libc::EAFNOSUPPORT), KILL];

/// What is a jump to each of them while the filter is put together, where a jump goes
/// over fewer instructions.
const TO_ALLOW: u8 = 255;
const TO_REFUSE: u8 = 254;
const TO_ABSENT: u8 = 253;
const TO_NO_FAMILY: u8 = 252;
const TO_KILL: u8 = 251;
/// The same for what comes behind the comparisons of numbers.
const TO_REST: u8 = 250;

/// What is to be done about each number.
type Verdicts = [u8; LAST as usize + 1];
/// That is not decided by the number alone.
const UNDECIDED: u8 = 0;
/// So many comparisons in a row, at most.
const LEAF: usize = 4;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

/// BPF: load the 32-bit word of `struct seccomp_data` at an offset.
const LOAD: u16 = 0x20;
/// BPF: compare with the operand.
const EQUAL: u16 = 0x15;
const NOT_BELOW: u16 = 0x35;
const ABOVE: u16 = 0x25;
const ANY_BIT: u16 = 0x45;
/// BPF: end with the operand as the verdict.
const RETURN: u16 = 0x06;

/// A whole filter, which lets everything through.
pub const ALLOW_ALL: Instruction =
    Instruction { code: RETURN, if_true: 0, if_false: 0, operand: ALLOW };

/// Offsets in `struct seccomp_data`: the number, the architecture, the low
/// halves of the arguments on a little-endian processor.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// How many instructions at the start of the default filter are for kernels before 4.8 only.
const FOR_OLD: usize = 2;

/// Room while the filter is put together.
const MOST: usize = 256;

/// So many instructions does the kernel take (BPF_MAXINSNS).
const LONGEST: usize = 4096;

/// Host side, before anything is done: the filter of `--security-opt seccomp=FILE`,
/// a `struct sock_filter` behind the other; empty if there is none to be read.
/// Whether it is a filter the kernel will say.
pub fn read<'a>(config: &Config, report: &mut Report) -> &'a [u8] {
    let mut bytes = List::new();
    if let Some(path) = config.filter_file() {
        let read = kernel::read_regular_file(path, &mut bytes).and_then(|()| {
            let (length, size) = (bytes.as_slice().len(), size_of::<Instruction>());
            let whole = length % size == 0 && (1..=LONGEST * size).contains(&length);
            if whole { Ok(()) } else { Err(Errno::EINVAL) }
        });
        report.step_on(Step::ReadFilter, path, read);
    }
    bytes.leak()
}

/// Goes under the default filter. Before Linux 4.8 the kernel asks the filter first and
/// the tracer then, who may make another call of one that was let through: there
/// ptrace(2) is refused as well (seccomp(2)). With `recent` it is known to be later.
pub fn load(recent: bool, report: &mut Report) {
    let mut names = kernel::Names::none();
    let old = !recent && is_old(names.release().to_bytes());
    let filter = DEFAULT.get(if old { 0 } else { FOR_OLD }..).unwrap_or(&DEFAULT);
    report.step(Step::Filter, kernel::set_filter(filter));
}

/// Whether a version, as `4.7.0-1-amd64`, is before 4.8, or is none.
fn is_old(release: &[u8]) -> bool {
    let mut parts = Parts::of(release, b'.');
    let mut next = || parts.next().and_then(parse_whole).unwrap_or(0);
    let major = next();
    major < 4 || major == 4 && next() < 8
}

struct Builder {
    instructions: [Instruction; MOST],
    length: usize,
}

#[allow(clippy::indexing_slicing)] // runs while compiling, where it fails the build
impl Builder {
    const fn add(&mut self, code: u16, if_true: u8, if_false: u8, operand: u32) {
        self.instructions[self.length] = Instruction { code, if_true, if_false, operand };
        self.length += 1;
    }

    /// The verdict on each call from `from` up to `to`, from a list of those that are refused
    /// by their number alone. A tree of comparisons: when the filter is loaded, the kernel goes
    /// through it once for every number there is (since Linux 5.11, to know what it always
    /// allows), and a chain takes twice the time.
    const fn tree(&mut self, verdicts: &Verdicts, from: usize, to: usize) {
        let runs = count_runs(verdicts, from, to);
        if runs > LEAF {
            let mut middle = from + 1;
            while count_runs(verdicts, from, middle) < runs / 2
                || verdicts[middle] != UNDECIDED && verdicts[middle] == verdicts[middle - 1]
            {
                middle += 1;
            }
            let split = self.length;
            self.add(NOT_BELOW, 0, 0, middle as u32);
            self.tree(verdicts, from, middle);
            self.instructions[split].if_true = (self.length - split - 1) as u8;
            return self.tree(verdicts, middle, to);
        }
        let (mut number, mut left) = (from, runs);
        while left > 0 {
            let (first, verdict) = (number, verdicts[number]);
            while number < to && verdicts[number] == verdict {
                number += 1;
            }
            if verdict == UNDECIDED {
                continue;
            }
            left -= 1;
            let (next, behind_next) = if left == 0 { (TO_REST, TO_REST) } else { (0, 1) };
            if number - first == 1 {
                self.add(EQUAL, verdict, next, first as u32);
            } else {
                self.add(NOT_BELOW, 0, behind_next, first as u32);
                self.add(ABOVE, next, verdict, number as u32 - 1);
            }
        }
    }

    /// What the tree did not decide comes here.
    const fn rest(&mut self) {
        let mut at = 0;
        while at < self.length {
            let far = (self.length - at - 1) as u8;
            let Instruction { if_true, if_false, .. } = &mut self.instructions[at];
            if *if_true == TO_REST {
                *if_true = far;
            }
            if *if_false == TO_REST {
                *if_false = far;
            }
            at += 1;
        }
    }

    /// For some calls, one verdict if an argument compares so with any of the operands,
    /// and another one if with none.
    const fn by_argument(
        &mut self,
        calls: &[Sysno],
        index: u32,
        code: u16,
        operands: &[u32],
        [if_any, if_none]: [u8; 2],
    ) {
        let mut behind = calls.len();
        while behind > 0 {
            behind -= 1;
            // To the load, or behind the comparisons.
            let otherwise = if behind == 0 { operands.len() + 1 } else { 0 };
            self.add(EQUAL, behind as u8, otherwise as u8, calls[behind] as u32);
        }
        self.add(LOAD, 0, 0, argument(index));
        let mut behind = operands.len();
        while behind > 0 {
            behind -= 1;
            self.add(code, if_any, if behind == 0 { if_none } else { 0 }, operands[behind]);
        }
    }

    /// Adds the verdicts, and lets the jumps to them go there.
    const fn end(&mut self) {
        let behind = self.length;
        let mut at = 0;
        while at < VERDICTS.len() {
            self.add(RETURN, 0, 0, VERDICTS[at]);
            at += 1;
        }
        let mut at = 0;
        while at < behind {
            let Instruction { code, if_true, if_false, operand } = self.instructions[at];
            let far = behind - at - 1;
            let (if_true, if_false) = (target(if_true, far), target(if_false, far));
            self.instructions[at] = Instruction { code, if_true, if_false, operand };
            at += 1;
        }
    }
}

/// Notes what is to be done about some calls.
#[allow(clippy::indexing_slicing)] // likewise
const fn list(verdicts: &mut Verdicts, calls: &[Sysno], verdict: u8) {
    let mut at = 0;
    while at < calls.len() {
        verdicts[calls[at] as usize] = verdict;
        at += 1;
    }
}

/// How many times, in a range of numbers, one or several in a row are decided alike.
#[allow(clippy::indexing_slicing)] // likewise
const fn count_runs(verdicts: &Verdicts, from: usize, to: usize) -> usize {
    let (mut number, mut last, mut runs) = (from, UNDECIDED, 0);
    while number < to {
        let verdict = verdicts[number];
        runs += (verdict != UNDECIDED && verdict != last) as usize;
        last = verdict;
        number += 1;
    }
    runs
}

/// How far a jump goes, from where the verdicts are so far away.
const fn target(jump: u8, far: usize) -> u8 {
    if jump < TO_KILL {
        return jump;
    }
    let far = far + (TO_ALLOW - jump) as usize;
    assert!(far < TO_KILL as usize);
    far as u8
}

#[allow(clippy::indexing_slicing)] // likewise
const fn build() -> Builder {
    let nothing = Instruction { code: 0, if_true: 0, if_false: 0, operand: 0 };
    let mut filter = Builder { instructions: [nothing; MOST], length: 0 };
    filter.add(LOAD, 0, 0, NUMBER);
    filter.add(EQUAL, TO_REFUSE, 0, Sysno::ptrace as u32);
    assert!(filter.length == FOR_OLD);
    filter.add(LOAD, 0, 0, ARCHITECTURE);
    filter.add(EQUAL, 0, TO_KILL, AUDIT_ARCH);
    filter.add(LOAD, 0, 0, NUMBER);
    let mut at = 0;
    while at < OWN_ALLOWED.len() {
        filter.add(EQUAL, TO_ALLOW, 0, OWN_ALLOWED[at]);
        at += 1;
    }
    // Also the foreign ones, which all are higher.
    const { assert!(FOREIGN_NUMBERS > LAST) };
    filter.add(ABOVE, TO_ABSENT, 0, LAST);
    let mut verdicts = [UNDECIDED; LAST as usize + 1];
    list(&mut verdicts, ABSENT, TO_ABSENT);
    list(&mut verdicts, DENIED, TO_REFUSE);
    list(&mut verdicts, OWN_DENIED, TO_REFUSE);
    filter.tree(&verdicts, 0, verdicts.len());
    filter.rest();
    let refused = [TO_REFUSE, TO_ALLOW];
    filter.by_argument(&[Sysno::clone], 0, ANY_BIT, &[NAMESPACES], refused);
    filter.by_argument(&[Sysno::unshare], 0, ANY_BIT, &[NAMESPACES | NEW_TIME], refused);
    filter.by_argument(&[Sysno::ioctl], 1, EQUAL, &[TIOCSTI, TIOCLINUX, TIOCSETD], refused);
    filter.by_argument(&[Sysno::personality], 0, EQUAL, PERSONAS, [TO_ALLOW, TO_REFUSE]);
    let sockets = &[Sysno::socket, Sysno::socketpair];
    filter.by_argument(sockets, 0, EQUAL, FAMILIES, [TO_ALLOW, TO_NO_FAMILY]);
    filter.end();
    filter
}

/// The filter; what is for old kernels stands first.
pub static DEFAULT: [Instruction; build().length] = {
    let built = build();
    let (filter, _) = built.instructions.split_at(build().length);
    let mut exact = [Instruction { code: 0, if_true: 0, if_false: 0, operand: 0 }; build().length];
    exact.copy_from_slice(filter);
    exact
};

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do: runs the filter from an instruction on over a system call.
    fn verdict_from(start: usize, architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = [0; 16];
        data[0] = number;
        data[1] = architecture;
        for (at, argument) in arguments.into_iter().enumerate() {
            data[4 + 2 * at] = argument as u32;
            data[5 + 2 * at] = (argument >> 32) as u32;
        }
        let (mut at, mut word) = (start, 0);
        loop {
            let Instruction { code, if_true, if_false, operand } = DEFAULT[at];
            at += 1;
            let holds = match code {
                LOAD => {
                    word = data[operand as usize / 4];
                    continue;
                }
                RETURN => return operand,
                EQUAL => word == operand,
                NOT_BELOW => word >= operand,
                ABOVE => word > operand,
                ANY_BIT => word & operand != 0,
                other => panic!("no such instruction: {other:#x}"),
            };
            at += usize::from(if holds { if_true } else { if_false });
        }
    }

    fn verdict(architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        verdict_from(FOR_OLD, architecture, number, arguments)
    }

    fn of(call: Sysno, first: u64, second: u64) -> u32 {
        verdict(AUDIT_ARCH, call as u32, [first, second, 0, 0, 0, 0])
    }

    #[test]
    fn each_call_has_its_verdict() {
        for number in 0..=LAST {
            let Some(call) = Sysno::new(number as usize) else { continue };
            let listed = |list: &[Sysno]| list.contains(&call);
            let want = if listed(ABSENT) {
                errno(libc::ENOSYS)
            } else if listed(DENIED) || listed(OWN_DENIED) {
                errno(libc::EPERM)
            } else if call == Sysno::socket || call == Sysno::socketpair {
                errno(libc::EAFNOSUPPORT) // family 0
            } else {
                ALLOW
            };
            assert_eq!(of(call, 0, 0), want, "{call}");
        }
    }

    #[test]
    fn foreign_calls_are_refused() {
        // i686, armv7, x86_64, aarch64, riscv64
        for other in [0x4000_0003, 0x4000_0028, 0xc000_003e, 0xc000_00b7, 0xc000_00f3] {
            let own = other == AUDIT_ARCH;
            assert_eq!(
                verdict(other, Sysno::getpid as u32, [0; 6]),
                if own { ALLOW } else { KILL }
            );
        }
        for number in [LAST + 1, 1000, 0x000f_0003, 0x0090_0014, 0x4000_0000, 0x4000_0027, u32::MAX]
        {
            assert_eq!(verdict(AUDIT_ARCH, number, [0; 6]), errno(libc::ENOSYS), "{number:#x}");
        }
        for number in OWN_ALLOWED {
            assert_eq!(verdict(AUDIT_ARCH, *number, [0; 6]), ALLOW, "{number:#x}");
        }
    }

    #[test]
    fn arguments_count_by_their_low_half() {
        let (yes, no) = (ALLOW, errno(libc::EPERM));
        let high = 0x1234_5678_0000_0000;
        for bit in [17, 25, 26, 27, 28, 29, 30] {
            assert_eq!(of(Sysno::clone, 1 << bit, 0), no, "clone, bit {bit}");
            assert_eq!(of(Sysno::unshare, high | 1 << bit, 0), no, "unshare, bit {bit}");
        }
        for (call, first, second, want) in [
            (Sysno::clone, 0x0100_0011, 0, yes), // a process, as in fork(3)
            (Sysno::clone, 0x003d_0f00, 0, yes), // a thread, as of pthread_create(3)
            (Sysno::unshare, 0x80, 0, no),
            (Sysno::unshare, 0x200, 0, yes), // CLONE_FS
            (Sysno::ioctl, 0, 0x5401, yes),  // TCGETS
            (Sysno::ioctl, 0, 0x5412, no),
            (Sysno::ioctl, 0, high | 0x5412, no),
            (Sysno::ioctl, 0, high | 0x541c, no),
            (Sysno::personality, 0, 0, yes),
            (Sysno::personality, 0xffff_ffff, 0, yes),
            (Sysno::personality, 0x0040_0000, 0, no), // READ_IMPLIES_EXEC
        ] {
            assert_eq!(of(call, first, second), want, "{call} {first:#x} {second:#x}");
        }
        for family in 0..64 {
            let known = [1, 2, 10, 16, 17].contains(&family);
            let want = if known { yes } else { errno(libc::EAFNOSUPPORT) };
            assert_eq!(of(Sysno::socket, family, 0), want, "family {family}");
            assert_eq!(of(Sysno::socketpair, high | family, 0), want, "family {family}");
        }
    }

    #[test]
    fn ptrace_is_refused_before_linux_4_8_only() {
        for (release, old) in [
            ("4.8.0", false),
            ("4.10.0-rc1", false),
            ("4.19.0-27-amd64", false),
            ("5.4.0", false),
            ("6.18.5", false),
            ("10.0.0", false),
            ("4.7.10-1-amd64", true),
            ("4.4.0", true),
            ("3.10.0-1160.el7.x86_64", true),
            ("2.6.60", true), // also what uname(2) says under the personality UNAME26
            ("", true),
            ("unknown", true),
        ] {
            assert_eq!(is_old(release.as_bytes()), old, "{release}");
        }
        for number in 0..=LAST {
            let [old, new] =
                [0, FOR_OLD].map(|start| verdict_from(start, AUDIT_ARCH, number, [0; 6]));
            if number == Sysno::ptrace as u32 {
                assert_eq!((old, new), (errno(libc::EPERM), ALLOW));
            } else {
                assert_eq!(old, new, "{number}");
            }
        }
        assert_eq!(verdict_from(0, !AUDIT_ARCH, 20, [0; 6]), KILL);
    }
}

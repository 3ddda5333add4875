//! Credentials: ids, capabilities, and what can only be given up.

use core::ffi::c_int;

use syscalls::Sysno;

use super::process::prctl;
use super::{Result, arch, call, left_out, perform};

/// The kernel's `struct __user_cap_header_struct`, for this process.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

/// Version 3 of capset(2), of Linux 2.6.26: 64 capabilities in two halves.
const CAPABILITIES: CapabilityHeader = CapabilityHeader { version: 0x2008_0522, pid: 0 };

/// capget(2): the permitted set. The kernel's two `struct __user_cap_data_struct` are, for
/// the low half of the sets and for the high one, effective, permitted, inheritable.
pub fn capabilities() -> Result<u64> {
    let mut halves = [0u32; 6];
    let mut header = CAPABILITIES;
    // SAFETY: the header is read, and written if the kernel has no such version; both halves are
    // written.
    unsafe { perform!(Sysno::capget, &raw mut header, halves.as_mut_ptr()) }?;
    let [_, low, _, _, high, _] = halves;
    Ok(u64::from(high) << 32 | u64::from(low))
}

/// capset(2): makes `set` the permitted and the effective set, and `inheritable`
/// what its name says; what is not in both leaves the ambient set too
/// (capabilities(7)). EPERM for one that is not permitted now.
pub fn set_capabilities(set: u64, inheritable: u64) -> Result<()> {
    let inheritable = if left_out(c"empty inheritable set") { set } else { inheritable };
    let (low, high) = (set as u32, (set >> 32) as u32);
    let halves = [low, low, inheritable as u32, high, high, (inheritable >> 32) as u32];
    let mut header = CAPABILITIES;
    // SAFETY: the header is as for capget(2), and both halves are only read.
    unsafe { perform!(Sysno::capset, &raw mut header, halves.as_ptr()) }
}

/// Lets the permitted set pass through the change of ids to come, until the next
/// execve(2): PR_SET_KEEPCAPS.
pub fn keep_capabilities() -> Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, 1, 0)
}

/// Puts a capability that is permitted and inheritable into the ambient set, which
/// execve(2) gives to whoever is not root (PR_CAP_AMBIENT). EINVAL before Linux 4.3.
pub fn raise_ambient(capability: u32) -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as usize, capability)
}

/// Takes a capability out of the bounding set (PR_CAPBSET_DROP): no later
/// execve(2) gives it back. EINVAL behind the last one that this kernel knows.
pub fn drop_from_bounding_set(capability: u32) -> Result<()> {
    prctl(libc::PR_CAPBSET_DROP, capability as usize, 0)
}

/// Forbids execve(2) to give more than there is: PR_SET_NO_NEW_PRIVS.
pub fn set_no_new_privileges() -> Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)
}

/// setgroups(2): exactly these. EINVAL for more than 65536, or for one that this user
/// namespace does not map.
pub fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads as many as the length says.
    unsafe { perform!(arch::SETGROUPS, groups.len(), groups.as_ptr()) }
}

/// setresgid(2) and then setresuid(2), all three of each. Away from 0 this
/// empties the permitted and effective sets.
pub fn set_ids(user: u32, group: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(arch::SETRESGID, group, group, group) }?;
    // SAFETY: no memory is passed.
    unsafe { perform!(arch::SETRESUID, user, user, user) }
}

/// keyctl(2) KEYCTL_JOIN_SESSION_KEYRING: a new and empty session keyring.
pub fn new_session_keyring() -> Result<()> {
    const JOIN_SESSION_KEYRING: c_int = 1;
    // SAFETY: no name is passed.
    unsafe { call!(Sysno::keyctl, JOIN_SESSION_KEYRING, 0) }.map(drop)
}

/// One instruction of a seccomp(2) filter: the kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// Instructions to leave out if a comparison holds.
    pub if_true: u8,
    /// And if it does not.
    pub if_false: u8,
    /// Its operand.
    pub operand: u32,
}

/// The kernel's `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// Puts a filter on all further system calls of this process and its
/// descendants (PR_SET_SECCOMP, Linux 3.5). Asks for CAP_SYS_ADMIN or
/// no_new_privs.
pub fn set_filter(instructions: &[Instruction]) -> Result<()> {
    // SAFETY: the slice's own length.
    unsafe { load_filter(instructions.len(), instructions.as_ptr()) }
}

/// The same with instructions as they lie in a file. EINVAL for what is no filter.
pub fn set_filter_bytes(program: &[u8]) -> Result<()> {
    // SAFETY: so many whole instructions are in it; the kernel copies them and does not mind
    // how they are aligned.
    unsafe { load_filter(program.len() / size_of::<Instruction>(), program.as_ptr().cast()) }
}

/// # Safety
/// So many instructions are readable there.
unsafe fn load_filter(length: usize, instructions: *const Instruction) -> Result<()> {
    let program = Program { length: length as u16, instructions };
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the caller's promise.
    unsafe { perform!(Sysno::prctl, libc::PR_SET_SECCOMP, mode, &raw const program, 0, 0) }
}

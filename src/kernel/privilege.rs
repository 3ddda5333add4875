//! Credentials: ids, capabilities, and what can only be given up.

use core::ffi::c_int;
use core::ptr::null;

use syscalls::Sysno;

use super::{Result, call, left_out, perform};

/// The kernel's `struct __user_cap_header_struct`, for this process.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

/// Version 3 of capset(2), of Linux 2.6.26: 64 capabilities in two halves.
const CAPABILITIES: CapabilityHeader = CapabilityHeader { version: 0x2008_0522, pid: 0 };

/// Half of the sets: the kernel's `struct __user_cap_data_struct`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// capget(2): the permitted set.
pub fn capabilities() -> Result<u64> {
    let mut halves = [CapabilityData { effective: 0, permitted: 0, inheritable: 0 }; 2];
    let mut header = CAPABILITIES;
    // SAFETY: the header is read, and written if the kernel has no such version; both halves are
    // written.
    unsafe { perform!(Sysno::capget, &raw mut header, halves.as_mut_ptr()) }?;
    let [low, high] = halves.map(|half| u64::from(half.permitted));
    Ok(high << 32 | low)
}

/// capset(2): makes these the permitted and the effective set, and empties the
/// inheritable and, with it, the ambient one (capabilities(7)). EPERM for one that is not
/// permitted now.
pub fn set_capabilities(set: u64) -> Result<()> {
    let half = |bits: u32| {
        let inheritable = if left_out(c"empty inheritable set") { bits } else { 0 };
        CapabilityData { effective: bits, permitted: bits, inheritable }
    };
    let halves = [half(set as u32), half((set >> 32) as u32)];
    let mut header = CAPABILITIES;
    // SAFETY: the header is as for capget(2), and both halves are only read.
    unsafe { perform!(Sysno::capset, &raw mut header, halves.as_ptr()) }
}

/// Takes a capability out of the bounding set (PR_CAPBSET_DROP): no later
/// execve(2) gives it back. EINVAL behind the last one that this kernel knows.
pub fn drop_from_bounding_set(capability: u32) -> Result<()> {
    super::process::prctl(libc::PR_CAPBSET_DROP, capability as usize).map(drop)
}

/// Forbids execve(2) to give more than there is: PR_SET_NO_NEW_PRIVS.
pub fn set_no_new_privileges() -> Result<()> {
    super::process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map(drop)
}

/// setgroups(2) to none.
pub fn clear_groups() -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::setgroups, 0, null::<u32>()) }
}

/// setresgid(2) and then setresuid(2), all three of each. Away from 0 this
/// empties the permitted and effective sets.
pub fn set_ids(user: u32, group: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::setresgid, group, group, group) }?;
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::setresuid, user, user, user) }
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
    let program =
        Program { length: instructions.len() as u16, instructions: instructions.as_ptr() };
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the kernel copies as many instructions as the length says.
    unsafe { perform!(Sysno::prctl, libc::PR_SET_SECCOMP, mode, &raw const program, 0, 0) }
}

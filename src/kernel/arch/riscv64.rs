//! riscv64: arguments of a system call in a0 to a5, its number in a7.

use core::arch::naked_asm;
use core::ffi::c_void;

use syscalls::Sysno;

/// Makes `_start`, which calls the given function with the initial stack pointer.
#[macro_export]
macro_rules! entry {
    ($start:path) => {
        /// Where the kernel begins the process.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "mv s0, zero", // the outermost frame
                "mv ra, zero",
                "mv a0, sp",   // the first argument; sp is 16-byte aligned at execve
                "call {start}",
                "unimp",       // it does not return
                start = sym $start,
            )
        }
    };
}

/// clone(2) onto a new stack: the parent gets the child's pid or a negative
/// errno; the child calls `entry(argument)` and never returns into the
/// frames of its parent. Unlike x86_64, tls comes before child_tid.
///
/// # Safety
/// `stack_top` is the 16-byte aligned end of writable memory that nothing else
/// uses while the child runs, and `argument` is what `entry` expects.
#[unsafe(naked)]
pub unsafe extern "C" fn clone(
    flags: usize,
    stack_top: *mut c_void,
    entry: unsafe extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> isize {
    naked_asm!(
        "addi a1, a1, -16",
        "sd a2, 0(a1)", // the child finds `entry` on its stack,
        "sd a3, 8(a1)", // and `argument` above it
        "mv a2, zero",  // no parent_tid
        "mv a3, zero",  // no tls
        "mv a4, zero",  // no child_tid
        "li a7, {clone}",
        "ecall",
        "beqz a0, 2f",
        "ret",
        "2:",
        "mv s0, zero", // the child's outermost frame
        "mv ra, zero",
        "ld a1, 0(sp)",
        "ld a0, 8(sp)",
        "addi sp, sp, 16",
        "jalr a1",
        "unimp",
        clone = const libc::SYS_clone,
    )
}

/// Goes on with `entry(argument)` on another stack and leaves this one behind.
///
/// # Safety
/// `stack_top` is the 16-byte aligned end of writable memory that nothing else
/// uses from now on, and `argument` is what `entry` expects.
#[unsafe(naked)]
pub unsafe extern "C" fn switch_stack(
    stack_top: *mut c_void,
    entry: unsafe extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> ! {
    naked_asm!(
        "mv sp, a0",
        "mv a0, a2",
        "mv s0, zero", // the outermost frame
        "mv ra, zero",
        "jalr a1",
        "unimp",
    )
}

/// What a seccomp(2) filter sees as this architecture (AUDIT_ARCH_RISCV64).
pub const AUDIT_ARCH: u32 = 0xc000_00f3;

/// No numbers of another ABI come under this architecture.
pub const FOREIGN_NUMBERS: u32 = u32::MAX;

/// Nor are there numbers of its own above those.
pub const OWN_ALLOWED: &[u32] = &[];

/// There are no old interfaces here.
pub const OWN_DENIED: &[Sysno] = &[Sysno::kexec_file_load];

/// No such device is known here.
pub const EXIT_DEVICE: &core::ffi::CStr = c" ";

/// Does nothing.
///
/// # Safety
/// There is nothing to mind.
pub unsafe fn leave_machine(_: u32, _: u8) {}

//! aarch64: arguments of a system call in x0 to x5, its number in x8.

use core::arch::asm;
use core::ffi::CStr;

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
                "mov x29, xzr", // the outermost frame
                "mov x30, xzr",
                "mov x0, sp",   // the first argument; sp is 16-byte aligned at execve
                "bl {start}",
                "brk #0",       // it does not return
                start = sym $start,
            )
        }
    };
}

trampolines! {
    clone:
        "mov x8, {clone}", // `entry` and `argument` stay in registers
        "svc #0",
        "cbz x0, 2f",
        "ret",
        "2:",
        "mov x29, xzr", // the child's outermost frame
        "mov x30, xzr",
        "mov x0, x3",
        "blr x2",
        "brk #0",
    switch_stack:
        "mov sp, x0",
        "mov x0, x2",
        "mov x29, xzr", // the outermost frame
        "mov x30, xzr",
        "blr x1",
        "brk #0",
}

/// What a seccomp(2) filter sees as this architecture (AUDIT_ARCH_AARCH64).
pub const AUDIT_ARCH: u32 = 0xc000_00b7;

/// No numbers of another ABI come under this architecture.
pub const FOREIGN_NUMBERS: u32 = u32::MAX;

/// Nor are there numbers of its own above those.
pub const OWN_ALLOWED: &[u32] = &[];

/// There are no old interfaces here.
pub const OWN_DENIED: &[Sysno] = &[Sysno::kexec_file_load];

/// Ends a QEMU that was told to listen (`-semihosting`), with the same status.
pub const EXIT_DEVICE: &CStr = c"semihosting";

/// SYS_EXIT_EXTENDED of Arm's semihosting, with ADP_Stopped_ApplicationExit: returns from
/// nobody who listens. Where nobody does, it is no instruction (SIGILL).
///
/// # Safety
/// Whoever listens does nothing to this process's memory.
pub unsafe fn leave_machine(_: u32, status: u8) {
    let block = [0x2_0026, u64::from(status)];
    // SAFETY: the block of two words is readable.
    unsafe {
        asm!("hlt #0xf000", inout("x0") 0x20u64 => _, in("x1") block.as_ptr(), options(nostack));
    }
}

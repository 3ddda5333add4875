//! riscv64: arguments of a system call in a0 to a5, its number in a7.

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

trampolines! {
    clone:
        "li a7, {clone}", // `entry` and `argument` stay in registers
        "ecall",
        "beqz a0, 2f",
        "ret",
        "2:",
        "mv s0, zero", // the child's outermost frame
        "mv ra, zero",
        "mv a0, a3",
        "jalr a2",
        "unimp",
    switch_stack:
        "mv sp, a0",
        "mv a0, a2",
        "mv s0, zero", // the outermost frame
        "mv ra, zero",
        "jalr a1",
        "unimp",
}

/// What a seccomp(2) filter sees as this architecture (AUDIT_ARCH_RISCV64).
pub const AUDIT_ARCH: u32 = 0xc000_00f3;

/// No numbers of another ABI come under this architecture.
pub const FOREIGN_NUMBERS: u32 = u32::MAX;

/// Nor are there numbers of its own above those.
pub const OWN_ALLOWED: &[u32] = &[];

/// There are no old interfaces here.
pub const OWN_DENIED: &[Sysno] = &[Sysno::kexec_file_load];

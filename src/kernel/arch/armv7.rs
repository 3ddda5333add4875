//! armv7, EABI: arguments of a system call in r0 to r5, its number in r7.
//! Arguments of 64 bits would take an even register and the next one; no call
//! that thimble makes has one.

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
                "mov r11, #0",  // the outermost frame
                "mov lr, #0",
                "mov r0, sp",   // the first argument
                "bic r1, r0, #7",
                "mov sp, r1",   // as the C calling convention wants it
                "bl {start}",
                "udf #0",       // it does not return
                start = sym $start,
            )
        }

        /// Where frames are walked through after a panic: named by the tables of the
        /// precompiled core library, and never called.
        #[unsafe(no_mangle)]
        extern "C" fn __aeabi_unwind_cpp_pr0() {}

        /// The same for larger frames.
        #[unsafe(no_mangle)]
        extern "C" fn __aeabi_unwind_cpp_pr1() {}
    };
}

trampolines! {
    clone:
        "push {{r4, r7}}",  // which the caller wants back
        "mov r7, #{clone}", // `entry` and `argument` stay in registers
        "svc #0",
        "cmp r0, #0",
        "beq 2f",
        "pop {{r4, r7}}",
        "bx lr",
        "2:",
        "mov r11, #0", // the child's outermost frame
        "mov lr, #0",
        "mov r0, r3",
        "blx r2", // sp is stack_top: aligned for the call
        "udf #0",
    switch_stack:
        "mov sp, r0",
        "mov r0, r2",
        "mov r11, #0", // the outermost frame
        "mov lr, #0",
        "blx r1",
        "udf #0",
}

/// What a seccomp(2) filter sees as this architecture (AUDIT_ARCH_ARM).
pub const AUDIT_ARCH: u32 = 0x4000_0028;

/// Numbers from here on are of the older ABI (__NR_OABI_SYSCALL_BASE).
pub const FOREIGN_NUMBERS: u32 = 0x0090_0000;

/// The numbers of its own (__ARM_NR_BASE): breakpoint, cacheflush, set_tls and get_tls, of
/// which every program with threads needs one and every one with a compiler another.
pub const OWN_ALLOWED: &[u32] = &[0x000f_0001, 0x000f_0002, 0x000f_0005, 0x000f_0006];

/// System calls that not every architecture has and that a container has no
/// use for: the clock's by 64 bits, and old interfaces to modules and the bus.
pub const OWN_DENIED: &[Sysno] = &[
    Sysno::clock_settime64,
    Sysno::clock_adjtime64,
    Sysno::kexec_file_load,
    Sysno::uselib,
    Sysno::_sysctl,
    Sysno::sysfs,
    Sysno::ustat,
    Sysno::bdflush,
    Sysno::pciconfig_iobase,
    Sysno::pciconfig_read,
    Sysno::pciconfig_write,
];

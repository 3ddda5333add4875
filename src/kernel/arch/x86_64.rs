//! x86_64: arguments of a system call in rdi rsi rdx r10 r8 r9, its number in
//! rax; `syscall` overwrites rcx and r11.

use core::arch::asm;

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
                "xor ebp, ebp",  // the outermost frame
                "mov rdi, rsp",  // the first argument
                "and rsp, -16",  // as the C calling convention wants it before a call
                "call {start}",
                "ud2",           // it does not return
                start = sym $start,
            )
        }
    };
}

trampolines! {
    clone:
        "mov r8, rcx", // `entry` and `argument` stay in registers
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp", // the child's outermost frame
        "mov rdi, r8",
        "call rdx", // rsp is stack_top: aligned for the call
        "ud2",
    switch_stack:
        "mov rsp, rdi", // aligned for the call
        "mov rdi, rdx",
        "xor ebp, ebp", // the outermost frame
        "call rsi",
        "ud2",
}

/// Copies `length` bytes, lowest address first.
///
/// # Safety
/// `from` is readable and `to` writable for `length` bytes.
#[inline(always)]
pub unsafe fn copy_forward(to: *mut u8, from: *const u8, length: usize) {
    // SAFETY: the caller's promise; the direction flag is clear by the calling convention.
    unsafe {
        asm!("rep movsb", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") length => _,
             options(nostack, preserves_flags));
    }
}

/// Sets `length` bytes to `byte`.
///
/// # Safety
/// `to` is writable for `length` bytes.
#[inline(always)]
pub unsafe fn fill(to: *mut u8, byte: u8, length: usize) {
    // SAFETY: the caller's promise; the direction flag is clear by the calling convention.
    unsafe {
        asm!("rep stosb", inout("rdi") to => _, in("al") byte, inout("rcx") length => _,
             options(nostack, preserves_flags));
    }
}

/// What a seccomp(2) filter sees as this architecture (AUDIT_ARCH_X86_64).
pub const AUDIT_ARCH: u32 = 0xc000_003e;

/// Numbers from here on are of the x32 ABI (__X32_SYSCALL_BIT).
pub const FOREIGN_NUMBERS: u32 = 0x4000_0000;

/// None above those is its own.
pub const OWN_ALLOWED: &[u32] = &[];

/// System calls that not every architecture has and that a container has no
/// use for: the old interfaces to segments, ports and modules.
pub const OWN_DENIED: &[Sysno] = &[
    Sysno::iopl,
    Sysno::ioperm,
    Sysno::modify_ldt,
    Sysno::create_module,
    Sysno::get_kernel_syms,
    Sysno::query_module,
    Sysno::uselib,
    Sysno::_sysctl,
    Sysno::sysfs,
    Sysno::ustat,
    Sysno::kexec_file_load,
];

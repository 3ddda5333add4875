//! i686: arguments of a system call in ebx ecx edx esi edi ebp, its number in
//! eax; those of a function on the stack, lowest first.

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
                "xor ebp, ebp", // the outermost frame
                "mov eax, esp",
                "and esp, -16",
                "sub esp, 12",  // aligned to 16 bytes before a call, the argument included
                "push eax",     // the first argument
                "call {start}",
                "ud2",          // it does not return
                start = sym $start,
            )
        }
    };
}

trampolines! {
    clone:
        "push ebx", // which the caller wants back
        "push esi",
        "mov ebx, [esp + 12]", // flags
        "mov ecx, [esp + 16]", // stack_top
        "mov edx, [esp + 20]", // `entry` and `argument` stay in registers
        "mov esi, [esp + 24]",
        "mov eax, {clone}",
        "int 0x80",
        "test eax, eax",
        "jz 2f",
        "pop esi",
        "pop ebx",
        "ret",
        "2:",
        "xor ebp, ebp", // the child's outermost frame
        "sub esp, 12",
        "push esi", // aligned for the call
        "call edx",
        "ud2",
    switch_stack:
        "mov eax, [esp + 4]", // stack_top
        "mov ecx, [esp + 8]", // entry
        "mov edx, [esp + 12]",
        "lea esp, [eax - 16]", // aligned for the call
        "mov [esp], edx",      // argument
        "xor ebp, ebp",        // the outermost frame
        "call ecx",
        "ud2",
}

/// Copies `length` bytes, lowest address first.
///
/// # Safety
/// `from` is readable and `to` writable for `length` bytes.
#[inline(always)]
pub unsafe fn copy_forward(to: *mut u8, from: *const u8, length: usize) {
    // SAFETY: the caller's promise; the direction flag is clear by the calling convention. The
    // compiler keeps esi for itself, and has it back afterwards.
    unsafe {
        asm!("xchg esi, {from}", "rep movsb", "xchg esi, {from}",
             from = inout(reg) from => _, inout("edi") to => _, inout("ecx") length => _,
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
        asm!("rep stosb", inout("edi") to => _, in("al") byte, inout("ecx") length => _,
             options(nostack, preserves_flags));
    }
}

/// What a seccomp(2) filter sees as this architecture (AUDIT_ARCH_I386).
pub const AUDIT_ARCH: u32 = 0x4000_0003;

/// No numbers of another ABI come under this architecture.
pub const FOREIGN_NUMBERS: u32 = u32::MAX;

/// Nor are there numbers of its own above those.
pub const OWN_ALLOWED: &[u32] = &[];

/// System calls that not every architecture has and that a container has no use for: older and
/// newer ways to mounts and clocks, and the old interfaces to segments, ports and modules.
///
/// Not among them is socketcall(2), by which C libraries make their sockets where they are to
/// run on kernels before Linux 4.3. Its arguments lie in memory, where no filter sees them: by
/// it, sockets of every family can be had.
pub const OWN_DENIED: &[Sysno] = &[
    Sysno::umount,
    Sysno::stime,
    Sysno::clock_settime64,
    Sysno::clock_adjtime64,
    Sysno::vm86,
    Sysno::vm86old,
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
    Sysno::bdflush,
];

//! What differs between processors: one file each, with the same items, and one
//! for each width of a word.

/// Makes the two functions that leave the stack of their caller, of their instructions.
macro_rules! trampolines {
    (clone: $($clone:literal,)* switch_stack: $($switch:literal,)*) => {
        /// clone(2) onto a new stack: the parent gets the child's pid or a negative
        /// errno; the child calls `entry(argument)` and never returns into the
        /// frames of its parent. It begins with a copy of its registers, and the kernel does not
        /// look at parent_tid, child_tid and tls without the flags that ask for them.
        ///
        /// # Safety
        /// `stack_top` is the 16-byte aligned end of writable memory that nothing else
        /// uses while the child runs, and `argument` is what `entry` expects.
        #[unsafe(naked)]
        pub unsafe extern "C" fn clone(
            flags: usize,
            stack_top: *mut core::ffi::c_void,
            entry: unsafe extern "C" fn(*mut core::ffi::c_void) -> !,
            argument: *mut core::ffi::c_void,
        ) -> isize {
            core::arch::naked_asm!($($clone,)* clone = const libc::SYS_clone)
        }

        /// Goes on with `entry(argument)` on another stack and leaves this one behind.
        ///
        /// # Safety
        /// `stack_top` is the 16-byte aligned end of writable memory that nothing else
        /// uses from now on, and `argument` is what `entry` expects.
        #[unsafe(naked)]
        pub unsafe extern "C" fn switch_stack(
            stack_top: *mut core::ffi::c_void,
            entry: unsafe extern "C" fn(*mut core::ffi::c_void) -> !,
            argument: *mut core::ffi::c_void,
        ) -> ! {
            core::arch::naked_asm!($($switch,)*)
        }
    };
}

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "arm")]
mod armv7;
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
mod bytes;
#[cfg(target_arch = "x86")]
mod i686;
#[cfg(any(target_arch = "arm", target_arch = "riscv64"))]
mod no_device;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod ports;
#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_pointer_width = "32")]
mod words32;
#[cfg(target_pointer_width = "64")]
mod words64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "arm")]
pub use armv7::*;
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
pub use bytes::*;
#[cfg(target_arch = "x86")]
pub use i686::*;
#[cfg(any(target_arch = "arm", target_arch = "riscv64"))]
pub use no_device::*;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub use ports::*;
#[cfg(target_arch = "riscv64")]
pub use riscv64::*;
#[cfg(target_pointer_width = "32")]
pub use words32::*;
#[cfg(target_pointer_width = "64")]
pub use words64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

/// Bytes of the largest page that a kernel for this processor may have.
pub const LARGEST_PAGE: usize = if cfg!(target_arch = "aarch64") { 64 << 10 } else { 4 << 10 };

/// The kernel's `struct __kernel_timespec`, the same on every processor: seconds and
/// nanoseconds.
pub type Time = [u64; 2];

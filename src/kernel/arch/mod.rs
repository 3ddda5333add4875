//! What differs between processors: one file each, with the same items, and one
//! for each width of a word.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "arm")]
mod armv7;
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
mod bytes;
#[cfg(target_arch = "x86")]
mod i686;
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
#[cfg(target_arch = "riscv64")]
pub use riscv64::*;
#[cfg(target_pointer_width = "32")]
pub use words32::*;
#[cfg(target_pointer_width = "64")]
pub use words64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

/// The kernel's `struct __kernel_timespec`, the same on every processor: seconds and
/// nanoseconds.
pub type Time = [u64; 2];

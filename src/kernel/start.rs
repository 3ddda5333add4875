//! What a C library would bring to the executable: the first function, the
//! panic handler, and the memory functions that the compiler calls. It belongs
//! to the bin alone; the library's tests have all of this from std.

use core::ptr::NonNull;

use thimble::kernel;

/// The first Rust code of the process, called by the entry point with the
/// stack pointer as execve(2) left it.
///
/// # Safety
/// `stack` must be that initial stack pointer.
pub unsafe extern "C" fn start(stack: NonNull<usize>) -> ! {
    // SAFETY: the caller's promise.
    unsafe { kernel::begin_with(stack, thimble::main) }
}

/// Nothing in the program is meant to panic; should it, the process ends as
/// on any failure of thimble's own, without a text that would cost its bytes.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    thimble::give_up()
}

/// The precompiled core library refers to this name where it was built to
/// unwind; with panic=abort it is never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// memcpy(3).
///
/// # Safety
/// As in C: both ranges are valid for `length` bytes and do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: the caller's promise is the one that copy_forward asks for.
    unsafe { kernel::arch::copy_forward(to, from, length) };
    to
}

/// memmove(3).
///
/// # Safety
/// As in C: both ranges are valid for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= length {
        // SAFETY: valid by the caller's promise; a copy upwards reads each byte before it is written.
        unsafe { kernel::arch::copy_forward(to, from, length) };
    } else {
        for at in (0..length).rev() {
            // SAFETY: `at` is below `length`. Volatile, or LLVM would make this a call of memmove.
            unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
        }
    }
    to
}

/// memset(3).
///
/// # Safety
/// As in C: the range is valid for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    // SAFETY: the caller's promise is the one that fill asks for.
    unsafe { kernel::arch::fill(to, byte as u8, length) };
    to
}

/// memcmp(3).
///
/// # Safety
/// As in C: both ranges are valid for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    for at in 0..length {
        // SAFETY: `at` is below `length`. Volatile, or LLVM would make this a call of memcmp.
        let (a, b) = unsafe { (left.add(at).read_volatile(), right.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// bcmp(3): memcmp of which only "equal or not" is read.
///
/// # Safety
/// As for memcmp.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    // SAFETY: the caller's promise is the same.
    unsafe { memcmp(left, right, length) }
}

/// strlen(3), which `CStr::from_ptr` calls.
///
/// # Safety
/// As in C: `text` ends in a NUL.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the bytes up to the NUL are readable. Volatile, or LLVM would make this a call of strlen.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

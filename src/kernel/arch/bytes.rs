//! Copying bytes where no one instruction does it.

/// Copies `length` bytes, lowest address first.
///
/// # Safety
/// `from` is readable and `to` writable for `length` bytes.
#[inline(always)]
pub unsafe fn copy_forward(to: *mut u8, from: *const u8, length: usize) {
    for at in 0..length {
        // SAFETY: the caller's promise. Volatile, or LLVM would make this a call of memcpy.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
}

/// Sets `length` bytes to `byte`.
///
/// # Safety
/// `to` is writable for `length` bytes.
#[inline(always)]
pub unsafe fn fill(to: *mut u8, byte: u8, length: usize) {
    for at in 0..length {
        // SAFETY: the caller's promise. Volatile, or LLVM would make this a call of memset.
        unsafe { to.add(at).write_volatile(byte) };
    }
}

//! Memory by mmap(2): the stacks that clone(2) is given, and lists whose
//! length only the caller's command line knows. There is no heap.

use core::ffi::c_void;
use core::ptr::NonNull;

use syscalls::Sysno;

use super::{Errno, Result, call};

/// Anonymous, private, zeroed memory.
fn map(length: usize) -> Result<NonNull<c_void>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
    let address = unsafe { call!(Sysno::mmap, 0, length, access, flags, usize::MAX, 0) }?;
    NonNull::new(address as *mut c_void).ok_or(Errno::ENOMEM)
}

/// Bytes that are all zero, for as long as the process lives. Those that are
/// never touched take no memory.
pub fn zeroed<'a>(length: usize) -> Result<&'a mut [u8]> {
    let start = map(length)?.cast();
    // SAFETY: the mapping is of that length and new, and nobody else knows of it.
    Ok(unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), length) })
}

/// A stack, by the end of it where it begins to grow down from.
pub struct Stack(*mut c_void);

impl Stack {
    /// Bytes of one for clone(2): 64 KiB, as in the article, and below it as much that
    /// faults when touched, so that an overflow is a crash and not a corruption.
    /// The guard is that large because a page may be (aarch64 knows 64 KiB pages).
    pub const SIZE: usize = 64 << 10;

    /// Bytes of the host side's own, of which what is not touched costs nothing.
    const ROOM: usize = 1 << 20;

    /// Those that a run takes, in one mapping: two for clone(2), and the host side's
    /// own. That one has no guard but the second's: where it is grown on, the second is
    /// in use only while the process sleeps.
    pub(super) fn map() -> Result<[Stack; 3]> {
        const SIZE: usize = Stack::SIZE;
        let start = map(4 * SIZE + Stack::ROOM)?;
        let guard = |at| {
            // SAFETY: inside the mapping just made, which nothing uses.
            unsafe { call!(Sysno::mprotect, start.as_ptr() as usize + at, SIZE, libc::PROT_NONE) }
        };
        guard(0)?;
        guard(2 * SIZE)?;
        let end = |at| Stack(start.as_ptr().wrapping_byte_add(at));
        Ok([end(2 * SIZE), end(4 * SIZE), end(4 * SIZE + Stack::ROOM)])
    }

    pub(super) fn top(&mut self) -> *mut c_void {
        self.0
    }
}

/// A list that grows. Until the first item it takes no memory and no call;
/// what it took it keeps until the process ends.
pub struct List<T: Copy> {
    items: NonNull<T>,
    length: usize,
    /// Bytes that are mapped.
    mapped: usize,
}

impl<T: Copy> List<T> {
    /// An empty list.
    pub const fn new() -> List<T> {
        List { items: NonNull::dangling(), length: 0, mapped: 0 }
    }

    /// Adds an item at the end. ENOMEM where there is no memory for it.
    pub fn push(&mut self, item: T) -> Result<()> {
        if (self.length + 1) * size_of::<T>() > self.mapped {
            // SAFETY: the range is this list's own mapping, and no slice of it is alive while
            // `self` is borrowed for writing.
            self.items = unsafe { double(self.items.cast(), &mut self.mapped) }?.cast();
        }
        // SAFETY: the place is inside the mapping.
        unsafe { self.items.add(self.length).write(item) };
        self.length += 1;
        Ok(())
    }

    /// Adds items at the end.
    pub fn extend(&mut self, items: &[T]) -> Result<()> {
        items.iter().try_for_each(|item| self.push(*item))
    }

    /// Forgets the items, and keeps the memory for the next.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: that many items were written, and `T: Copy` needs no more.
        unsafe { core::slice::from_raw_parts(self.items.as_ptr(), self.length) }
    }

    /// The items, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and `&mut self` makes the access the only one.
        unsafe { core::slice::from_raw_parts_mut(self.items.as_ptr(), self.length) }
    }

    /// Gives the memory back.
    pub fn free(self) {
        // SAFETY: the mapping is this list's own, and `self` is gone with it. The call cannot fail
        // for a range that was mapped, and refuses the empty one of a list without memory.
        let _ = unsafe { call!(Sysno::munmap, self.items.as_ptr(), self.mapped) };
    }

    /// The items, from now on by themselves.
    pub fn leak<'a>(self) -> &'a mut [T] {
        // SAFETY: as above; the memory stays mapped, and nobody else has it any more.
        unsafe { core::slice::from_raw_parts_mut(self.items.as_ptr(), self.length) }
    }
}

/// Makes a mapping twice as long, or the first one where there is none.
///
/// # Safety
/// The old mapping must be the caller's own, and is not to be used afterwards.
#[inline(never)]
unsafe fn double(start: NonNull<c_void>, mapped: &mut usize) -> Result<NonNull<c_void>> {
    let old = *mapped;
    if old == 0 {
        let first = map(4096)?;
        *mapped = 4096;
        return Ok(first);
    }
    // SAFETY: the caller's promise.
    let moved =
        unsafe { call!(Sysno::mremap, start.as_ptr(), old, 2 * old, libc::MREMAP_MAYMOVE) }?;
    *mapped = 2 * old;
    NonNull::new(moved as *mut c_void).ok_or(Errno::ENOMEM)
}

impl<T: Copy> Default for List<T> {
    fn default() -> List<T> {
        List::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_items_as_it_grows() {
        let mut list = List::new();
        assert!(list.as_slice().is_empty());
        for item in 0..100_000u32 {
            list.push(item).unwrap();
        }
        assert!(list.as_slice().iter().copied().eq(0..100_000));
        list.as_mut_slice()[7] = 70;
        assert_eq!(list.as_slice()[7], 70);
    }

    #[test]
    fn a_list_of_odd_sized_items_stays_inside_its_mapping() {
        let mut list = List::new();
        for item in 0..10_000u32 {
            list.push([item as u8; 24]).unwrap();
        }
        assert!(list.as_slice().iter().enumerate().all(|(at, item)| *item == [at as u8; 24]));
    }

    #[test]
    fn below_a_stack_there_is_a_guard() {
        let [one, two, _] = Stack::map().unwrap();
        for mut stack in [one, two] {
            let below = stack.top().wrapping_byte_sub(Stack::SIZE + 1).cast::<u8>() as usize;
            for (address, status) in [(below, 128 + libc::SIGSEGV as u8), (below + 1, 0)] {
                let touch = |address: &mut usize| {
                    // SAFETY: a process of its own, which may well die of it.
                    unsafe { (*address as *mut u8).write_volatile(1) };
                    0
                };
                let [mut other, ..] = Stack::map().unwrap();
                let child =
                    super::super::clone_process(0, &mut other, &mut { address }, touch).unwrap();
                let (_, end) = super::super::wait_for(child).unwrap().unwrap();
                assert_eq!(end.status(), status);
            }
        }
    }

    #[test]
    fn a_stack_is_writable_to_its_last_byte() {
        for (mut stack, size) in
            Stack::map().unwrap().into_iter().zip([64 << 10, 64 << 10, 1 << 20])
        {
            let bottom = stack.top().wrapping_byte_sub(size).cast::<u8>();
            for at in [0, size - 1] {
                // SAFETY: inside the writable part.
                unsafe { bottom.add(at).write(1) };
            }
        }
    }
}

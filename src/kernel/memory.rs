//! Memory by mmap(2): the stacks that clone(2) is given, and lists whose
//! length only the caller's command line knows. There is no heap.

use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;

use syscalls::Sysno;

use super::{Result, arch, call};

/// A list's first mapping, in bytes.
const FIRST: usize = 4096;

/// Anonymous, private, zeroed memory: its address.
#[inline(always)]
fn map(length: usize) -> Result<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
    unsafe { call!(arch::MMAP, 0, length, access, flags, usize::MAX, 0) }
}

/// Numbers that are all zero, for as long as the process lives. Those that are
/// never touched take no memory.
pub fn zeroed<'a, const COUNT: usize>() -> Result<&'a mut [u32; COUNT]> {
    let start = map(size_of::<[u32; COUNT]>())?;
    // SAFETY: the mapping is of that size and new, and nobody else knows of it.
    Ok(unsafe { &mut *(start as *mut [u32; COUNT]) })
}

/// Memory that the program begins with, all zeros at first: something that is made there
/// when it is first asked for. What is not touched costs nothing, and it is there also
/// where no more can be had.
pub struct Once<T> {
    value: UnsafeCell<T>,
    made: Cell<bool>,
}

// SAFETY: there is one thread; processes that share memory take turns. (Tests take a lock.)
unsafe impl<T> Sync for Once<T> {}

impl<T> Once<T> {
    /// What it is made of.
    pub const fn new(start: T) -> Once<T> {
        Once { value: UnsafeCell::new(start), made: Cell::new(false) }
    }

    /// The value. Making it does not ask for it.
    pub fn get(&self, make: fn(&mut T)) -> &T {
        #[cfg(test)]
        static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
        #[cfg(test)]
        let _lock = LOCK.lock();
        if !self.made.get() {
            // SAFETY: nobody has a reference before it is made, and afterwards nobody comes here.
            make(unsafe { &mut *self.value.get() });
            self.made.set(true);
        }
        // SAFETY: nobody writes to it any more.
        unsafe { &*self.value.get() }
    }
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

    /// Those that a run takes, in one mapping: the program's and the container's for clone(2),
    /// and the host side's own between them, with so many bytes more to be taken of it; and
    /// behind that the first memory of a list. One guard does for all: where one of them grows
    /// on, that below it is in use only while the process sleeps, or is a copy.
    pub(super) fn map<T: Copy>(more: usize) -> Result<([Stack; 3], List<T>)> {
        const SIZE: usize = Stack::SIZE;
        let room = Stack::ROOM + more / SIZE * SIZE;
        let start = map(4 * SIZE + room)?;
        // SAFETY: the start of the mapping just made, which nothing uses.
        unsafe { call!(Sysno::mprotect, start, SIZE, libc::PROT_NONE) }?;
        let end = |at| Stack((start + at) as *mut c_void);
        let list = end(2 * SIZE + room).0;
        // SAFETY: what lies between two stacks, at the start of a page of whatever size, and not
        // of the first one, which the kernel does not choose.
        let list = unsafe { List::of(NonNull::new_unchecked(list)) };
        Ok(([end(2 * SIZE), end(4 * SIZE + room), end(2 * SIZE + room)], list))
    }

    /// Host side, that goes on waiting: forgets what lies on the program's stack, and below the
    /// caller's frame on its own.
    pub fn forget(&mut self) {
        // From the container's stack it is further.
        self.forget_below(Stack::SIZE + Stack::ROOM);
    }

    /// Container side, that goes on waiting, with no more than `rest`: forgets what it has of the
    /// host side's stack besides. Nothing that lies there is of use any more, since this does not
    /// return. Exits with the status that `wait` gives.
    pub fn leave_to<T: Copy + 'static>(&mut self, rest: T, wait: fn(T) -> u8) -> ! {
        self.forget_below(4 * Stack::SIZE + Stack::ROOM);
        super::exit(wait(rest))
    }

    /// madvise(2), MADV_DONTNEED: forgets what lies on this stack, the program's, which nobody is
    /// on any more, and from there to the caller's frame, if that is not further away. A
    /// kernel may be built without (CONFIG_ADVISE_SYSCALLS): a few pages are kept then that
    /// nobody needs.
    #[inline(never)]
    fn forget_below(&mut self, most: usize) {
        /// What a function on x86_64 may use below its stack pointer.
        const RED_ZONE: usize = 128;
        const SMALLEST_PAGE: usize = 4096;
        let here = 0u8;
        let here = (&raw const here).addr() - RED_ZONE;
        let end = here & !(arch::LARGEST_PAGE - 1);
        let start = self.0.addr() - Stack::SIZE;
        let length = end.wrapping_sub(start);
        if length <= most {
            // SAFETY: `self` is this stack's only user. The rest lies below this frame, which is the
            // last one of its stack; and on other stacks, if the caller's is not the next, and then
            // he does not return to those who know of it.
            let _ = unsafe { call!(Sysno::madvise, start, length, libc::MADV_DONTNEED) };
            // And what is left, of small pages. Larger ones do not begin there: EINVAL.
            let next = end + SMALLEST_PAGE;
            let left = (here & !(SMALLEST_PAGE - 1)).saturating_sub(next);
            if arch::LARGEST_PAGE > SMALLEST_PAGE && left > 0 {
                // SAFETY: as above.
                let _ = unsafe { call!(Sysno::madvise, next, left, libc::MADV_DONTNEED) };
            }
        }
    }

    /// The stack that something lies on, further down than anything that is in use: for a
    /// process that has a copy of it.
    pub(super) fn below<T>(place: &mut T) -> Stack {
        let below = (&raw mut *place).wrapping_byte_sub(Stack::SIZE);
        Stack(below.map_addr(|address| address & !15).cast())
    }

    /// Takes bytes off the end where it begins to grow.
    pub(super) fn take(&mut self, bytes: usize) -> *mut u8 {
        let taken = self.0.wrapping_byte_sub(bytes).cast::<u8>();
        self.0 = taken.map_addr(|address| address & !15).cast();
        taken
    }

    pub(super) fn top(&mut self) -> *mut c_void {
        self.0
    }
}

/// A list that grows. Until the first item it takes no memory and no call;
/// what it took it keeps until the process ends.
pub struct List<T: Copy> {
    memory: Memory,
    items: PhantomData<T>,
}

/// What a list is made of, whatever its items are.
struct Memory {
    start: NonNull<c_void>,
    /// Items in use.
    length: usize,
    /// Bytes that are mapped.
    mapped: usize,
}

impl<T: Copy> List<T> {
    /// An empty list.
    pub const fn new() -> List<T> {
        let memory = Memory { start: NonNull::<T>::dangling().cast(), length: 0, mapped: 0 };
        List { memory, items: PhantomData }
    }

    /// An empty list that has its first memory.
    ///
    /// # Safety
    /// As much as a first mapping is mapped there, from the start of a page on, and nobody
    /// else's.
    unsafe fn of(start: NonNull<c_void>) -> List<T> {
        List { memory: Memory { start, length: 0, mapped: FIRST }, items: PhantomData }
    }

    /// Adds an item at the end. ENOMEM where there is no memory for it.
    pub fn push(&mut self, item: T) -> Result<()> {
        self.extend(slice::from_ref(&item))
    }

    /// Adds items at the end.
    pub fn extend(&mut self, items: &[T]) -> Result<()> {
        // SAFETY: these are items of this list's size, and none of its own, which nobody can
        // have a reference to while `self` is borrowed for writing.
        unsafe { self.memory.append(items.as_ptr().cast(), items.len(), size_of::<T>()) }
    }

    /// Forgets the items, and keeps the memory for the next.
    pub fn clear(&mut self) {
        self.memory.length = 0;
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: that many items were written, and `T: Copy` needs no more.
        unsafe { slice::from_raw_parts(self.memory.start.as_ptr().cast(), self.memory.length) }
    }

    /// The items, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and `&mut self` makes the access the only one.
        unsafe { slice::from_raw_parts_mut(self.memory.start.as_ptr().cast(), self.memory.length) }
    }

    /// Gives the memory back.
    pub fn free(self) {
        // SAFETY: the mapping is this list's own, and `self` is gone with it. The call cannot fail
        // for a range that was mapped, and refuses the empty one of a list without memory.
        let _ = unsafe { call!(Sysno::munmap, self.memory.start.as_ptr(), self.memory.mapped) };
    }

    /// The items, from now on by themselves.
    pub fn leak<'a>(self) -> &'a mut [T] {
        // SAFETY: as above; the memory stays mapped, and nobody else has it any more.
        unsafe { slice::from_raw_parts_mut(self.memory.start.as_ptr().cast(), self.memory.length) }
    }
}

impl Memory {
    /// Adds so many items of this size, after making the mapping as large as it takes.
    ///
    /// # Safety
    /// The items are readable, of the size of all others, and not in this mapping,
    /// which moves.
    #[inline(never)]
    unsafe fn append(&mut self, items: *const u8, count: usize, size: usize) -> Result<()> {
        let used = self.length * size;
        while used + count * size > self.mapped {
            let (start, old) = (self.start.as_ptr(), self.mapped);
            let new = if old == 0 { FIRST } else { 2 * old };
            let moved = match old {
                0 => map(new),
                // SAFETY: the mapping is this value's own, and the old place is not used again.
                _ => unsafe { call!(Sysno::mremap, start, old, new, libc::MREMAP_MAYMOVE) },
            }?;
            // SAFETY: the kernel never chooses the first page.
            self.start = unsafe { NonNull::new_unchecked(moved as *mut c_void) };
            self.mapped = new;
        }
        // SAFETY: the room was just made, and the rest is the caller's promise.
        unsafe {
            self.start
                .as_ptr()
                .byte_add(used)
                .cast::<u8>()
                .copy_from_nonoverlapping(items, count * size)
        };
        self.length += count;
        Ok(())
    }
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
    fn below_the_stacks_there_is_a_guard() {
        let ([mut program, _, mut host], _) = Stack::map::<u8>(0).unwrap();
        assert_eq!(host.top().addr() - Stack::ROOM, program.top().addr());
        let bottom = program.top().addr() - Stack::SIZE;
        for (address, status) in [(bottom - 1, 128 + libc::SIGSEGV as u8), (bottom, 0)] {
            let touch = |address: &mut usize| {
                // SAFETY: a process of its own, which may well die of it.
                unsafe { (*address as *mut u8).write_volatile(1) };
                0
            };
            let ([mut other, ..], _) = Stack::map::<u8>(0).unwrap();
            let child =
                super::super::clone_process(0, &mut other, &mut { address }, touch).unwrap();
            let (_, end) = super::super::wait_for(child).unwrap().unwrap();
            assert_eq!(end.status(), status);
        }
    }

    /// Fills the stack below the caller's frame.
    #[inline(never)]
    fn dig() {
        core::hint::black_box([7u8; 40 << 10]);
    }

    /// The last word of a stack that nobody is on.
    fn last(stack: &mut Stack) -> *mut u64 {
        stack.top().wrapping_byte_sub(8).cast()
    }

    /// How a process ends that runs on one stack and knows of the others.
    fn status_of(on: usize, entry: fn(&mut [Stack; 3]) -> u8) -> u8 {
        let (mut stacks, _) = Stack::map::<u8>(0).unwrap();
        let mut stack = Stack(stacks[on].top());
        let child = super::super::clone_process(0, &mut stack, &mut stacks, entry).unwrap();
        super::super::wait_for(child).unwrap().unwrap().1.status()
    }

    #[test]
    fn the_host_side_forgets_the_programs_stack_and_what_is_below_its_last_frame() {
        let status = status_of(2, |[program, container, _]| {
            let kept = core::hint::black_box([7u8; 3000]);
            // SAFETY: nobody is on these stacks.
            unsafe {
                last(program).write_volatile(7);
                last(container).write_volatile(7);
                dig();
                let below = (&raw const kept).cast::<u8>().wrapping_sub(32 << 10);
                let dug = below.read_volatile() == 7;
                program.forget();
                let forgotten = [last(program).read_volatile(), last(container).read_volatile()];
                let good = dug && below.read_volatile() == 0 && forgotten == [0, 7];
                u8::from(good && kept.iter().all(|byte| *byte == 7))
            }
        });
        assert_eq!(status, 1);
    }

    #[test]
    fn the_containers_side_goes_on_without_the_host_sides_stack() {
        let status = status_of(1, |[program, _, host]| {
            let seen = [last(program), last(host)].map(|word| {
                // SAFETY: nobody is on these stacks.
                unsafe { word.write_volatile(7) };
                word as usize
            });
            // From here it is too far away for what the other side asks for.
            program.forget();
            // SAFETY: likewise.
            let kept = seen.iter().all(|at| unsafe { (*at as *const u64).read_volatile() } == 7);
            program.leave_to((kept, seen), |(kept, seen)| {
                // SAFETY: likewise.
                let read = |at: &usize| unsafe { (*at as *const u64).read_volatile() };
                u8::from(kept && seen.iter().all(|at| read(at) == 0))
            })
        });
        assert_eq!(status, 1);
    }

    #[test]
    fn a_stack_is_writable_to_its_last_byte() {
        for (mut stack, size) in
            Stack::map::<u8>(0).unwrap().0.into_iter().zip([64 << 10, 64 << 10, 1 << 20])
        {
            let bottom = stack.top().wrapping_byte_sub(size).cast::<u8>();
            for at in [0, size - 1] {
                // SAFETY: inside the writable part.
                unsafe { bottom.add(at).write(1) };
            }
        }
    }
}

//! Argument vectors: what execve(2) was given, and what it is to be given.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ptr::NonNull;

/// One NUL-terminated string of a vector. An `Option` of it has the layout of
/// a C pointer that may be null.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Word<'a>(NonNull<c_char>, PhantomData<&'a CStr>);

// SAFETY: a shared reference to immutable bytes in all but name.
unsafe impl Sync for Word<'_> {}

impl<'a> Word<'a> {
    /// The string as a word.
    pub const fn new(text: &'a CStr) -> Word<'a> {
        // SAFETY: a reference is never null.
        Word(unsafe { NonNull::new_unchecked(text.as_ptr().cast_mut()) }, PhantomData)
    }

    /// Whether it is the variable of this name, that is, goes on with a `=`.
    pub fn is_variable(self, name: &[u8]) -> bool {
        let mut at = self.0.as_ptr().cast::<u8>();
        for byte in name.iter().chain(b"=") {
            // SAFETY: every byte before this one was equal to one that is no NUL, so this one is
            // still of the string.
            if *byte == 0 || unsafe { at.read() } != *byte {
                return false;
            }
            at = at.wrapping_add(1);
        }
        true
    }

    /// The word as a string.
    pub fn text(self) -> &'a CStr {
        // SAFETY: by construction the bytes up to the NUL are readable for 'a.
        unsafe { CStr::from_ptr(self.0.as_ptr()) }
    }
}

/// The part of a string from byte `at` on; empty behind its end.
#[inline(never)]
pub fn tail(text: &CStr, at: usize) -> &CStr {
    match text.to_bytes_with_nul().get(at..) {
        // SAFETY: the end of a C string is one: its only NUL is the last byte.
        Some(rest @ [_, ..]) => unsafe { CStr::from_bytes_with_nul_unchecked(rest) },
        _ => c"",
    }
}

/// The C string that bytes begin with: those up to their first NUL.
#[inline(never)]
pub fn first_string(bytes: &[u8]) -> Option<&CStr> {
    let mut end = 0;
    while *bytes.get(end)? != 0 {
        end += 1;
    }
    // SAFETY: the last of them is a NUL, and none before it.
    Some(unsafe { CStr::from_bytes_with_nul_unchecked(bytes.get(..=end)?) })
}

/// Bytes as a C string, if their last, and only their last, is a NUL.
pub fn c_string(bytes: &[u8]) -> Option<&CStr> {
    first_string(bytes).filter(|text| text.count_bytes() + 1 == bytes.len())
}

/// A vector as execve(2) takes it: words, and a null behind them.
#[derive(Clone, Copy)]
pub struct Argv<'a>(&'a [Option<Word<'a>>]);

impl<'a> Argv<'a> {
    /// No words.
    pub const EMPTY: Argv<'static> = Argv(&[None]);

    /// The vector at `first`, up to its null.
    ///
    /// # Safety
    /// There is such a vector, and it and its strings live unchanged for 'a.
    pub unsafe fn from_raw(first: *const Option<Word<'a>>) -> Argv<'a> {
        let mut length = 1;
        // SAFETY: each entry up to the null is readable.
        while unsafe { &*first.add(length - 1) }.is_some() {
            length += 1;
        }
        // SAFETY: `length` entries were just read.
        Argv(unsafe { core::slice::from_raw_parts(first, length) })
    }

    /// The slice as a vector, if its last entry, and only that, is the null.
    pub fn new(words: &'a [Option<Word<'a>>]) -> Option<Argv<'a>> {
        let null = words.iter().position(Option::is_none)?;
        (null + 1 == words.len()).then_some(Argv(words))
    }

    /// The first word.
    pub fn first(&self) -> Option<&'a CStr> {
        self.0.first().copied().flatten().map(Word::text)
    }

    /// Takes the first word off; `None` at the end.
    pub fn shift(&mut self) -> Option<&'a CStr> {
        let word = self.first()?;
        self.0 = self.0.get(1..)?;
        Some(word)
    }

    /// The variable of this name, in a vector that is an environment.
    pub fn variable(&self, name: &[u8]) -> Option<Word<'a>> {
        self.0.iter().copied().flatten().find(|word| word.is_variable(name))
    }

    /// The words in turn.
    pub fn words(&self) -> impl Iterator<Item = &'a CStr> + use<'a> {
        self.0.iter().map_while(|word| word.map(Word::text))
    }

    pub(super) fn as_ptr(&self) -> *const Option<Word<'a>> {
        self.0.as_ptr()
    }
}

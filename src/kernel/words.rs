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
        for byte in name {
            // SAFETY: every byte before this one was equal to one that is no NUL, so this one is
            // still of the string.
            if *byte == 0 || unsafe { at.read() } != *byte {
                return false;
            }
            at = at.wrapping_add(1);
        }
        // SAFETY: likewise.
        unsafe { at.read() == b'=' }
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

/// Constant strings, one behind the other: a table of them without a pointer and a
/// length for each.
#[derive(Clone, Copy)]
pub struct Strings(*const c_char);

impl Strings {
    /// Those in `text`, each with its NUL, and an empty one behind the last.
    pub const fn new(text: &'static str) -> Strings {
        assert!(matches!(text.as_bytes(), [.., 0, 0]));
        Strings(text.as_ptr().cast())
    }
}

impl Iterator for Strings {
    type Item = &'static CStr;

    #[inline(never)]
    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: a string of the constant, which ends with an empty one, behind which this
        // does not go.
        let text = unsafe { CStr::from_ptr(self.0) };
        if text.is_empty() {
            return None;
        }
        self.0 = self.0.wrapping_add(text.count_bytes() + 1);
        Some(text)
    }
}

/// A vector as execve(2) takes it: the place of words with a null behind them.
#[derive(Clone, Copy)]
pub struct Argv<'a>(NonNull<Option<Word<'a>>>);

impl<'a> Argv<'a> {
    /// No words.
    pub const EMPTY: Argv<'static> = Argv::of(&[None]);

    /// The one word `/bin/sh`.
    pub const SHELL: Argv<'static> = Argv::of(&[Some(Word::new(c"/bin/sh")), None]);

    const fn of(words: &'a [Option<Word<'a>>]) -> Argv<'a> {
        // SAFETY: a slice never lies at the null address.
        Argv(unsafe { NonNull::new_unchecked(words.as_ptr().cast_mut()) })
    }

    /// The vector at `first`, up to its null.
    ///
    /// # Safety
    /// There is such a vector, and it and its strings live unchanged for 'a.
    pub unsafe fn from_raw(first: NonNull<Option<Word<'a>>>) -> Argv<'a> {
        Argv(first)
    }

    /// The slice as a vector, if its last entry is the null.
    pub fn new(words: &'a [Option<Word<'a>>]) -> Option<Argv<'a>> {
        matches!(words, [.., None]).then_some(Argv::of(words))
    }

    /// The first word.
    pub fn first(mut self) -> Option<&'a CStr> {
        self.shift()
    }

    /// Takes the first word off; `None` at the end.
    pub fn shift(&mut self) -> Option<&'a CStr> {
        self.next().map(Word::text)
    }

    #[inline(never)]
    fn next(&mut self) -> Option<Word<'a>> {
        // SAFETY: there is an entry at least, and it lives unchanged for 'a.
        let word = unsafe { self.0.read() }?;
        // SAFETY: behind a word there is another entry.
        self.0 = unsafe { self.0.add(1) };
        Some(word)
    }

    /// The variable of this name, in a vector that is an environment.
    #[inline(never)]
    pub fn variable(mut self, name: &[u8]) -> Option<Word<'a>> {
        loop {
            let word = self.next()?;
            if word.is_variable(name) {
                return Some(word);
            }
        }
    }

    /// What lies behind its null.
    pub(super) fn behind(mut self) -> *const Option<Word<'a>> {
        while self.next().is_some() {}
        self.as_ptr().wrapping_add(1)
    }

    pub(super) fn as_ptr(&self) -> *const Option<Word<'a>> {
        self.0.as_ptr()
    }
}

//! Words of a command line that have fields between colons, as `SRC:DST:ro`.

use core::ffi::CStr;

use super::Text;

/// A field of a word as it is written there, where `\:` is a colon in it; `None`
/// if there are not so many.
#[inline(never)]
pub fn field(word: &CStr, number: usize) -> Option<&[u8]> {
    let mut rest = word.to_bytes();
    let mut before = number;
    loop {
        let mut end = 0;
        let mut last = 0;
        while let Some(byte) = rest.get(end)
            && (*byte != b':' || last == b'\\')
        {
            last = *byte;
            end += 1;
        }
        if before == 0 {
            return rest.get(..end);
        }
        rest = rest.get(end + 1..)?;
        before -= 1;
    }
}

impl Text {
    /// Adds what a field means, if there is one.
    #[inline(never)]
    pub fn push_field(&mut self, field: Option<&[u8]>) {
        let mut rest = field.unwrap_or(&[]);
        while let [byte, after @ ..] = rest {
            rest = after;
            if *byte != b'\\' || after.first() != Some(&b':') {
                self.push(&[*byte]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_escapes() {
        for (word, want) in [
            (c"", vec![""]),
            (c"/a", vec!["/a"]),
            (c"/a:/b", vec!["/a", "/b"]),
            (c"/a:/b:ro", vec!["/a", "/b", "ro"]),
            (c":", vec!["", ""]),
            (c"/a\\:b:/c\\:d", vec!["/a:b", "/c:d"]),
            (c"/a\\b:/c\\", vec!["/a\\b", "/c\\"]),
            (c"a:b::d", vec!["a", "b", "", "d"]),
        ] {
            let mut got = vec![];
            while let Some(field) = field(word, got.len()) {
                let mut text = Text::new();
                text.push_field(Some(field));
                got.push(text.as_bytes().to_vec());
            }
            assert_eq!(got, want.iter().map(|field| field.as_bytes()).collect::<Vec<_>>());
        }
    }
}

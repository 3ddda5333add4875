//! Words of a command line that have fields between colons, as `SRC:DST:ro`.

use core::ffi::CStr;

use super::Text;

/// The fields of a word; `\:` is a colon in one of them.
pub struct Fields {
    /// So many at most; what is too much is in `count`.
    fields: [Text; 3],
    count: usize,
}

impl Fields {
    /// The fields of `word`.
    pub fn of(word: &CStr) -> Fields {
        let mut fields = Fields { fields: [const { Text::new() }; 3], count: 1 };
        let mut rest = word.to_bytes();
        while let [byte, after @ ..] = rest {
            rest = after;
            let byte = match (byte, after) {
                (b':', _) => {
                    fields.count += 1;
                    continue;
                }
                (b'\\', [b':', after @ ..]) => {
                    rest = after;
                    b':'
                }
                _ => *byte,
            };
            if let Some(field) = fields.fields.get_mut(fields.count - 1) {
                field.push(&[byte]);
            }
        }
        fields
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// A field; empty if it is not there.
    pub fn bytes(&self, number: usize) -> &[u8] {
        self.fields.get(number).map_or(&[], Text::as_bytes)
    }

    /// A field for a system call; `None` if it is too long.
    pub fn c_str(&self, number: usize) -> Option<&CStr> {
        self.fields.get(number)?.as_c_str()
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
        ] {
            let fields = Fields::of(word);
            let got: Vec<_> = (0..fields.count()).map(|number| fields.bytes(number)).collect();
            assert_eq!(got, want.iter().map(|field| field.as_bytes()).collect::<Vec<_>>());
        }
        assert_eq!(Fields::of(c"a:b:c:d").count(), 4);
    }
}

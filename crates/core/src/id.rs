//! Names of things. Ids are not secrets: every use of one is authorised.

mod letters;

use std::fmt;

fn to_letters(id: i64) -> String {
    letters::encode(u64::try_from(id).expect("the catalog numbers from 1"))
}

fn from_letters(text: &str) -> Option<i64> {
    let id = i64::try_from(letters::decode(text)?).ok().filter(|id| (1..1 << 53).contains(id))?;
    // Several texts may decode to one number; only the one that we write is its name.
    (to_letters(id) == text).then_some(id)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A user.
    UserId;
    /// A token of a user.
    TokenId;
    /// A folder.
    FolderId;
    /// A share.
    ShareId;
    /// A file. Never given to another file, also after a purge.
    FileId;
}

impl FileId {
    /// The id as letters, at least six of them: `[A-Za-z]{6,}`, reversible, never a route's word.
    pub fn letters(self) -> String {
        to_letters(self.0)
    }

    /// Reads [`FileId::letters`], and nothing else.
    pub fn from_letters(letters: &str) -> Option<Self> {
        from_letters(letters).map(FileId)
    }
}

impl UserId {
    /// The id as letters, as it stands in a file's path.
    pub fn letters(self) -> String {
        to_letters(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_never_change() {
        let vectors = [1, 2, 3, 52, 1000, 1_000_000, (1 << 53) - 1].map(|id| FileId(id).letters());
        assert_eq!(vectors, VECTORS);
    }

    const VECTORS: [&str; 7] =
        ["zkmlOc", "snBfPY", "ckykLX", "HIIfIn", "AioEdh", "ybGdrz", "jAxDIXzeXfp"];

    #[test]
    fn only_our_own_text_is_an_id() {
        for text in ["", "contents", "abc", "WvNKdb1", "%7Bid%7D", "ЖЖЖЖЖЖ", &"a".repeat(100)]
        {
            assert_eq!(FileId::from_letters(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn letters_come_back(id in 1_i64..(1 << 53)) {
            let letters = FileId(id).letters();
            prop_assert!(letters.len() >= 6 && letters.bytes().all(|b| b.is_ascii_alphabetic()));
            prop_assert_eq!(FileId::from_letters(&letters), Some(FileId(id)));
        }

        #[test]
        fn a_text_names_at_most_one_id(text in "[A-Za-z]{6,9}") {
            if let Some(id) = FileId::from_letters(&text) {
                prop_assert_eq!(id.letters(), text);
            }
        }
    }
}

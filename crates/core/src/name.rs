//! Names of files and folders: parsed once at the edge, then carried as a type.
//!
//! A file has two. Its **name** is what was sent. Its **label** is what is unique among siblings: in
//! NFC, without the characters that some dialects and file systems forbid, and numbered when taken.

use crate::error::{Error, Result};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// The longest name and label, in bytes of UTF-8.
pub const NAME_MAX: usize = 255;

/// A name that a file or folder can have: 1 to 255 bytes, no control characters, no `/` and `\`,
/// not blank, neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Accepts a name as it is.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| Err(Error::invalid("name", why));
        if text.trim().is_empty() {
            return refuse("This field may not be blank.");
        }
        if text.len() > NAME_MAX {
            return refuse("Ensure this field has no more than 255 bytes of UTF-8.");
        }
        if text.chars().any(char::is_control) {
            return refuse("Control characters are not allowed.");
        }
        if text.contains(['/', '\\']) || matches!(text, "." | "..") {
            return refuse("This is a path and not a name.");
        }
        Ok(Name(text.to_owned()))
    }

    /// Accepts a name that every front-end can show as it is, in NFC.
    pub fn parse_legal(text: &str) -> Result<Self> {
        if text.contains(is_illegal) {
            return Err(Error::IllegalCharacter);
        }
        Name::parse(&text.nfc().collect::<String>())
    }

    /// Takes the last component of a path of any system: clients send their local paths.
    pub fn from_client_path(path: &str) -> Result<Self> {
        Name::parse(path.rsplit(['/', '\\']).next().unwrap_or_default())
    }

    /// The name, as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a search compares: case-folded NFC.
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// What it is called among its siblings, as long as that is free.
    pub fn label(&self) -> Label {
        let legal = self.0.nfc().map(|c| if is_illegal(c) { '_' } else { c });
        Label(cut(&legal.collect::<String>(), NAME_MAX).to_owned())
    }

    /// The part before the last dot, and that dot with what follows it. A leading dot is no ending.
    pub fn stem_and_ending(&self) -> (&str, &str) {
        stem_and_ending(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A name that is unique among live siblings by its [`Label::key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What must be unique: case-folded NFC.
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// The same with a number before the ending: `a (2).txt`.
    #[must_use]
    pub fn numbered(&self, number: i64) -> Label {
        let (stem, ending) = stem_and_ending(&self.0);
        let ending = cut(ending, NAME_MAX / 2);
        let number = format!(" ({number})");
        let stem = cut(stem, NAME_MAX - ending.len() - number.len());
        Label(format!("{stem}{number}{ending}"))
    }
}

/// Unicode case folding on NFC, in NFC.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    caseless::default_case_fold_str(&composed).nfc().collect()
}

fn is_illegal(c: char) -> bool {
    c.is_control() || matches!(c, '\\' | '/' | '*' | ':' | '?' | '<' | '>' | '|' | '"')
}

fn stem_and_ending(text: &str) -> (&str, &str) {
    match text.rfind('.') {
        Some(dot) if dot > 0 => text.split_at(dot),
        _ => (text, ""),
    }
}

/// At most `max` bytes, whole characters.
fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base_names_are_kept() {
        for (path, name) in [
            ("/home/u/a.txt", "a.txt"),
            (r"C:\dir\a.txt", "a.txt"),
            (r"a/b\c.txt", "c.txt"),
            ("r\u{e9}sultat.dat", "r\u{e9}sultat.dat"),
        ] {
            assert_eq!(Name::from_client_path(path).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for path in ["", " ", "a/", ".", "..", "x/..", "a\0b", "a\nb", "a\u{7f}", &"x".repeat(256)]
        {
            assert!(Name::from_client_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn labels_are_legal_and_numbered_before_the_ending() {
        let label = Name::parse("a:b?.tar.gz").unwrap().label();
        assert_eq!(label.as_str(), "a_b_.tar.gz");
        assert_eq!(label.numbered(2).as_str(), "a_b_.tar (2).gz");
        assert_eq!(Name::parse(".profile").unwrap().label().numbered(3).as_str(), ".profile (3)");
    }

    #[test]
    fn twins_in_nfc_and_nfd_share_a_key_and_keep_their_names() {
        let (nfc, nfd) = (Name::parse("\u{e9}").unwrap(), Name::parse("e\u{301}").unwrap());
        assert_ne!(nfc, nfd);
        assert_eq!(nfc.label().key(), nfd.label().key());
        assert_eq!(fold("Stra\u{df}e"), fold("STRASSE"));
    }

    proptest! {
        #[test]
        fn a_label_fits(text in "\\PC{1,300}", number in 2_i64..i64::MAX) {
            if let Ok(name) = Name::from_client_path(&text) {
                prop_assert!(name.label().as_str().len() <= NAME_MAX);
                prop_assert!(name.label().numbered(number).as_str().len() <= NAME_MAX);
            }
        }
    }
}

//! Any path has a last component that is a name, or none; a name's labels fit everywhere.
#![no_main]

use bindery_core::{Label, NAME_MAX, Name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i64, &str)| {
    let (number, path) = input;
    let Ok(name) = Name::from_client_path(path) else { return };
    let text = name.as_str();
    assert!(path.ends_with(text) && !text.trim().is_empty() && text.len() <= NAME_MAX);
    assert!(text != "." && text != ".." && !text.contains(['/', '\\']));
    assert!(!text.chars().any(char::is_control));
    assert_eq!(Name::parse(text).as_ref().ok(), Some(&name));
    let (stem, ending) = name.stem_and_ending();
    assert!(!stem.is_empty() && [stem, ending].concat() == text);

    let label = name.label();
    check(&label);
    let numbered = label.numbered(number);
    check(&numbered);
    assert!(numbered.as_str().contains(&format!(" ({number})")));
    assert_ne!(numbered.key(), label.numbered(number.wrapping_add(1)).key());
});

/// What a label has to be: a name that any file system takes, and that is its own label.
fn check(label: &Label) {
    let name = Name::parse(label.as_str()).expect("a label is a name");
    assert!(!label.as_str().contains(['*', ':', '?', '<', '>', '|', '"']));
    assert_eq!(&name.label(), label);
    assert_eq!(name.key(), label.key());
}

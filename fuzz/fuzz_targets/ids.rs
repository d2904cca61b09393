//! A text is the letters of one id, or of none; an id comes back from its letters.
#![no_main]

use bindery_core::FileId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &str)| {
    let (number, text) = input;
    if let Some(id) = FileId::from_letters(text) {
        assert!((1..1 << 53).contains(&id.0));
        assert_eq!(id.letters(), text);
    }
    let id = FileId((number % ((1 << 53) - 1)).cast_signed() + 1);
    let letters = id.letters();
    assert!(letters.len() >= 6 && letters.bytes().all(|byte| byte.is_ascii_alphabetic()));
    assert_eq!(FileId::from_letters(&letters), Some(id));
});

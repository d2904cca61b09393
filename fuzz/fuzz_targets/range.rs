//! Any header gives a part that is not empty and lies within the resource, or none.
#![no_main]

use bindery_server::http::range::ByteRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (len, set) = input;
    if let ByteRange::Part(range) = ByteRange::parse(&[b"bytes=", set].concat(), len) {
        assert!(range.start < range.end && range.end <= len);
    }
});

//! Any part head and any content type can be read without a panic.
#![no_main]

use bindery_server::http::multipart::{Boundary, PartHead};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = Boundary::from_content_type(&[b"multipart/form-data;", input].concat());
    let _ = PartHead::parse(Bytes::copy_from_slice(input), 32).map(|head| head.name());
    let line = [b"Content-Disposition: form-data;", input, b"\r\n"].concat();
    if let Ok(head) = PartHead::parse(line.into(), 32) {
        let _ = (head.name(), head.file_name(), head.content_type_raw());
    }
});

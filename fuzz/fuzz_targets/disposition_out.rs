//! Any name makes one header value, and comes back from it.
#![no_main]

use bindery_server::http::disposition::{Disposition, content_disposition, content_type};
use bindery_server::http::multipart::PartHead;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    let _ = content_type(name);
    let value = content_disposition(Disposition::Attachment, name);
    let line = [b"Content-Disposition:", value.as_bytes(), b"\r\n"].concat();
    let head = PartHead::parse(line.into(), 1).expect("one header");
    assert_eq!(head.file_name(), Some(Ok(name.to_owned())));
});

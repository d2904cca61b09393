//! Any precondition headers can be evaluated without a panic, and only reads are "not modified".
#![no_main]

use bindery_server::http::conditional::{Precondition, Validators, evaluate, range_applies};
use http::{HeaderMap, HeaderValue, Method, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Option<u64>, [Option<&[u8]>; 5])| {
    let (etag, last_modified_seconds, values) = input;
    let current = Validators { etag, last_modified_seconds };
    let names = [
        header::IF_MATCH,
        header::IF_UNMODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_RANGE,
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in names.into_iter().zip(values) {
        if let Some(Ok(value)) = value.map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let _ = (evaluate(&Method::GET, &headers, current), range_applies(&headers, current));
    assert_ne!(evaluate(&Method::PUT, &headers, current), Precondition::NotModified);
});

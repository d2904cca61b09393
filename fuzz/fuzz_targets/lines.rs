//! Any text in any chunks is encoded as `serde_json` would encode its lines.
#![no_main]

use bindery_server::http::lines::LinesEncoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (size, text) = input;
    let (mut encoder, mut out) = (LinesEncoder::default(), Vec::new());
    for chunk in text.as_bytes().chunks(usize::from(size).max(1)) {
        encoder.push(chunk, &mut out);
    }
    encoder.finish(&mut out);
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    assert_eq!(out, serde_json::json!({ "lines": lines }).to_string().into_bytes());
});

//! A text as JSON, `{"lines":["first\n","second"]}`, encoded chunk by chunk. Lines end at `\n`, keep
//! it, and at nothing else. Whether a content is text, that is valid UTF-8, is decided elsewhere:
//! bytes of 0x80 and above pass through as they are.

/// What stands for a byte in a JSON string: 0 for the byte itself, `u` for a `\u` escape, any other
/// for that letter behind a backslash. The shortest form of each, as `serde_json` chooses.
const ESCAPES: [u8; 256] = escapes();

/// The state between two chunks of one text.
#[derive(Debug, Default)]
pub struct LinesEncoder {
    begun: bool,
    in_line: bool,
}

impl LinesEncoder {
    /// Encodes the next bytes of the text behind what `out` holds. A chunk may end anywhere, within
    /// a character too.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        out.reserve(chunk.len() + chunk.len() / 8);
        let mut rest = chunk;
        while !rest.is_empty() {
            self.begin_line(out);
            let (run, special) = rest.split_at(plain_len(rest));
            out.extend_from_slice(run);
            let Some((&byte, tail)) = special.split_first() else {
                break;
            };
            match byte {
                // What most lines end with: in one piece.
                b'\n' if !tail.is_empty() => out.extend_from_slice(b"\\n\",\""),
                b'\n' => {
                    out.extend_from_slice(b"\\n\"");
                    self.in_line = false;
                }
                _ => push_escaped(byte, out),
            }
            rest = tail;
        }
    }

    /// Ends the text and the JSON.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        if self.in_line {
            out.push(b'"');
        }
        self.begin(out);
        out.extend_from_slice(b"]}");
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> bool {
        let first = !self.begun;
        if first {
            out.extend_from_slice(b"{\"lines\":[");
            self.begun = true;
        }
        first
    }

    fn begin_line(&mut self, out: &mut Vec<u8>) {
        if self.in_line {
            return;
        }
        if !self.begin(out) {
            out.push(b',');
        }
        out.push(b'"');
        self.in_line = true;
    }
}

/// How many bytes from the front stand for themselves. Whole blocks are looked at without a branch for each byte,
/// which the compiler makes vectors of.
fn plain_len(bytes: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let has_special = |block: &[u8; BLOCK]| block.iter().fold(false, |any, &b| any | is_special(b));
    let plain = blocks.iter().position(has_special).unwrap_or(blocks.len()) * BLOCK;
    let rest = &bytes[plain..];
    plain + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match ESCAPES[usize::from(byte)] {
        b'u' => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        }
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
}

const fn escapes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x0c] = b'f';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(text: &str, chunk_len: usize) -> String {
        let (mut encoder, mut out) = (LinesEncoder::default(), Vec::new());
        for chunk in text.as_bytes().chunks(chunk_len) {
            encoder.push(chunk, &mut out);
        }
        encoder.finish(&mut out);
        String::from_utf8(out).expect("the text is UTF-8, and so is JSON's own")
    }

    fn oracle(text: &str) -> String {
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        serde_json::json!({ "lines": lines }).to_string()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(encode(text, usize::MAX), expected);
        assert_eq!(oracle(text), expected);
    }

    #[test]
    fn lines_end_at_line_feeds_only() {
        check("", r#"{"lines":[]}"#);
        check("a", r#"{"lines":["a"]}"#);
        check("a\n", r#"{"lines":["a\n"]}"#);
        check("a\nb", r#"{"lines":["a\n","b"]}"#);
        check("\n\n", r#"{"lines":["\n","\n"]}"#);
        check("a\r\nb\rc\u{b}d\u{2028}e", "{\"lines\":[\"a\\r\\n\",\"b\\rc\\u000bd\u{2028}e\"]}");
    }

    #[test]
    fn only_what_json_forbids_is_escaped() {
        check(
            "\"\\/\t\u{8}\u{c}\u{1f}\u{7f}é",
            "{\"lines\":[\"\\\"\\\\/\\t\\b\\f\\u001f\u{7f}é\"]}",
        );
    }

    #[test]
    fn empty_chunks_are_nothing() {
        let (mut encoder, mut out) = (LinesEncoder::default(), Vec::new());
        for chunk in [&b""[..], b"a\n", b"", b"b", b""] {
            encoder.push(chunk, &mut out);
        }
        encoder.finish(&mut out);
        assert_eq!(out, br#"{"lines":["a\n","b"]}"#);
    }

    proptest! {
        #[test]
        fn any_text_in_any_chunks_is_what_serde_says(
            text in r#"([\n\r"\\\x00-\x1f]|\PC|[a-z]{1,9}){0,40}"#,
            chunk_len in 1_usize..16,
        ) {
            prop_assert_eq!(encode(&text, chunk_len), oracle(&text));
        }
    }
}

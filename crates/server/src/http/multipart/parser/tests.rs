use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A part as the events tell it: its name, its file name, its data.
type Part = (String, Option<String>, Vec<u8>);

fn parser(limits: Limits) -> Parser {
    let content_type = b"multipart/form-data; boundary=bound";
    Parser::new(&Boundary::from_content_type(content_type).unwrap(), limits)
}

fn parse_in(chunks: &[&[u8]], limits: Limits) -> Result<Vec<Part>, SyntaxError> {
    let mut parser = parser(limits);
    let (mut parts, mut open) = (Vec::<Part>::new(), false);
    for chunk in chunks {
        let mut input = Bytes::copy_from_slice(chunk);
        loop {
            match parser.next(&mut input)? {
                Event::NeedMore => break,
                Event::Head(head) => {
                    assert!(!std::mem::replace(&mut open, true), "a part within a part");
                    let file_name = head.file_name().map(Result::unwrap);
                    parts.push((head.name().unwrap().unwrap(), file_name, Vec::new()));
                }
                Event::Data(data) => {
                    assert!(open && !data.is_empty());
                    parts.last_mut().unwrap().2.extend_from_slice(&data);
                }
                Event::PartEnd => assert!(std::mem::replace(&mut open, false)),
            }
        }
        assert!(input.is_empty());
    }
    parser.finish().map(|()| parts)
}

/// Parses a body whole, byte by byte, and cut in two at each place: all must agree.
fn parse(body: &[u8]) -> Result<Vec<Part>, SyntaxError> {
    let whole = parse_in(&[body], Limits::default());
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(whole, parse_in(&bytes, Limits::default()), "byte by byte");
    if body.len() < 1000 {
        for at in 0..=body.len() {
            let (one, two) = body.split_at(at);
            assert_eq!(whole, parse_in(&[one, two], Limits::default()), "cut at {at}");
        }
    }
    whole
}

fn part(name: &str, file_name: Option<&str>, data: &[u8]) -> Part {
    (name.to_owned(), file_name.map(str::to_owned), data.to_owned())
}

const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n";

#[test]
fn bodies_of_real_clients() {
    // A file, its type in a second file part behind the data, no part Content-Type.
    let body =
        b"--bound\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n\
        line\r\n\x00\xff\r\n--bound\r\nContent-Disposition: form-data; name=\"typeId\"; \
        filename=\"typeId\"\r\n\r\n2\r\n--bound--\r\n";
    let file = part("file", Some("a.bin"), b"line\r\n\x00\xff");
    assert_eq!(parse(body), Ok(vec![file, part("typeId", Some("typeId"), b"2")]));

    // A plain field before the file, a mapping for its Content-Type, and an empty file.
    let body = b"--bound\r\nContent-Disposition: form-data; name=\"typeId\"\r\n\r\n2\r\n\
        --bound\r\nContent-Disposition: form-data; name=\"file\"; filename*=utf-8''r%C3%A9s\r\n\
        Content-Type: {'type_id': 1}\r\n\r\n\r\n--bound--\r\n";
    let file = part("file", Some("rés"), b"");
    assert_eq!(parse(body), Ok(vec![part("typeId", None, b"2"), file]));
}

#[test]
fn delimiters_in_every_position() {
    let expected = Ok(vec![part("file", Some("a.txt"), b"x")]);
    assert_eq!(parse(format!("--bound\r\n{FILE}x\r\n--bound--").as_bytes()), expected);
    assert_eq!(parse(format!("\r\n--bound\r\n{FILE}x\r\n--bound--").as_bytes()), expected);
    assert_eq!(parse(format!("hello\r\n--bound\r\n{FILE}x\r\n--bound--").as_bytes()), expected);
    assert_eq!(parse(format!("--bou\r\n--bound\r\n{FILE}x\r\n--bound--").as_bytes()), expected);
    assert_eq!(parse(format!("--bound \t\r\n{FILE}x\r\n--bound--\r\nbye").as_bytes()), expected);
    assert_eq!(parse(b"--bound--"), Ok(vec![]));
}

#[test]
fn near_delimiters_are_data() {
    for data in ["\r", "\r\n", "\r\n-", "\r\n--boun", "\r\r\n--boun", "--bound", "\n--bound--"] {
        let body = format!("--bound\r\n{FILE}{data}\r\n--bound--\r\n");
        assert_eq!(parse(body.as_bytes()), Ok(vec![part("file", Some("a.txt"), data.as_bytes())]));
    }
}

#[test]
fn bad_syntax_is_named() {
    use SyntaxError::*;
    #[track_caller]
    fn check(body: &str, expected: SyntaxError) {
        assert_eq!(parse(body.as_bytes()), Err(expected));
    }
    check("", Truncated);
    check("--bound", Truncated);
    check("--bound-", Truncated);
    check("--bound\r\n", Truncated);
    check("--bound\r\nContent-Disposition: form-data; name=\"file\"\r\n", Truncated);
    check(&format!("--bound\r\n{FILE}data"), Truncated);
    check(&format!("--bound\r\n{FILE}data\r\n--bound"), Truncated);
    check(&format!("--bound\r\n{FILE}data\r\n--bound-"), Truncated);
    check("--boundary\r\n", MalformedDelimiter);
    check("--bound-\r\n", MalformedDelimiter);
    check("--bound\n", MalformedDelimiter);
    check("--bound\rx", MalformedDelimiter);
    check("--bound --", MalformedDelimiter);
    check("--bound\r\nno header\r\n\r\n\r\n--bound--", MalformedHead);
}

#[test]
fn every_limit_holds_at_its_edge() {
    let head_bytes_max = Limits::default().head_bytes_max;
    let preamble = |len: usize| parse(format!("{}\r\n--bound--", "x".repeat(len)).as_bytes());
    // The assumed CRLF before the body counts too.
    assert_eq!(preamble(head_bytes_max - 2), Ok(vec![]));
    assert_eq!(preamble(head_bytes_max - 1), Err(SyntaxError::PreambleTooLong));

    let epilogue = |len: usize| parse(format!("--bound--{}", "x".repeat(len)).as_bytes());
    assert_eq!(epilogue(head_bytes_max), Ok(vec![]));
    assert_eq!(epilogue(head_bytes_max + 1), Err(SyntaxError::EpilogueTooLong));

    let head = |len: usize| {
        let line = "Content-Disposition: form-data; name=\"n\"; x=";
        let rest = len - "\r\n\r\n\r\n".len() - line.len();
        let value = "x".repeat(rest);
        parse(format!("--bound\r\n{line}{value}\r\n\r\n\r\n--bound--").as_bytes())
    };
    assert_eq!(head(head_bytes_max), Ok(vec![part("n", None, b"")]));
    assert_eq!(head(head_bytes_max + 1), Err(SyntaxError::HeadTooLong));

    let padding = format!("--bound{}", " ".repeat(head_bytes_max + 1));
    assert_eq!(parse(padding.as_bytes()), Err(SyntaxError::HeadTooLong));

    let lines = |count: usize| {
        let extra = "x: 1\r\n".repeat(count - 1);
        parse(format!("--bound\r\n{extra}{FILE}\r\n--bound--").as_bytes()).map(|parts| parts.len())
    };
    assert_eq!(lines(32), Ok(1));
    assert_eq!(lines(33), Err(SyntaxError::TooManyHeaders));

    let parts = |count: usize| {
        let body = format!("--bound\r\n{FILE}\r\n").repeat(count) + "--bound--";
        parse(body.as_bytes()).map(|parts| parts.len())
    };
    assert_eq!(parts(64), Ok(64));
    assert_eq!(parts(65), Err(SyntaxError::TooManyParts));
    assert_eq!(parts(1000), Err(SyntaxError::TooManyParts));
}

#[test]
fn a_form_without_end_is_refused_early_and_for_good() {
    let mut parser = parser(Limits::default());
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let refused = Err(SyntaxError::PreambleTooLong);
    assert_eq!(parser.next(&mut chunk.clone()), refused);
    let mut good = Bytes::from_static(b"\r\n--bound--");
    assert_eq!(parser.next(&mut good), refused);
    assert_eq!(parser.finish(), Err(SyntaxError::PreambleTooLong));
}

#[test]
fn data_is_a_slice_of_its_chunk() {
    let mut parser = parser(Limits::default());
    let mut input = Bytes::from(format!("--bound\r\n{FILE}some data"));
    let data_at = input.as_ptr_range().end.wrapping_sub("some data".len());
    assert!(matches!(parser.next(&mut input), Ok(Event::Head(_))));
    let Ok(Event::Data(data)) = parser.next(&mut input) else { panic!("no data") };
    assert_eq!((&data[..], data.as_ptr()), (&b"some data"[..], data_at));
}

/// Bytes among which delimiters and their beginnings are frequent.
fn delimiter_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..4),
        prop::sample::select(vec!["\r", "\n", "\r\n", "-", "--", "bound", "\r\n--bound", ":"])
            .prop_map(|text| text.as_bytes().to_vec()),
        Just(format!("\r\n--bound\r\n{FILE}").into_bytes()),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn up_to_delimiter(mut data: Vec<u8>) -> Vec<u8> {
    data.truncate(memchr::memmem::find(&data, b"\r\n--bound").unwrap_or(data.len()));
    data
}

proptest! {
    #[test]
    fn chunking_changes_nothing(body in delimiter_like(), sizes in vec(1_usize..20, 1..20)) {
        let chunks = split_by(&body, &sizes);
        prop_assert_eq!(events(&[&body]), events(&chunks));
    }

    #[test]
    fn what_was_sent_arrives(
        contents in vec(delimiter_like().prop_map(up_to_delimiter), 0..5),
        sizes in vec(1_usize..20, 1..20),
    ) {
        let mut body = Vec::new();
        for data in &contents {
            body.extend_from_slice(format!("--bound\r\n{FILE}").as_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--bound--\r\n");
        let expected = contents.iter().map(|data| part("file", Some("a.txt"), data)).collect();
        prop_assert_eq!(parse_in(&split_by(&body, &sizes), Limits::default()), Ok(expected));
        for cut in 0..body.len() - "\r\n".len() {
            let cut = parse_in(&split_by(&body[..cut], &sizes), Limits::default());
            prop_assert_eq!(cut, Err(SyntaxError::Truncated));
        }
    }
}

fn split_by<'a>(mut body: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if body.is_empty() {
            return chunks;
        }
        let (chunk, rest) = body.split_at(body.len().min(*size));
        chunks.push(chunk);
        body = rest;
    }
    chunks
}

/// All events of a body, adjacent data joined, and how it ended.
fn events(chunks: &[&[u8]]) -> (Vec<Event>, Result<(), SyntaxError>) {
    let mut parser = parser(Limits { head_bytes_max: 200, ..Limits::default() });
    let mut events = Vec::new();
    for chunk in chunks {
        let mut input = Bytes::copy_from_slice(chunk);
        loop {
            match (parser.next(&mut input), events.last_mut()) {
                (Err(error), _) => return (events, Err(error)),
                (Ok(Event::NeedMore), _) => break,
                (Ok(Event::Data(new)), Some(Event::Data(data))) => {
                    *data = [&data[..], &new].concat().into();
                }
                (Ok(event), _) => events.push(event),
            }
        }
    }
    (events, parser.finish())
}

//! Any body, whole and in pieces, gives the same events and the same end.
#![no_main]

use bindery_server::http::multipart::{Boundary, Event, Limits, Parser, SyntaxError};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, body) = input;
    let whole = events([body].into_iter());
    assert_eq!(whole, events(body.chunks(usize::from(size).max(1))));
    assert_eq!(whole, events(body.chunks(1)));
});

fn events<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Result<(), SyntaxError>) {
    let boundary = Boundary::from_content_type(b"multipart/form-data; boundary=b");
    let limits = Limits { head_bytes_max: 64, head_lines_max: 3, parts_max: 4 };
    let mut parser = Parser::new(&boundary.expect("a boundary"), limits);
    let mut events: Vec<Event> = Vec::new();
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

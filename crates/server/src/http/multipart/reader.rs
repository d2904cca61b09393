//! The form as its parts: a thin asynchronous layer between a body stream and the parser.

use bytes::Bytes;
use futures_util::stream::{Fuse, Stream, StreamExt};

use super::{Boundary, Event, Limits, MultipartError, Parser, PartHead};

/// Reads a form from the stream of its body, part after part.
///
/// Its calls may be dropped while they wait and made again: no byte is lost.
#[derive(Debug)]
pub struct Multipart<S> {
    body: Fuse<S>,
    chunk: Bytes,
    parser: Parser,
    inside_part: bool,
}

impl<S, E> Multipart<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// A reader at the beginning of a body.
    pub fn new(body: S, boundary: &Boundary, limits: Limits) -> Self {
        Self {
            body: body.fuse(),
            chunk: Bytes::new(),
            parser: Parser::new(boundary, limits),
            inside_part: false,
        }
    }

    /// The head of the next part, after whatever is left of the present one; `None` behind the last.
    ///
    /// `None` says that the whole body has arrived, and not its closing delimiter alone.
    pub async fn next_part(&mut self) -> Result<Option<PartHead>, MultipartError<E>> {
        while let Some(event) = self.next_event().await? {
            if let Event::Head(head) = event {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// The next bytes of the present part, never empty; `None` at its end, and between two parts.
    pub async fn next_data(&mut self) -> Result<Option<Bytes>, MultipartError<E>> {
        if !self.inside_part {
            return Ok(None);
        }
        match self.next_event().await? {
            Some(Event::Data(data)) => Ok(Some(data)),
            _ => Ok(None),
        }
    }

    async fn next_event(&mut self) -> Result<Option<Event>, MultipartError<E>> {
        loop {
            let event = self.parser.next(&mut self.chunk)?;
            match event {
                Event::NeedMore => match self.body.next().await {
                    Some(chunk) => self.chunk = chunk.map_err(MultipartError::Body)?,
                    None => {
                        self.parser.finish()?;
                        return Ok(None);
                    }
                },
                Event::Head(_) => self.inside_part = true,
                Event::PartEnd => self.inside_part = false,
                Event::Data(_) => {}
            }
            if event != Event::NeedMore {
                return Ok(Some(event));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::http::multipart::SyntaxError;

    type Chunk = Result<Bytes, &'static str>;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"one\"\r\n\r\nfirst\r\n\
        --b\r\nContent-Disposition: form-data; name=\"two\"\r\n\r\nsecond\r\n--b--\r\n";

    fn reader(chunks: Vec<Chunk>) -> Multipart<impl Stream<Item = Chunk> + Unpin> {
        let boundary = Boundary::from_content_type(b"multipart/form-data; boundary=b").unwrap();
        Multipart::new(stream::iter(chunks), &boundary, Limits::default())
    }

    fn bytewise(form: &'static str) -> Vec<Chunk> {
        form.as_bytes().chunks(1).map(|byte| Ok(Bytes::from_static(byte))).collect()
    }

    async fn gather<S: Stream<Item = Chunk> + Unpin>(form: &mut Multipart<S>) -> Vec<u8> {
        let mut data = Vec::new();
        while let Some(piece) = form.next_data().await.unwrap() {
            data.extend_from_slice(&piece);
        }
        data
    }

    #[tokio::test]
    async fn parts_are_read_in_order() {
        let mut form = reader(bytewise(FORM));
        assert_eq!(form.next_data().await, Ok(None));
        let head = form.next_part().await.unwrap().unwrap();
        assert_eq!(head.name(), Some(Ok("one".to_owned())));
        assert_eq!(gather(&mut form).await, b"first");
        assert_eq!(form.next_data().await, Ok(None));
        let head = form.next_part().await.unwrap().unwrap();
        assert_eq!(head.name(), Some(Ok("two".to_owned())));
        assert_eq!(gather(&mut form).await, b"second");
        assert_eq!(form.next_part().await, Ok(None));
        assert_eq!(form.next_part().await, Ok(None));
    }

    #[tokio::test]
    async fn the_rest_of_a_part_is_skipped() {
        let mut form = reader(bytewise(FORM));
        form.next_part().await.unwrap().unwrap();
        assert_eq!(form.next_data().await.unwrap().unwrap(), "f");
        form.next_part().await.unwrap().unwrap();
        assert_eq!(gather(&mut form).await, b"second");
    }

    #[tokio::test]
    async fn a_failed_body_is_not_bad_syntax() {
        let mut form = reader(vec![Ok(Bytes::from_static(&FORM.as_bytes()[..60])), Err("cut")]);
        form.next_part().await.unwrap().unwrap();
        form.next_data().await.unwrap().unwrap();
        assert_eq!(form.next_data().await, Err(MultipartError::Body("cut")));

        let mut form = reader(vec![Ok(Bytes::from_static(&FORM.as_bytes()[..60]))]);
        form.next_part().await.unwrap().unwrap();
        let truncated = Err(MultipartError::Syntax(SyntaxError::Truncated));
        assert_eq!(form.next_part().await, truncated);
    }

    #[tokio::test]
    async fn a_body_cut_behind_the_closing_delimiter_is_found() {
        let mut form = reader(vec![Ok(Bytes::from_static(b"--b--")), Err("cut")]);
        assert_eq!(form.next_part().await, Err(MultipartError::Body("cut")));
    }
}

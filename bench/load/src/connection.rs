//! One connection: sends a request, reads its answer, and tells when that is whole.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

use crate::request::{Request, Source};

/// How many buffers a connection moves before another one has its turn.
const TURN: usize = 8;
const LARGEST_HEAD: usize = 64 << 10;

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) request: Request,
    pub(crate) began: Instant,
    pub(crate) answer: Answer,
    pub(crate) is_busy: bool,
    sent: u64,
    input: Input,
    /// The beginning of a head, if it did not come in one piece.
    head: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) length: u64,
    pub(crate) closes: bool,
    pub(crate) saved: Vec<u8>,
}

enum Input {
    Head,
    Body(u64),
    Chunk(Chunk),
    Done,
}

enum Chunk {
    Size(u64),
    Extension(u64),
    Data(u64),
    DataEnd,
    /// How many bytes of a trailer's line came.
    Trailer(usize),
}

#[derive(PartialEq, Eq, Clone, Copy)]
pub(crate) enum Progress {
    Waits,
    /// There may be more to do without a new event.
    HadItsTurn,
    Answered,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            request: Request::default(),
            began: Instant::now(),
            answer: Answer::default(),
            is_busy: false,
            sent: 0,
            input: Input::Head,
            head: Vec::new(),
        })
    }

    /// Begins the request that `self.request` holds.
    pub(crate) fn begin(&mut self) {
        self.began = Instant::now();
        self.is_busy = true;
        self.sent = 0;
        self.input = Input::Head;
        self.head.clear();
        self.answer.saved.clear();
    }

    /// Sends and reads what it can.
    pub(crate) fn go_on(
        &mut self,
        source: &Source,
        buffer: &mut [u8],
        saves: bool,
    ) -> Result<Progress, Error> {
        let wrote = self.send(source)?;
        let read = self.receive(buffer, saves)?;
        Ok(match (wrote, read) {
            (_, Progress::Answered) => Progress::Answered,
            (Progress::HadItsTurn, _) | (_, Progress::HadItsTurn) => Progress::HadItsTurn,
            _ => Progress::Waits,
        })
    }

    fn send(&mut self, source: &Source) -> Result<Progress, Error> {
        let head = self.request.head.len() as u64;
        let content = head + self.request.content;
        let all = content + if self.request.tail { source.tail.len() as u64 } else { 0 };
        for _ in 0..TURN {
            if self.sent == all {
                return Ok(Progress::Waits);
            }
            let piece = if self.sent < head {
                &self.request.head[place(self.sent)..]
            } else if self.sent < content {
                let at = self.sent - head;
                let from = place(at % source.content.len() as u64);
                let left = place((content - self.sent).min(source.content.len() as u64));
                &source.content[from..source.content.len().min(from + left)]
            } else {
                &source.tail[place(self.sent - content)..]
            };
            match self.stream.write(piece) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waits),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(if self.sent == all { Progress::Waits } else { Progress::HadItsTurn })
    }

    fn receive(&mut self, buffer: &mut [u8], saves: bool) -> Result<Progress, Error> {
        for _ in 0..TURN {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.take(&buffer[..count], saves)?;
                    if matches!(self.input, Input::Done) {
                        return Ok(Progress::Answered);
                    }
                    // Fewer than asked for: there is no more, and an event will tell when there is.
                    if count < buffer.len() {
                        return Ok(Progress::Waits);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waits),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Progress::HadItsTurn)
    }

    fn take(&mut self, mut bytes: &[u8], saves: bool) -> Result<(), Error> {
        while !bytes.is_empty() {
            match &mut self.input {
                Input::Head => {
                    let before = self.head.len();
                    let joined = if before == 0 {
                        self.answer(bytes)?
                    } else {
                        self.head.extend_from_slice(bytes);
                        let head = std::mem::take(&mut self.head);
                        let found = self.answer(&head)?;
                        self.head = head;
                        found
                    };
                    match joined {
                        Some(length) => {
                            self.head.clear();
                            bytes = &bytes[length - before..];
                        }
                        None => {
                            if before == 0 {
                                self.head.extend_from_slice(bytes);
                            }
                            if self.head.len() > LARGEST_HEAD {
                                return Err(Error::other("too large a head"));
                            }
                            return Ok(());
                        }
                    }
                }
                Input::Body(left) => {
                    let piece = place((*left).min(bytes.len() as u64));
                    *left -= piece as u64;
                    if *left == 0 {
                        self.input = Input::Done;
                    }
                    if saves {
                        self.answer.saved.extend_from_slice(&bytes[..piece]);
                    }
                    self.answer.length += piece as u64;
                    bytes = &bytes[piece..];
                }
                Input::Chunk(chunk) => {
                    let (next, taken, data) = chunk.take(bytes)?;
                    if data && saves {
                        self.answer.saved.extend_from_slice(&bytes[..taken]);
                    }
                    self.answer.length += if data { taken as u64 } else { 0 };
                    self.input = next.map_or(Input::Done, Input::Chunk);
                    bytes = &bytes[taken..];
                }
                Input::Done => return Err(Error::other("more bytes than the answer has")),
            }
        }
        Ok(())
    }

    /// Reads a head; its length, if it is whole.
    fn answer(&mut self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut headers);
        let length = match parsed.parse(bytes).map_err(Error::other)? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete(length) => length,
        };
        let status = parsed.code.unwrap_or(0);
        if status < 200 {
            return Ok(Some(length));
        }
        let mut body = None;
        let mut chunked = false;
        let mut closes = parsed.version == Some(0);
        for header in parsed.headers.iter() {
            let value = header.value.trim_ascii();
            if header.name.eq_ignore_ascii_case("content-length") {
                body = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if header.name.eq_ignore_ascii_case("connection") {
                closes = value.eq_ignore_ascii_case(b"close")
                    || closes && !value.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        let has_none = self.request.has_no_answer_body || status == 204 || status == 304;
        self.answer.status = status;
        self.answer.length = 0;
        self.answer.closes = closes;
        self.input = match body {
            _ if has_none => Input::Done,
            _ if chunked => Input::Chunk(Chunk::Size(0)),
            Some(0) => Input::Done,
            Some(length) => Input::Body(length),
            None => return Err(Error::other("an answer that says no length")),
        };
        Ok(Some(length))
    }
}

impl Chunk {
    /// What comes behind it (`None`: nothing), how many bytes it took, and whether they are the body's.
    fn take(&self, bytes: &[u8]) -> Result<(Option<Self>, usize, bool), Error> {
        let byte = bytes[0];
        Ok(match self {
            Self::Size(size) => match (byte as char).to_digit(16) {
                Some(digit) => (Some(Self::Size(size << 4 | u64::from(digit))), 1, false),
                None => (Some(Self::Extension(*size)), 0, false),
            },
            Self::Extension(size) => match (byte, size) {
                (b'\n', 0) => (Some(Self::Trailer(0)), 1, false),
                (b'\n', _) => (Some(Self::Data(*size)), 1, false),
                _ => (Some(Self::Extension(*size)), 1, false),
            },
            Self::Data(size) => {
                let taken = place((*size).min(bytes.len() as u64));
                let left = size - taken as u64;
                let next = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                (Some(next), taken, true)
            }
            Self::DataEnd => match byte {
                b'\r' => (Some(Self::DataEnd), 1, false),
                b'\n' => (Some(Self::Size(0)), 1, false),
                _ => return Err(Error::other("a chunk that does not end")),
            },
            Self::Trailer(length) => match (byte, length) {
                (b'\n', 0) => (None, 1, false),
                (b'\n', _) => (Some(Self::Trailer(0)), 1, false),
                (b'\r', _) => (Some(Self::Trailer(*length)), 1, false),
                _ => (Some(Self::Trailer(length + 1)), 1, false),
            },
        })
    }
}

fn place(position: u64) -> usize {
    usize::try_from(position).expect("a place in a buffer")
}

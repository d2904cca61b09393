//! The parser without IO: chunks of a form in, the events of its parts out. It holds one part head
//! at most, so its memory is constant for any body; data it passes on as slices of the chunks.

use std::mem;

use bytes::{Buf, Bytes};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::{Boundary, PartHead, SyntaxError};

/// What one form may demand of the parser. The size of part data is not among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of each part head with its delimiter line, of the preamble, and of the epilogue.
    pub head_bytes_max: usize,
    /// Lines of each part head.
    pub head_lines_max: usize,
    /// Parts of one form.
    pub parts_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes_max: 8 * 1024, head_lines_max: 32, parts_max: 64 }
    }
}

/// What a form holds next. Between a `Head` and its `PartEnd` come only `Data` and `NeedMore`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The input is used up.
    NeedMore,
    /// A part begins.
    Head(PartHead),
    /// The next bytes of the part, at least one.
    Data(Bytes),
    /// The part is complete.
    PartEnd,
}

/// The state between two chunks of one form.
#[derive(Debug)]
pub struct Parser {
    delimiter: Bytes,
    finder: Finder<'static>,
    limits: Limits,
    state: State,
    /// How much of a delimiter the input so far ends with. Those bytes are not kept: should no
    /// delimiter follow, they are the delimiter's own first bytes.
    matched: usize,
    /// The head so far, from the line end of its delimiter on.
    head: Vec<u8>,
    /// Bytes that count against `head_bytes_max` in the present state.
    spent: usize,
    parts: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Preamble,
    /// Behind a delimiter, whose kind the next bytes tell.
    Line(Line),
    Head,
    Data,
    Epilogue,
    Failed(SyntaxError),
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Start,
    Hyphen,
    Padding,
    Return,
}

/// What the input holds before the next delimiter.
enum Scan {
    Empty,
    Bytes(Bytes),
    Delimiter,
}

impl Parser {
    /// A parser at the beginning of a form.
    pub fn new(boundary: &Boundary, limits: Limits) -> Self {
        let delimiter = boundary.delimiter().clone();
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            limits,
            state: State::Preamble,
            // The first delimiter may begin the body: its CRLF counts as seen.
            matched: 2,
            head: Vec::new(),
            spent: 0,
            parts: 0,
        }
    }

    /// Takes from the front of `input` what the next event needs. To be called again with the same
    /// input until it answers `NeedMore`, then with the next chunk. An error is final.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Event, SyntaxError> {
        let event = self.step(input);
        if let Err(error) = event {
            self.state = State::Failed(error);
        }
        event
    }

    /// Whether the form was complete when its body ended.
    pub fn finish(&self) -> Result<(), SyntaxError> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Failed(error) => Err(error),
            _ => Err(SyntaxError::Truncated),
        }
    }

    fn step(&mut self, input: &mut Bytes) -> Result<Event, SyntaxError> {
        loop {
            match self.state {
                State::Preamble => match self.scan(input) {
                    Scan::Empty => return Ok(Event::NeedMore),
                    Scan::Bytes(skipped) => {
                        self.spend(skipped.len(), SyntaxError::PreambleTooLong)?;
                    }
                    Scan::Delimiter => self.enter(State::Line(Line::Start)),
                },
                State::Line(line) => match input.first() {
                    None => return Ok(Event::NeedMore),
                    Some(&byte) => {
                        self.line(line, byte)?;
                        input.advance(1);
                    }
                },
                State::Head => {
                    if input.is_empty() {
                        return Ok(Event::NeedMore);
                    }
                    if let Some(head) = self.head(input)? {
                        self.enter(State::Data);
                        return Ok(Event::Head(head));
                    }
                }
                State::Data => match self.scan(input) {
                    Scan::Empty => return Ok(Event::NeedMore),
                    Scan::Bytes(data) => return Ok(Event::Data(data)),
                    Scan::Delimiter => {
                        self.enter(State::Line(Line::Start));
                        return Ok(Event::PartEnd);
                    }
                },
                State::Epilogue => {
                    self.spend(input.len(), SyntaxError::EpilogueTooLong)?;
                    input.clear();
                    return Ok(Event::NeedMore);
                }
                State::Failed(error) => return Err(error),
            }
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.spent = 0;
    }

    fn spend(&mut self, bytes: usize, error: SyntaxError) -> Result<(), SyntaxError> {
        self.spent += bytes;
        if self.spent > self.limits.head_bytes_max { Err(error) } else { Ok(()) }
    }

    /// Takes what comes before the next delimiter, or the delimiter.
    ///
    /// CR is the first byte of a delimiter and stands nowhere else in it, so a failed match cannot
    /// hide the beginning of another one.
    fn scan(&mut self, input: &mut Bytes) -> Scan {
        if self.matched > 0 {
            let wanted = &self.delimiter[self.matched..];
            let same = wanted.iter().zip(input.iter()).take_while(|(a, b)| a == b).count();
            if same == wanted.len() {
                input.advance(same);
                self.matched = 0;
                return Scan::Delimiter;
            }
            if same == input.len() {
                self.matched += same;
                input.clear();
                return Scan::Empty;
            }
            let held = self.delimiter.slice(..self.matched);
            self.matched = 0;
            return Scan::Bytes(held);
        }
        let end = match self.finder.find(input) {
            Some(0) => {
                input.advance(self.delimiter.len());
                return Scan::Delimiter;
            }
            Some(at) => at,
            None => {
                self.matched = self.held_back(input);
                input.len() - self.matched
            }
        };
        let bytes = input.split_to(end);
        input.advance(self.matched);
        if bytes.is_empty() { Scan::Empty } else { Scan::Bytes(bytes) }
    }

    /// How many bytes at the end of the input may begin a delimiter.
    fn held_back(&self, input: &[u8]) -> usize {
        let tail = &input[input.len().saturating_sub(self.delimiter.len() - 1)..];
        match memrchr(b'\r', tail) {
            Some(at) if self.delimiter.starts_with(&tail[at..]) => tail.len() - at,
            _ => 0,
        }
    }

    /// Reads on behind a boundary: two hyphens close the form; else the line ends, after spaces and
    /// tabs that some gateway may have left there (RFC 2046 calls them transport padding).
    fn line(&mut self, line: Line, byte: u8) -> Result<(), SyntaxError> {
        self.spend(1, SyntaxError::HeadTooLong)?;
        self.state = match (line, byte) {
            (Line::Start, b'-') => State::Line(Line::Hyphen),
            (Line::Start | Line::Padding, b' ' | b'\t') => State::Line(Line::Padding),
            (Line::Start | Line::Padding, b'\r') => State::Line(Line::Return),
            (Line::Hyphen, b'-') => {
                self.spent = 0;
                State::Epilogue
            }
            (Line::Return, b'\n') => {
                if self.parts == self.limits.parts_max {
                    return Err(SyntaxError::TooManyParts);
                }
                self.parts += 1;
                // With the line end before it, a head without lines ends like any other.
                self.head.extend_from_slice(b"\r\n");
                State::Head
            }
            _ => return Err(SyntaxError::MalformedDelimiter),
        };
        Ok(())
    }

    /// Takes one line, or what the input has of it, and gives the head once it is complete.
    fn head(&mut self, input: &mut Bytes) -> Result<Option<PartHead>, SyntaxError> {
        let line_end = memchr(b'\n', input).map_or(input.len(), |at| at + 1);
        self.spend(line_end, SyntaxError::HeadTooLong)?;
        self.head.extend_from_slice(&input[..line_end]);
        input.advance(line_end);
        if !self.head.ends_with(b"\r\n\r\n") {
            return Ok(None);
        }
        let head = Bytes::from(mem::take(&mut self.head));
        let lines = head.slice(2..head.len() - 2);
        PartHead::parse(lines, self.limits.head_lines_max).map(Some)
    }
}

#[cfg(test)]
mod tests;

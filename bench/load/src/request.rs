//! What is sent: bytes made beforehand, in which only the counter's digits change, or lines of a list.
//! A large body is not part of them, but repeated out of one buffer.

use std::fmt::Write;
use std::io::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::options::Options;

const DIGITS: usize = 10;
const BOUNDARY: &str = "bindery-load-9f2c6d0b4e";
/// Up to this length the body is sent with the head in one write.
const SMALL: u64 = 64 << 10;
const REPEATED: u64 = 1 << 20;

/// One request: `head`, then `content` bytes of the source's content, then its tail.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) head: Vec<u8>,
    pub(crate) content: u64,
    /// How many bytes of it are a file's.
    pub(crate) payload: u64,
    pub(crate) tail: bool,
    pub(crate) has_no_answer_body: bool,
    slots: Vec<usize>,
}

pub(crate) struct Source {
    pub(crate) content: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    size: u64,
    before: String,
    headers: String,
    host: String,
    method: String,
    path: String,
    has_body: bool,
    list: Option<Vec<Line>>,
    cycle: bool,
    skip: u64,
    next: AtomicU64,
    first: u64,
    limit: u64,
}

struct Line {
    method: String,
    path: String,
    body: Option<String>,
}

impl Source {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let (content, size) = content(options)?;
        let has_body = size > 0
            || options.text.is_some()
            || options.body_bytes.is_some()
            || options.form.is_some();
        let mut before = options.text.clone().unwrap_or_default();
        let mut tail = Vec::new();
        let mut headers: String =
            options.headers.iter().fold(String::new(), |all, one| all + one + "\r\n");
        if let Some(name) = &options.form {
            headers += &format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
            before = form_before(
                &options.fields,
                name,
                options.body_file.is_some() || options.body_bytes.is_some(),
            );
            tail = format!("\r\n--{BOUNDARY}--\r\n").into_bytes();
        }
        let list = options.list.as_ref().map(|path| lines(path, &options.path)).transpose()?;
        let lines = match &list {
            Some(list) if !options.cycle => (list.len() as u64).saturating_sub(options.skip),
            _ => u64::MAX,
        };
        let default = if has_body { "POST" } else { "GET" };
        Ok(Self {
            content,
            tail,
            size,
            before,
            headers,
            host: options.host.clone(),
            method: options.method.clone().unwrap_or_else(|| default.to_owned()),
            path: options.path.clone(),
            has_body,
            list,
            cycle: options.cycle,
            skip: options.skip,
            next: AtomicU64::new(0),
            first: options.first,
            limit: options.requests.unwrap_or(u64::MAX).min(lines),
        })
    }

    /// Whether what is sent is what is measured, or what is received.
    pub(crate) fn is_sent(&self) -> bool {
        self.size > 0
    }

    /// Makes `request` the next one, reusing its bytes; `false` behind the last.
    pub(crate) fn next(&self, request: &mut Request) -> bool {
        let index = self.next.fetch_add(1, Relaxed);
        if index >= self.limit {
            return false;
        }
        match &self.list {
            Some(list) => {
                let at = index + self.skip;
                let at = if self.cycle { at % list.len() as u64 } else { at };
                let line = &list[usize::try_from(at).expect("an index of a list in memory")];
                self.build(request, &line.method, &line.path, line.body.as_deref());
            }
            None if request.head.is_empty() => self.build(request, &self.method, &self.path, None),
            None => {}
        }
        let Request { head, slots, .. } = request;
        for &slot in &*slots {
            digits(self.first + index, &mut head[slot..slot + DIGITS]);
        }
        true
    }

    fn build(&self, request: &mut Request, method: &str, path: &str, body: Option<&str>) {
        let of_line = body.is_some();
        let before = body.unwrap_or(&self.before);
        let size = if of_line { 0 } else { self.size };
        let tail: &[u8] = if of_line { &[] } else { &self.tail };
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{}", self.host, self.headers);
        if of_line || self.has_body {
            let length = expanded(before) as u64 + size + tail.len() as u64;
            write!(head, "Content-Length: {length}\r\n").expect("a string takes all");
        }
        head += "\r\n";
        head += before;
        expand(&head, &mut request.head, &mut request.slots);
        request.payload = size;
        request.has_no_answer_body = method == "HEAD";
        request.content = size;
        request.tail = !tail.is_empty();
        if size <= SMALL {
            let mut left = usize::try_from(size).expect("a small size");
            while left > 0 {
                let piece = left.min(self.content.len());
                request.head.extend_from_slice(&self.content[..piece]);
                left -= piece;
            }
            request.head.extend_from_slice(tail);
            request.content = 0;
            request.tail = false;
        }
    }
}

fn form_before(fields: &[String], name: &str, has_file: bool) -> String {
    let mut text = String::new();
    for field in fields {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        text += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    if has_file {
        text += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
    } else {
        // The tail begins with the line's end.
        text.truncate(text.len().saturating_sub(2));
    }
    text
}

fn lines(path: &std::path::Path, default: &str) -> Result<Vec<Line>, Error> {
    let text = std::fs::read_to_string(path)?;
    let all: Vec<Line> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(3, '\t');
            let method = parts.next().unwrap_or_default().to_owned();
            let path = parts.next().filter(|path| !path.is_empty() && *path != "-");
            let body = parts.next().map(str::to_owned);
            Line { method, path: path.unwrap_or(default).to_owned(), body }
        })
        .collect();
    if all.is_empty() {
        return Err(Error::other("the list is empty"));
    }
    Ok(all)
}

fn content(options: &Options) -> Result<(Vec<u8>, u64), Error> {
    if let Some(path) = &options.body_file {
        let content = std::fs::read(path)?;
        let size = options.body_bytes.unwrap_or(content.len() as u64);
        if content.is_empty() && size > 0 {
            return Err(Error::other("an empty file cannot be repeated"));
        }
        return Ok((content, size));
    }
    let size = options.body_bytes.unwrap_or(0);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let content = (0..size.min(REPEATED))
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect();
    Ok((content, size))
}

fn expanded(text: &str) -> usize {
    text.len() + text.matches("{n}").count() * (DIGITS - "{n}".len())
}

/// Writes `text` with zeros for every `{n}`, and where those stand.
fn expand(text: &str, into: &mut Vec<u8>, slots: &mut Vec<usize>) {
    into.clear();
    slots.clear();
    let mut pieces = text.split("{n}");
    into.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        slots.push(into.len());
        into.extend_from_slice(&[b'0'; DIGITS]);
        into.extend_from_slice(piece.as_bytes());
    }
}

fn digits(mut number: u64, into: &mut [u8]) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

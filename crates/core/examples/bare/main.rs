//! What is left of the costliest requests without a server, one thread a connection: for `scripts/bench`, limits.
//! `bare PORT LENGTH DIRECTORY` answers
//!
//! - each GET with `LENGTH` bytes that it sealed into a file there, read, opened and sent by a loop;
//! - each PUT of up to 16 KiB with its MD5, once a row with the bytes is committed, together with those that came meanwhile;
//! - each larger PUT once its bytes are written to a file, and synced.

mod files;
mod rows;
mod sealed;

use files::Files;
use rows::Rows;
use rustix::net::sockopt::set_socket_send_buffer_size;
use sealed::Sealed;
use std::error::Error;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

/// The largest content that is committed as a row, in bytes, as the server does.
const ROW_MAX: u64 = 16 << 10;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Bare {
    sealed: Sealed,
    rows: Rows,
    files: Files,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: bare PORT LENGTH DIRECTORY");
    let (port, len): (u16, u64) = (next()?.parse()?, next()?.parse()?);
    let directory = next()?;
    let directory = Path::new(&directory);
    let bare = Arc::new(Bare {
        sealed: Sealed::new(&directory.join("sealed"), len)?,
        rows: Rows::new(&directory.join("rows.db"))?,
        files: Files::new(directory),
    });
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let (bare, stream) = (Arc::clone(&bare), stream?);
        std::thread::spawn(move || {
            if let Err(error) = bare.serve(&stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

impl Bare {
    fn serve(&self, stream: &TcpStream) -> Outcome<()> {
        stream.set_nodelay(true)?;
        // As Bindery does.
        set_socket_send_buffer_size(stream, 256 << 10)?;
        let (mut asked, mut answer) = (BufReader::with_capacity(64 << 10, stream), stream);
        let mut body = Vec::new();
        while let Some(len) = next_request(&mut asked)? {
            let Some(len) = len else {
                let len = self.sealed.len();
                write!(answer, "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n")?;
                self.sealed.send(&mut answer)?;
                continue;
            };
            let said = if len > ROW_MAX {
                self.files.write(&mut asked, len)?;
                String::new()
            } else {
                body.resize(usize::try_from(len)?, 0);
                asked.read_exact(&mut body)?;
                self.rows.insert(&body)?.map(|byte| format!("{byte:02x}")).concat()
            };
            let len = said.len();
            let head = format!("HTTP/1.1 201 Created\r\nContent-Length: {len}\r\n\r\n");
            answer.write_all((head + &said).as_bytes())?;
        }
        Ok(())
    }
}

/// The length of the body of a PUT; of a GET there is none. `None` at the end of all.
fn next_request(asked: &mut impl BufRead) -> Outcome<Option<Option<u64>>> {
    let (mut line, mut is_upload, mut len) = (String::new(), false, 0);
    while asked.read_line(&mut line)? > 0 {
        if line == "\r\n" {
            return Ok(Some(is_upload.then_some(len)));
        }
        is_upload |= line.starts_with("PUT ");
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            len = value.trim().parse()?;
        }
        line.clear();
    }
    Ok(None)
}

//! What is left of a large download without a server: `bare PORT LENGTH DIRECTORY` seals `LENGTH` bytes into a file
//! there, and answers every request with them, read, opened and sent by a loop on one thread a connection. For
//! `scripts/bench` it is the limit of one connection: one thread that opens what it sends is no quicker.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::error::Error;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

const SEGMENT: usize = 64 << 10;
const TAG: usize = 16;
/// Read at once, as the server does.
const WINDOW: usize = 8 * (SEGMENT + TAG);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Sealed {
    file: File,
    len: u64,
    key: LessSafeKey,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: bare PORT LENGTH DIRECTORY");
    let (port, len): (u16, u64) = (next()?.parse()?, next()?.parse()?);
    let sealed = Arc::new(Sealed::new(&Path::new(&next()?).join("sealed"), len)?);
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let (sealed, stream) = (Arc::clone(&sealed), stream?);
        std::thread::spawn(move || sealed.answer(stream));
    }
    Ok(())
}

fn nonce(index: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

impl Sealed {
    fn new(path: &Path, len: u64) -> Outcome<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| "no key")?);
        let mut file = File::options().read(true).write(true).create_new(true).open(path)?;
        for index in 0..len.div_ceil(SEGMENT as u64) {
            let left = len - index * SEGMENT as u64;
            let mut segment = vec![index as u8; SEGMENT.min(usize::try_from(left)?)];
            key.seal_in_place_append_tag(nonce(index), Aad::empty(), &mut segment)
                .map_err(|_| "not sealed")?;
            file.write_all(&segment)?;
        }
        Ok(Sealed { file, len, key })
    }

    fn answer(&self, mut stream: TcpStream) -> Outcome<()> {
        stream.set_nodelay(true)?;
        let mut asked = [0; 65_536];
        while stream.read(&mut asked)? > 0 {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", self.len)?;
            self.send(&mut stream)?;
        }
        Ok(())
    }

    fn send(&self, stream: &mut TcpStream) -> Outcome<()> {
        let (mut window, mut at, mut index) = (vec![0; WINDOW], 0, 0);
        loop {
            let read = self.file.read_at(&mut window, at)?;
            if read == 0 {
                return Ok(());
            }
            at += read as u64;
            for segment in window[..read].chunks_mut(SEGMENT + TAG) {
                let opened = self.key.open_in_place(nonce(index), Aad::empty(), segment);
                stream.write_all(opened.map_err(|_| "not opened")?)?;
                index += 1;
            }
        }
    }
}

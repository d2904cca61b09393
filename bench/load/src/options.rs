//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::Arg;
use lexopt::prelude::ValueExt;

const HELP: &str = "\
bindery-load [OPTIONS] URL      http:// only; prints one line of JSON; exits with 1 if any answer was wrong

  -X, --method M          GET by default, POST with a body
  -H, --header 'K: V'     again for more
  -c, --connections N     1 by default
  -t, --threads N         1 by default
  -s, --seconds S         how long new requests are begun; those in flight are awaited
  -n, --requests N        how many; with both, what comes first
      --text TEXT         a body as it stands here
      --body-file FILE    a body from a file, and then again from its beginning if --body-bytes is larger
      --body-bytes N      a body of N pseudorandom bytes; K, M and G are powers of 1024
      --form NAME         the body becomes the field `file` of a form, with this file name
      --field 'NAME=TEXT' another field of that form, before the file; again for more
      --list FILE         each line is METHOD, PATH and perhaps a body, with tabs between; one request each.
                          A path that is empty or - is that of URL; a line without a body has the one from here
      --skip N            lines of the list that were used before
      --cycle             begin the list again behind its last line
      --first N           the counter's first value
      --status N          what every answer must have; 200 to 299 by default
      --length N          what the body of every answer must have
      --save FILE         bodies of answers, each ended by a line feed

`{n}` in URL, headers, texts and the file name becomes a counter of ten digits.
";

pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) method: Option<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) time: Option<Duration>,
    pub(crate) requests: Option<u64>,
    pub(crate) text: Option<String>,
    pub(crate) body_file: Option<PathBuf>,
    pub(crate) body_bytes: Option<u64>,
    pub(crate) form: Option<String>,
    pub(crate) fields: Vec<String>,
    pub(crate) list: Option<PathBuf>,
    pub(crate) skip: u64,
    pub(crate) cycle: bool,
    pub(crate) first: u64,
    pub(crate) status: Option<u16>,
    pub(crate) length: Option<u64>,
    pub(crate) save: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse() -> Result<Self, lexopt::Error> {
        let mut url = None;
        let mut options = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            host: String::new(),
            path: String::new(),
            method: None,
            headers: Vec::new(),
            connections: 1,
            threads: 1,
            time: None,
            requests: None,
            text: None,
            body_file: None,
            body_bytes: None,
            form: None,
            fields: Vec::new(),
            list: None,
            skip: 0,
            cycle: false,
            first: 0,
            status: None,
            length: None,
            save: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("help") => {
                    print!("{HELP}");
                    std::process::exit(0);
                }
                Arg::Value(value) => url = Some(value.string()?),
                Arg::Short('X') | Arg::Long("method") => {
                    options.method = Some(parser.value()?.string()?);
                }
                Arg::Short('H') | Arg::Long("header") => {
                    options.headers.push(parser.value()?.string()?);
                }
                Arg::Short('c') | Arg::Long("connections") => {
                    options.connections = parser.value()?.parse::<usize>()?.max(1);
                }
                Arg::Short('t') | Arg::Long("threads") => {
                    options.threads = parser.value()?.parse::<usize>()?.max(1);
                }
                Arg::Short('s') | Arg::Long("seconds") => {
                    options.time = Some(Duration::from_secs_f64(parser.value()?.parse()?));
                }
                Arg::Short('n') | Arg::Long("requests") => {
                    options.requests = Some(parser.value()?.parse()?);
                }
                Arg::Long("text") => options.text = Some(parser.value()?.string()?),
                Arg::Long("body-file") => options.body_file = Some(parser.value()?.into()),
                Arg::Long("body-bytes") => {
                    options.body_bytes = Some(parser.value()?.parse_with(size)?);
                }
                Arg::Long("form") => options.form = Some(parser.value()?.string()?),
                Arg::Long("field") => options.fields.push(parser.value()?.string()?),
                Arg::Long("list") => options.list = Some(parser.value()?.into()),
                Arg::Long("skip") => options.skip = parser.value()?.parse()?,
                Arg::Long("cycle") => options.cycle = true,
                Arg::Long("first") => options.first = parser.value()?.parse()?,
                Arg::Long("status") => options.status = Some(parser.value()?.parse()?),
                Arg::Long("length") => options.length = Some(parser.value()?.parse_with(size)?),
                Arg::Long("save") => options.save = Some(parser.value()?.into()),
                other => return Err(other.unexpected()),
            }
        }
        let url = url.ok_or("no URL; see --help")?;
        if options.time.is_none()
            && options.requests.is_none()
            && (options.list.is_none() || options.cycle)
        {
            return Err("one of --seconds and --requests, or a list without --cycle".into());
        }
        options.place(&url)?;
        Ok(options)
    }

    fn place(&mut self, url: &str) -> Result<(), lexopt::Error> {
        let rest = url.strip_prefix("http://").ok_or("URL must begin with http://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        self.host = host.to_owned();
        self.path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        let resolved =
            if host.contains(':') { host.to_socket_addrs() } else { (host, 80).to_socket_addrs() };
        let found = resolved.ok().and_then(|mut all| all.next());
        self.address = found.ok_or("no address for the URL's host")?;
        Ok(())
    }
}

fn size(text: &str) -> Result<u64, std::num::ParseIntError> {
    let shift = match text.as_bytes().last() {
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        _ => return text.parse(),
    };
    Ok(text[..text.len() - 1].parse::<u64>()? << shift)
}

//! A thread: its connections in turns, whichever can go on.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Error, ErrorKind, Write};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::connection::{Connection, Progress};
use crate::options::Options;
use crate::report::Report;
use crate::request::Source;

/// Answers are read into one buffer, and dropped.
const BUFFER: usize = 256 << 10;
const GIVEN_UP_AFTER: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(120);

struct Turn<'a> {
    options: &'a Options,
    source: &'a Source,
    poll: Poll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    /// Those which can go on without an event.
    ready: VecDeque<usize>,
    busy: usize,
    until: Option<Instant>,
    report: Report,
    save: Option<File>,
}

pub(crate) fn run(
    options: &Options,
    source: &Source,
    share: usize,
    connected: &Barrier,
) -> Result<Report, Error> {
    let opened = Turn::open(options, source, share);
    // The others wait for this thread, whatever became of its connections.
    connected.wait();
    opened?.run()
}

impl<'a> Turn<'a> {
    fn open(options: &'a Options, source: &'a Source, share: usize) -> Result<Self, Error> {
        let save = options
            .save
            .as_ref()
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?;
        let mut turn = Self {
            options,
            source,
            poll: Poll::new()?,
            connections: Vec::with_capacity(share),
            buffer: vec![0; BUFFER],
            ready: VecDeque::with_capacity(share),
            busy: 0,
            until: None,
            report: Report::default(),
            save,
        };
        for index in 0..share {
            let connection = turn.connect(index)?;
            turn.connections.push(connection);
        }
        Ok(turn)
    }

    fn connect(&self, index: usize) -> Result<Connection, Error> {
        let mut connection = Connection::open(self.options.address)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut connection.stream, Token(index), both)?;
        Ok(connection)
    }

    fn run(mut self) -> Result<Report, Error> {
        self.until = self.options.time.map(|time| Instant::now() + time);
        for index in 0..self.connections.len() {
            self.begin(index);
        }
        let mut events = Events::with_capacity(1024);
        while self.busy > 0 {
            let wait = if self.ready.is_empty() { PATIENCE } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if events.is_empty() && self.ready.is_empty() {
                return Err(Error::other(format!("no answer for {} s", PATIENCE.as_secs())));
            }
            for _ in 0..self.ready.len() {
                if let Some(index) = self.ready.pop_front() {
                    self.go_on(index)?;
                }
            }
            for event in &events {
                self.go_on(event.token().0)?;
            }
        }
        Ok(self.report)
    }

    /// The next request of this connection, if there is to be one.
    fn begin(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if self.until.is_some_and(|until| Instant::now() >= until)
            || !self.source.next(&mut connection.request)
        {
            return;
        }
        connection.begin();
        self.busy += 1;
        self.ready.push_back(index);
    }

    fn go_on(&mut self, index: usize) -> Result<(), Error> {
        let connection = &mut self.connections[index];
        if !connection.is_busy {
            return Ok(());
        }
        let saves = self.save.is_some();
        match connection.go_on(self.source, &mut self.buffer, saves) {
            Ok(Progress::Waits) => return Ok(()),
            Ok(Progress::HadItsTurn) => {
                if !self.ready.contains(&index) {
                    self.ready.push_back(index);
                }
                return Ok(());
            }
            Ok(Progress::Answered) => self.answered(index)?,
            Err(error) => {
                self.wrong(&error.to_string())?;
                self.connections[index].answer.closes = true;
            }
        }
        self.connections[index].is_busy = false;
        self.busy -= 1;
        if self.connections[index].answer.closes {
            let request = std::mem::take(&mut self.connections[index].request);
            self.connections[index] = self.connect(index)?;
            self.connections[index].request = request;
            self.report.reconnects += 1;
        }
        self.begin(index);
        Ok(())
    }

    fn answered(&mut self, index: usize) -> Result<(), Error> {
        let connection = &self.connections[index];
        let answer = &connection.answer;
        let status_is_right = match self.options.status {
            Some(status) => answer.status == status,
            None => (200..300).contains(&answer.status),
        };
        let length = self.options.length.unwrap_or(answer.length);
        if !status_is_right || answer.length != length {
            let text = format!("status {}, {} bytes", answer.status, answer.length);
            return self.wrong(&text);
        }
        self.report.answered(connection.began.elapsed(), connection.request.payload, answer.length);
        if let Some(file) = &mut self.save {
            let mut line = answer.saved.clone();
            line.push(b'\n');
            file.write_all(&line)?;
        }
        Ok(())
    }

    fn wrong(&mut self, what: &str) -> Result<(), Error> {
        self.report.errors += 1;
        if self.report.errors <= 3 {
            eprintln!("bindery-load: {what}");
        }
        if self.report.errors >= GIVEN_UP_AFTER {
            return Err(Error::other(format!("{GIVEN_UP_AFTER} answers were wrong: {what}")));
        }
        Ok(())
    }
}

//! A closed loop of HTTP/1.1 requests over connections that are kept, which checks every answer.
//!
//! It shares its cores with the server that it measures, and so does little: requests are bytes that
//! were made before, and a body goes into one buffer and is dropped.

mod connection;
mod options;
mod report;
mod request;
mod turn;

use std::process::ExitCode;
use std::sync::Barrier;
use std::time::Instant;

use options::Options;
use report::Report;
use request::Source;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{}", report.json());
            if report.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("bindery-load: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let options = Options::parse()?;
    let source = Source::new(&options)?;
    let threads = options.threads.min(options.connections);
    let connected = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                // The first ones take what does not divide.
                let share = options.connections / threads
                    + usize::from(thread < options.connections % threads);
                let (options, source, connected) = (&options, &source, &connected);
                scope.spawn(move || turn::run(options, source, share, connected))
            })
            .collect();
        connected.wait();
        let began = Instant::now();
        let mut report = Report::default();
        for thread in running {
            report.add(thread.join().map_err(|_| "a thread panicked")??);
        }
        report.finish(began, source.is_sent());
        Ok(report)
    })
}

//! What commands print: lines and tables on standard output.

use crate::failure::Failure;
use bindery_core::Time;
use std::fmt;
use std::io::Write as _;

/// Prints a line, at once. A closed standard output is a failure and not a panic.
pub(crate) fn say(line: impl fmt::Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(Failure::because("cannot write to standard output"))
}

/// Rows as aligned columns, the first row being their titles.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let padded: Vec<_> =
            cells.map(|(cell, width)| format!("{:width$}", printable(cell))).collect();
        padded.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Text that others chose, without what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// A point in time, UTC, to the minute.
pub(crate) fn minute(time: Time) -> String {
    jiff::Timestamp::from_microsecond(time.0)
        .map_or_else(|_| time.0.to_string(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// What sizes are written in, the largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A number of bytes in the largest unit that says it exactly: `20GiB`, `1000 bytes`.
pub(crate) fn size(bytes: u64) -> String {
    let exact = |(_, unit): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*unit);
    match UNITS.iter().find(exact) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => count(bytes, "byte"),
    }
}

/// Reads a number of bytes, perhaps with a unit behind it.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit) = unit.unwrap_or((text, 1));
    if !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let bytes = number.parse::<u64>().ok()?.checked_mul(unit)?;
    i64::try_from(bytes).is_ok().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1 << 10, "1KiB"),
            (1500, "1500 bytes"),
            (1 << 20, "1MiB"),
            (1025 << 20, "1025MiB"),
            (20 << 30, "20GiB"),
            (4096 << 30, "4096GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn columns_are_aligned_and_harmless() {
        let rows = [["login", "name"], ["é", "a\u{1b}[2J"], ["longer", ""]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "login   name\né       a\u{fffd}[2J\nlonger");
    }
}

//! Dates as this dialect writes them, whole seconds in UTC, and as its clients do.

use super::error::Problem;
use bindery_core::Time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `yyyy-MM-ddTHH:mm:ssZ`.
pub(super) fn text(time: Time) -> String {
    // Outside the years that can be written there is no time that this server ever recorded.
    Timestamp::from_second(time.seconds()).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// Reads exactly the form that [`text`] writes.
pub(super) fn exact(name: &'static str, text: &str) -> Result<Time, Problem> {
    let shape = |at: usize| match at {
        4 | 7 => b'-',
        10 => b'T',
        13 | 16 => b':',
        19 => b'Z',
        _ => b'0',
    };
    let fits = |(at, byte): (usize, u8)| match shape(at) {
        b'0' => byte.is_ascii_digit(),
        sign => byte == sign,
    };
    let parsed = (text.len() == 20 && text.bytes().enumerate().all(fits))
        .then(|| text.parse::<Timestamp>().ok())
        .flatten();
    let problem = || Problem::BadInput(format!("{name} must be a date like 2016-02-23T21:46:23Z."));
    parsed.map(time).ok_or_else(problem)
}

/// Reads ISO 8601: with or without an offset (UTC), seconds, and the time of day.
pub(super) fn any(name: &'static str, text: &str) -> Result<Time, Problem> {
    let text = with_plus(text.trim());
    let instant = text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.parse::<DateTime>().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    });
    let problem = || Problem::BadInput(format!("{name} must be an ISO 8601 date."));
    instant.map(time).ok_or_else(problem)
}

fn time(timestamp: Timestamp) -> Time {
    Time(timestamp.as_microsecond())
}

/// In a query or form a bare `+` is read as a space: behind the time of day it was the offset's sign.
fn with_plus(text: &str) -> String {
    let offset = text.find(':').and_then(|colon| Some(colon + text[colon..].find(' ')?));
    let mut text = text.to_owned();
    if let Some(at) = offset {
        text.replace_range(at..=at, "+");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: i64 = 1_456_263_983;

    #[test]
    fn dates_are_whole_seconds_in_utc() {
        assert_eq!(text(Time(SECONDS * 1_000_000 + 999_999)), "2016-02-23T21:46:23Z");
        assert_eq!(text(Time(0)), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn the_exact_form_is_one_form() {
        let read = |text| exact("since", text).ok().map(Time::seconds);
        assert_eq!(read("2016-02-23T21:46:23Z"), Some(SECONDS));
        for bad in [
            "",
            "2016-02-23",
            "2016-02-23T21:46:23",
            "2016-02-23T21:46:23.0Z",
            "2016-02-23t21:46:23z",
            "2016-02-23T21:46:23+00:00",
            "2016-13-23T21:46:23Z",
            "2016-02-30T21:46:23Z",
            "\u{661}016-02-23T21:46:3Z",
            "1456263983",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn any_iso_8601_is_read() {
        let read = |text| any("mod_date", text).ok().map(Time::seconds);
        for good in [
            "2016-02-23T21:46:23Z",
            "2016-02-23T21:46:23.9Z",
            "2016-02-23T21:46:23",
            "2016-02-23 21:46:23",
            "2016-02-23T22:46:23+01:00",
            "2016-02-23T22:46:23 01:00",
            "2016-02-23T22:46:23+0100",
            "2016-02-23T16:46:23-05:00",
            "20160223T214623Z",
        ] {
            assert_eq!(read(good), Some(SECONDS), "{good}");
        }
        assert_eq!(read("2016-02-23T21:46Z"), Some(SECONDS - 23));
        assert_eq!(read("2016-02-23T21:46"), Some(SECONDS - 23));
        assert_eq!(read("2016-02-23"), Some(1_456_185_600));
        for bad in ["", "yesterday", "2016", "2016-02-30", "21:46", "99999-01-01T00:00:00Z"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

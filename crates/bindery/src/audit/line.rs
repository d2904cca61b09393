//! The audit log as JSON lines: `docs/audit.md` has a row for each field.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::{AuditCheckpoint, AuditEvent, AuditLink, AuditRecord, Time, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A line of the log, with the link that it states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) event: AuditEvent,
    pub(super) link: AuditLink,
}

/// What stands in a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Line(Line),
    Checkpoint(AuditCheckpoint),
}

#[derive(Serialize, Deserialize)]
struct LineJson {
    line: u64,
    at: String,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user: Option<i64>,
    act: String,
    #[serde(flatten)]
    details: BTreeMap<String, Value>,
    link: String,
}

#[derive(Serialize, Deserialize)]
struct CheckpointJson {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    checkpoint: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    end: Option<u64>,
    at: String,
    link: String,
    key: String,
    signature: String,
}

impl Record {
    pub(super) fn of(record: &AuditRecord<'_>) -> Self {
        match record {
            AuditRecord::Line(number, event, link) => {
                Record::Line(Line { number: *number, event: AuditEvent::clone(event), link: *link })
            }
            AuditRecord::Checkpoint(made) => Record::Checkpoint(AuditCheckpoint::clone(made)),
        }
    }

    pub(super) fn render(&self) -> String {
        let rendered = match self {
            Record::Line(Line { number, event, link }) => serde_json::to_string(&LineJson {
                line: *number,
                at: render_time(event.at),
                by: event.actor.clone(),
                user: event.user.map(|user| user.0),
                act: event.act.clone(),
                details: event.pairs().map(|(key, text)| (key.to_owned(), value(text))).collect(),
                link: hex(link),
            }),
            Record::Checkpoint(made) => serde_json::to_string(&CheckpointJson {
                checkpoint: (!made.is_end).then_some(made.line),
                end: made.is_end.then_some(made.line),
                at: render_time(made.at),
                link: hex(&made.link),
                key: made.key.clone(),
                signature: BASE64_STANDARD.encode(&made.signature),
            }),
        };
        rendered.expect("texts and numbers are JSON")
    }

    /// Reads what [`Record::render`] writes, and nothing else: what means the same to one reader may mean
    /// something else to another.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let record = match serde_json::from_slice(text) {
            Ok(made) => Record::Checkpoint(checkpoint(made)?),
            Err(_) => Record::Line(line(serde_json::from_slice(text).ok()?)?),
        };
        (record.render().as_bytes() == text).then_some(record)
    }
}

fn line(json: LineJson) -> Option<Line> {
    let pair = |(key, value): (String, Value)| match value {
        Value::Number(number) => Some(format!("{key}={number}")),
        Value::String(text) => Some(format!("{key}={text}")),
        _ => None,
    };
    let details: Vec<_> = json.details.into_iter().map(pair).collect::<Option<_>>()?;
    let event = AuditEvent {
        at: read_time(&json.at)?,
        actor: json.by,
        user: json.user.map(UserId),
        act: json.act,
        details: details.join(" "),
    };
    Some(Line { number: json.line, event, link: unhex(&json.link)? })
}

fn checkpoint(json: CheckpointJson) -> Option<AuditCheckpoint> {
    Some(AuditCheckpoint {
        line: json.checkpoint.or(json.end)?,
        is_end: json.end.is_some(),
        at: read_time(&json.at)?,
        link: unhex(&json.link)?,
        key: json.key,
        signature: BASE64_STANDARD.decode(json.signature).ok()?,
    })
}

/// A number where that says the same.
fn value(text: &str) -> Value {
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

fn render_time(time: Time) -> String {
    jiff::Timestamp::from_microsecond(time.0)
        .map_or_else(|_| time.0.to_string(), |time| format!("{time:.6}"))
}

fn read_time(text: &str) -> Option<Time> {
    Some(Time(text.parse::<jiff::Timestamp>().ok()?.as_microsecond()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<AuditLink> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !text.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    let bytes: Vec<_> = (0..64).step_by(2).map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"line":7,"at":"2026-01-02T03:04:05.678901Z","by":"user","user":3,"act":"shared","file":12,"recipient":4,"role":"view","share":9,"to":"user","link":"0101010101010101010101010101010101010101010101010101010101010101"}"#;
    const CHECKPOINT: &str = r#"{"checkpoint":7,"at":"2026-01-02T03:04:06.000000Z","link":"0101010101010101010101010101010101010101010101010101010101010101","key":"0a0b0c0d","signature":"AAEC"}"#;

    #[test]
    fn what_is_written_is_read() {
        let Some(Record::Line(line)) = Record::read(LINE.as_bytes()) else { panic!() };
        assert_eq!((line.number, line.event.user, line.link), (7, Some(UserId(3)), [1; 32]));
        assert_eq!(line.event.at, Time(1_767_323_045_678_901));
        assert_eq!(line.event.details, "file=12 recipient=4 role=view share=9 to=user");
        assert_eq!(Record::Line(line).render(), LINE);
        let Some(Record::Checkpoint(made)) = Record::read(CHECKPOINT.as_bytes()) else { panic!() };
        assert_eq!((made.line, &*made.key, &*made.signature), (7, "0a0b0c0d", &[0, 1, 2][..]));
        assert!(!made.is_end);
        assert_eq!(Record::Checkpoint(made).render(), CHECKPOINT);
        let end = CHECKPOINT.replace("checkpoint", "end");
        let Some(Record::Checkpoint(made)) = Record::read(end.as_bytes()) else { panic!() };
        assert!(made.is_end && made.line == 7);
        assert_eq!(Record::Checkpoint(made).render(), end);
    }

    #[test]
    fn nothing_else_is_read() {
        for (from, to) in [
            ("\"line\":7", "\"line\":07"),
            ("\"line\":7", "\"line\": 7"),
            ("\"file\":12", "\"file\":\"12\""),
            ("\"file\":12", "\"file\":99,\"file\":12"),
            ("\"file\":12", "\"file\":[12]"),
            ("\"act\":\"shared\"", "\"act\":\"\\u0073hared\""),
            ("05.678901Z", "05.678901+00:00"),
            ("0101\"", "01\""),
            ("0101\"", "010G\""),
            ("}", ",\"more\":1}"),
            ("}", "} "),
        ] {
            let changed = LINE.replacen(from, to, 1);
            assert_ne!(changed, LINE, "{from}");
            assert_eq!(Record::read(changed.as_bytes()), None, "{to}");
        }
        for text in ["", "{}", "[]", "null", "\u{feff}{}", "{\"checkpoint\":1}"] {
            assert_eq!(Record::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Record::read(&[0xff; 10]), None);
        for more in
            [CHECKPOINT.replace("}", ",\"line\":1}"), CHECKPOINT.replace("{", "{\"end\":7,")]
        {
            assert_eq!(Record::read(more.as_bytes()), None, "{more}");
        }
    }
}

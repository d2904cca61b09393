//! Objects and wraps with fixed keys and nonces, in `tests/fixtures/v1`. They are what other
//! implementations test against, and what every later version of this one must still open.
//!
//! The files are written anew, from the definitions below, by
//! `BINDERY_WRITE_VECTORS=1 cargo test -p bindery-core the_vectors_are`. Those of a released format
//! must never change: a difference after that command is a broken format, not a stale file.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use aws_lc_rs::digest;
use md5::{Digest, Md5};

use super::*;

/// Objects longer than this are known by their hash alone, to keep the repository small.
const LONGEST_FILE: usize = 66_000;

struct Content {
    name: &'static str,
    id: ContentId,
    /// The length of each object's plaintext; [`pattern`] runs on from one to the next.
    plain_lens: &'static [u64],
}

const CONTENTS: [Content; 7] = [
    content("empty", 0x10, &[0]),
    content("one-byte", 0x20, &[1]),
    content("segment-less-one", 0x30, &[65_535]),
    content("segment", 0x40, &[65_536]),
    content("segment-and-one", 0x50, &[65_537]),
    content("two-segments", 0x60, &[131_072]),
    content("two-objects", 0x70, &[1_000, 300]),
];

const fn content(name: &'static str, id: u8, plain_lens: &'static [u64]) -> Content {
    Content { name, id: ContentId(counting(id)), plain_lens }
}

/// Bytes that count up from `first`: easy to recognise in a dump.
const fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = first.wrapping_add(i as u8);
        i += 1;
    }
    bytes
}

impl Content {
    fn key(&self) -> DataKey {
        DataKey::from_bytes(counting(self.id.0[0] ^ 0x80))
    }

    fn prefix(&self, ordinal: u32) -> [u8; 7] {
        counting(self.id.0[0] + 8 * u8::try_from(ordinal).unwrap() + 3)
    }

    fn plain(&self, ordinal: u32) -> Vec<u8> {
        let (before, rest) = self.plain_lens.split_at(ordinal as usize);
        let start = before.iter().sum();
        pattern(start..start + rest[0])
    }

    fn whole_plain(&self) -> Vec<u8> {
        pattern(0..self.plain_lens.iter().sum())
    }

    fn seal(&self, ordinal: u32) -> Vec<u8> {
        let header = Header::with_prefix(self.id, ordinal, self.prefix(ordinal));
        let mut out = Vec::new();
        let mut sealer = Sealer::with_header(&self.key(), &header, &mut out);
        sealer.push(&self.plain(ordinal), &mut out).unwrap();
        sealer.finish(&mut out);
        out
    }

    fn ordinals(&self) -> Range<u32> {
        0..u32::try_from(self.plain_lens.len()).unwrap()
    }

    fn file(&self, ordinal: u32) -> Option<String> {
        let sealed_len = self.seal(ordinal).len();
        (sealed_len < LONGEST_FILE).then(|| format!("{}.{ordinal}.sealed", self.name))
    }
}

struct Wrap {
    name: &'static str,
    content: &'static Content,
    file: u64,
    version: u64,
    nonce: [u8; 12],
    /// Names of the stored objects; none for a content that lies in the catalog.
    names: &'static [&'static str],
}

const WRAPS: [Wrap; 2] = [
    Wrap {
        name: "inline",
        content: &CONTENTS[1],
        file: 1,
        version: 1,
        nonce: counting(0xa0),
        names: &[],
    },
    Wrap {
        name: "stored",
        content: &CONTENTS[6],
        file: (1 << 53) - 1,
        version: 258,
        nonce: counting(0xb0),
        names: &["objects/0a/first", "objects/ff/zwölf"],
    },
];

impl Wrap {
    fn master(&self) -> MasterKey {
        MasterKey::from_bytes(counting(0xc0))
    }

    fn objects(&self) -> Vec<WrapObject<'_>> {
        let lens = self.content.plain_lens.iter();
        self.names
            .iter()
            .zip(lens)
            .map(|(&key, &plain_len)| WrapObject { key, plain_len })
            .collect()
    }

    fn context<'a>(&self, objects: &'a [WrapObject<'a>]) -> WrapContext<'a> {
        let plain = self.content.whole_plain();
        WrapContext {
            file: self.file,
            version: self.version,
            content: self.content.id,
            plain_len: plain.len() as u64,
            md5: Md5::digest(plain).into(),
            objects,
        }
    }

    fn aad(&self) -> Vec<u8> {
        self.context(&self.objects()).encode().unwrap()
    }

    fn wrapped(&self) -> [u8; WRAPPED_KEY_LEN] {
        self.master().wrap_key_with_nonce(self.nonce, &self.aad(), &self.content.key())
    }
}

#[test]
fn the_vectors_are_what_this_code_writes() {
    let writing = std::env::var_os("BINDERY_WRITE_VECTORS").is_some();
    let check = |name: &str, bytes: &[u8]| {
        let path = fixture(name);
        if writing {
            std::fs::write(&path, bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name} differs");
    };
    check("vectors.json", vectors_json().as_bytes());
    for content in &CONTENTS {
        for ordinal in content.ordinals() {
            if let Some(file) = content.file(ordinal) {
                check(&file, &content.seal(ordinal));
            }
        }
    }
}

#[test]
fn the_stored_objects_open() {
    let mut opened = 0;
    for content in &CONTENTS {
        for ordinal in content.ordinals() {
            let Some(file) = content.file(ordinal) else {
                continue;
            };
            let sealed = std::fs::read(fixture(&file)).unwrap();
            let plain = open_all(&content.key(), content.id, ordinal, &sealed).unwrap();
            assert!(plain == content.plain(ordinal), "{file}");
            opened += 1;
        }
    }
    assert_eq!(opened, 7);
}

#[test]
fn the_stored_wraps_open() {
    let json = std::fs::read_to_string(fixture("vectors.json")).unwrap();
    for wrap in &WRAPS {
        let wrapped = wrap.wrapped();
        assert!(json.contains(&hex(&wrapped)), "{}", wrap.name);
        let key = wrap.master().unwrap_key(&wrap.aad(), &wrapped).unwrap();
        assert_eq!(key.as_bytes(), wrap.content.key().as_bytes(), "{}", wrap.name);
    }
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/v1", name].iter().collect()
}

fn vectors_json() -> String {
    let contents: Vec<_> = CONTENTS.iter().map(content_json).collect();
    let wraps: Vec<_> = WRAPS.iter().map(wrap_json).collect();
    format!(
        r#"{{
  "format": 1,
  "plaintext": "byte i of a content is (i * 31 + 7) mod 251; an object has the next plain_len",
  "contents": [
{}
  ],
  "wraps": [
{}
  ]
}}
"#,
        contents.join(",\n"),
        wraps.join(",\n")
    )
}

fn content_json(content: &Content) -> String {
    let objects: Vec<_> = content.ordinals().map(|n| object_json(content, n)).collect();
    let (id, key) = (hex(&content.id.0), hex(content.key().as_bytes()));
    format!(
        r#"    {{
      "name": "{}",
      "content_id": "{id}",
      "data_key": "{key}",
      "plain_len": {},
      "plain_sha256": "{}",
      "objects": [
{}
      ]
    }}"#,
        content.name,
        content.whole_plain().len(),
        sha256(&content.whole_plain()),
        objects.join(",\n")
    )
}

fn object_json(content: &Content, ordinal: u32) -> String {
    let sealed = content.seal(ordinal);
    let file = content.file(ordinal).map_or("null".to_owned(), |name| format!("\"{name}\""));
    format!(
        r#"        {{
          "prefix": "{}",
          "plain_len": {},
          "sealed_len": {},
          "sealed_sha256": "{}",
          "file": {file}
        }}"#,
        hex(&content.prefix(ordinal)),
        content.plain(ordinal).len(),
        sealed.len(),
        sha256(&sealed)
    )
}

fn wrap_json(wrap: &Wrap) -> String {
    let objects = wrap.objects();
    let context = wrap.context(&objects);
    let objects: Vec<_> = objects
        .iter()
        .map(|o| format!(r#"{{ "key": "{}", "plain_len": {} }}"#, o.key, o.plain_len))
        .collect();
    let (id, md5) = (hex(&context.content.0), hex(&context.md5));
    let (master, key) = (hex(wrap.master().as_bytes()), hex(wrap.content.key().as_bytes()));
    let (nonce, aad, wrapped) = (hex(&wrap.nonce), hex(&wrap.aad()), hex(&wrap.wrapped()));
    format!(
        r#"    {{
      "name": "{}",
      "master_key": "{master}",
      "data_key": "{key}",
      "nonce": "{nonce}",
      "file": {},
      "version": {},
      "content_id": "{id}",
      "plain_len": {},
      "md5": "{md5}",
      "objects": [{}],
      "aad": "{aad}",
      "wrapped": "{wrapped}"
    }}"#,
        wrap.name,
        context.file,
        context.version,
        context.plain_len,
        objects.join(", ")
    )
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

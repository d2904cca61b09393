//! A sealed object opens to what was sealed, whole and in any range; changed anywhere it does not
//! open, and bytes of any other kind are refused.
#![no_main]

use bindery_core::vault::seal::{
    ContentId, DataKey, HEADER_LEN, Header, Layout, MasterKey, Opener, SEALED_SEGMENT_LEN,
    SEGMENT_LEN, TAG_LEN, WRAPPED_KEY_LEN, WrapContext, WrapObject, open_all, seal_all,
};
use libfuzzer_sys::fuzz_target;
use std::ops::Range;
use std::sync::LazyLock;

const CONTENT: ContentId = ContentId([7; 16]);
const ORDINAL: u32 = 3;
const LENS: [usize; 6] = [0, 1, 1000, SEGMENT_LEN, SEGMENT_LEN + 1, 2 * SEGMENT_LEN + 100];

static KEY: LazyLock<DataKey> = LazyLock::new(|| DataKey::from_bytes([1; 32]));
static PLAIN: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..=u8::MAX).cycle().step_by(7).take(LENS[5]).collect());
static SEALED: LazyLock<[Vec<u8>; 6]> = LazyLock::new(|| {
    LENS.map(|len| seal_all(&KEY, CONTENT, ORDINAL, &PLAIN[..len]).expect("it is short"))
});

/// Kind, place and value of a change to an object.
type Change = (u8, u32, u8);

fuzz_target!(|input: (u8, Vec<Change>, (u64, u64), (u64, u64), u32, &[u8])| {
    let (which, changes, (start, end), lens, number, foreign) = input;
    let which = usize::from(which) % LENS.len();
    let mut object = SEALED[which].clone();
    for change in changes {
        apply(change, &mut object);
    }
    match open_all(&KEY, CONTENT, ORDINAL, &object) {
        Ok(opened) => assert!(object == SEALED[which] && opened == PLAIN[..LENS[which]]),
        Err(_) => assert!(object != SEALED[which]),
    }
    open_range(which, &object, start..end);
    refuse(foreign, lens.0, number);
    measure(lens, start..end);
    wrap(foreign, lens, number);
});

fn apply((kind, place, value): Change, object: &mut Vec<u8>) {
    let at = place as usize % (object.len() + 1);
    let segment = |index: u8, object: &[u8]| {
        let start = HEADER_LEN + usize::from(index % 3) * SEALED_SEGMENT_LEN;
        start.min(object.len())..(start + SEALED_SEGMENT_LEN).min(object.len())
    };
    match kind % 5 {
        0 if at < object.len() => object[at] = value,
        1 if value % 2 == 0 => object.truncate(at),
        1 => object.truncate(segment(value / 2, object).start),
        2 => object.insert(at, value),
        3 => {
            let (one, other) = (segment(value, object), segment(value / 3, object));
            let (a, b) = (object[one.clone()].to_vec(), object[other.clone()].to_vec());
            if a.len() == b.len() {
                object[one].copy_from_slice(&b);
                object[other].copy_from_slice(&a);
            }
        }
        _ => {
            let from = &SEALED[place as usize % LENS.len()];
            object.extend_from_slice(&from[segment(value, from)]);
        }
    }
}

/// Opens the segments that a range touches, as a reader does.
fn open_range(which: usize, object: &[u8], range: Range<u64>) {
    let (sealed, len) = (&SEALED[which], LENS[which] as u64);
    let whole_header = object.get(..HEADER_LEN) == Some(&sealed[..HEADER_LEN]);
    let Ok(opener) = Opener::new(&KEY, object, CONTENT, ORDINAL, len) else {
        return assert!(!whole_header);
    };
    let range = range.start % (len + 2)..range.end % (len + 2);
    let Some(span) = opener.layout().span(range.clone()) else {
        return assert!(range.start > range.end || range.end > len);
    };
    let stored = span.sealed.start as usize..span.sealed.end as usize;
    let Some(fetched) = object.get(stored.clone()) else { return };
    let mut opened = Vec::new();
    for (index, segment) in (span.first_segment..).zip(fetched.chunks(SEALED_SEGMENT_LEN)) {
        match opener.open(index, &mut segment.to_vec()) {
            Ok(plain) => opened.extend_from_slice(plain),
            Err(_) => return assert!(!whole_header || fetched != &sealed[stored]),
        }
    }
    let plain = &opened[span.skip..][..span.len as usize];
    assert!(plain == &PLAIN[range.start as usize..range.end as usize]);
}

/// What was never sealed does not open, with and without a header that is good. The fuzzer learns from
/// comparisons, and keeps for its next run, what was sealed here: that alone opens, to what it was.
fn refuse(foreign: &[u8], plain_len: u64, segment: u32) {
    let _ = Header::decode(foreign);
    let with_header = [&SEALED[0][..HEADER_LEN], foreign].concat();
    for object in [foreign, &with_header] {
        if let Ok(opened) = open_all(&KEY, CONTENT, ORDINAL, object) {
            assert!(LENS.iter().any(|len| opened == PLAIN[..*len]));
        }
        if let Ok(opener) = Opener::new(&KEY, object, CONTENT, ORDINAL, plain_len)
            && let Ok(opened) = opener.open(segment, &mut foreign.to_vec())
        {
            assert!(PLAIN.chunks(SEGMENT_LEN).any(|known| known.starts_with(opened)));
        }
    }
}

/// Layouts of any length: what is computed from one lies within the object.
fn measure((plain_len, sealed_len): (u64, u64), range: Range<u64>) {
    if let Ok(layout) = Layout::of_sealed(sealed_len) {
        assert_eq!(layout.sealed_len(), sealed_len);
        assert_eq!(Layout::of_plain(layout.plain_len()), Ok(layout));
    }
    let Ok(layout) = Layout::of_plain(plain_len) else { return };
    assert_eq!(Layout::of_sealed(layout.sealed_len()), Ok(layout));
    let Some(span) = layout.span(range) else { return };
    assert!(span.sealed.end <= layout.sealed_len());
    assert!(layout.sealed_segment_len(span.first_segment + span.segments - 1).is_some());
    let tags = u64::from(span.segments) * TAG_LEN as u64;
    let covered = span.sealed.end - span.sealed.start - tags;
    assert!(span.skip as u64 + span.len <= covered);
}

/// A wrapped key is opened by what it was wrapped for, and by nothing else.
fn wrap(foreign: &[u8], (file, plain_len): (u64, u64), number: u32) {
    let name = String::from_utf8_lossy(foreign);
    let objects = [WrapObject { key: &name, plain_len }];
    let md5 = [0; 16];
    let context =
        WrapContext { file, version: 1, content: CONTENT, plain_len, md5, objects: &objects };
    let Ok(aad) = context.encode() else { return };
    let master = MasterKey::from_bytes([2; 32]);
    let mut wrapped = master.wrap_key(&aad, &KEY);
    let opened = master.unwrap_key(&aad, &wrapped).expect("it was wrapped for this");
    assert_eq!(opened.as_bytes(), KEY.as_bytes());
    assert!(master.unwrap_key(foreign, &wrapped).is_err());
    assert!(master.unwrap_key(&aad, foreign).is_err());
    wrapped[number as usize / 8 % WRAPPED_KEY_LEN] ^= 1 << (number % 8);
    assert!(master.unwrap_key(&aad, &wrapped).is_err());
}

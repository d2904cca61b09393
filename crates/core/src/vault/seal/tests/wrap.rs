//! A wrap opens for the version it was made for, and for no other.

use super::*;

const OBJECTS: [WrapObject<'_>; 2] =
    [WrapObject { key: "3f/9a", plain_len: 70 }, WrapObject { key: "c1/07", plain_len: 30 }];

const CONTEXT: WrapContext<'_> = WrapContext {
    file: 41,
    version: 3,
    content: CONTENT,
    plain_len: 100,
    md5: [0xd4; 16],
    objects: &OBJECTS,
};

fn master() -> MasterKey {
    MasterKey::from_bytes([0x33; 32])
}

fn refusal(context: &WrapContext<'_>, wrapped: &[u8]) -> Option<SealError> {
    master().unwrap_key(&context.encode().unwrap(), wrapped).err()
}

#[test]
fn a_wrap_returns_the_key() {
    let aad = CONTEXT.encode().unwrap();
    let wrapped = master().wrap_key(&aad, &key());
    assert_eq!(master().unwrap_key(&aad, &wrapped).unwrap().as_bytes(), key().as_bytes());
    assert_ne!(wrapped, master().wrap_key(&aad, &key()), "each wrap has its own nonce");
}

#[test]
fn any_other_context_is_refused() {
    let wrapped = master().wrap_key(&CONTEXT.encode().unwrap(), &key());
    assert_eq!(refusal(&CONTEXT, &wrapped), None);
    let [first, second] = OBJECTS;
    let others = [
        WrapContext { file: 42, ..CONTEXT },
        WrapContext { version: 4, ..CONTEXT },
        WrapContext { content: ContentId([0; 16]), ..CONTEXT },
        WrapContext { plain_len: 99, ..CONTEXT },
        WrapContext { md5: [0xd5; 16], ..CONTEXT },
        WrapContext { objects: &[], ..CONTEXT },
        WrapContext { objects: &[first], ..CONTEXT },
        WrapContext { objects: &[second, first], ..CONTEXT },
        WrapContext { objects: &[first, second, second], ..CONTEXT },
        WrapContext { objects: &[first, WrapObject { key: "c1/08", ..second }], ..CONTEXT },
        WrapContext { objects: &[first, WrapObject { plain_len: 31, ..second }], ..CONTEXT },
    ];
    for other in &others {
        assert_eq!(refusal(other, &wrapped), Some(SealError::Unauthentic), "{other:?}");
    }
    let other_master = MasterKey::generate();
    let unwrapped = other_master.unwrap_key(&CONTEXT.encode().unwrap(), &wrapped);
    assert_eq!(unwrapped.unwrap_err(), SealError::Unauthentic);
}

#[test]
fn a_changed_or_cut_wrap_is_refused() {
    let wrapped = master().wrap_key(&CONTEXT.encode().unwrap(), &key());
    for bit in 0..wrapped.len() * 8 {
        let mut flipped = wrapped;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(refusal(&CONTEXT, &flipped), Some(SealError::Unauthentic), "bit {bit}");
    }
    for cut in 0..wrapped.len() {
        assert_eq!(refusal(&CONTEXT, &wrapped[..cut]), Some(SealError::WrongLength), "{cut}");
    }
    assert_eq!(refusal(&CONTEXT, &[&wrapped[..], &[0]].concat()), Some(SealError::WrongLength));
}

#[test]
fn a_name_too_long_to_encode_is_refused() {
    let (fits, too_long) = ("k".repeat(65_535), "k".repeat(65_536));
    let encode = |key| {
        let objects = [WrapObject { key, plain_len: 1 }];
        WrapContext { objects: &objects, ..CONTEXT }.encode()
    };
    assert_eq!(encode(&fits).unwrap().len(), 76 + 2 + 65_535 + 8);
    assert_eq!(encode(&too_long), Err(SealError::TooLong("the name of an object")));
}

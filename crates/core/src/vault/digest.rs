//! What is known of a whole content: its MD5, its SHA-512 if it is not too large, and whether it is plain text. MD5 is
//! the slowest step of an upload, so larger contents are digested beside the writer, in a [`lane`].

pub(super) mod lane;

use aws_lc_rs::digest::{Context, SHA512};
use bindery_md5::{Md5, Md5AndSha512};

/// Above this many bytes SHA-512 is not computed while a content arrives, but in a job after it.
const SHA512_INLINE_MAX: u64 = 64 << 20;

/// What is known of a whole content.
#[derive(Clone, Debug)]
pub(crate) struct Digested {
    pub(crate) md5: [u8; 16],
    /// `None` above 64 MiB.
    pub(crate) sha512: Option<[u8; 64]>,
    /// Valid UTF-8 without NUL.
    pub(crate) plain: bool,
}

/// Digests over bytes in order.
pub(crate) struct Digests {
    hashes: Hashes,
    text: TextCheck,
    len: u64,
}

enum Hashes {
    /// In one pass, where the processor can.
    Together(Md5AndSha512),
    Apart(Md5, Option<Context>),
}

impl Hashes {
    fn apart() -> Self {
        Hashes::Apart(Md5::default(), Some(Context::new(&SHA512)))
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hashes::Together(both) => both.update(bytes),
            Hashes::Apart(md5, sha512) => {
                md5.update(bytes);
                if let Some(sha512) = sha512 {
                    sha512.update(bytes);
                }
            }
        }
    }
}

impl Digests {
    /// Of a content that will be of `expected` bytes, as far as is known.
    pub(crate) fn new(expected: u64) -> Self {
        let hashes = if expected > SHA512_INLINE_MAX {
            Hashes::Apart(Md5::default(), None)
        } else {
            Md5AndSha512::new().map_or_else(Hashes::apart, Hashes::Together)
        };
        Self::by(hashes)
    }

    fn by(hashes: Hashes) -> Self {
        Digests { hashes, text: TextCheck::default(), len: 0 }
    }

    /// Whether this processor makes MD5 and SHA-512 of the same bytes at once.
    fn in_one_pass() -> bool {
        Md5AndSha512::new().is_some()
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.note(bytes);
        self.hashes.update(bytes);
    }

    /// Both go on with their bytes: in step, if they are made alike.
    fn update_two([a, b]: [&mut Self; 2], [x, y]: [&[u8]; 2]) {
        a.note(x);
        b.note(y);
        match (&mut a.hashes, &mut b.hashes) {
            (Hashes::Together(one), Hashes::Together(two)) => {
                Md5AndSha512::update_two([one, two], [x, y]);
            }
            (Hashes::Apart(one, one_sha512), Hashes::Apart(two, two_sha512)) => {
                Md5::update_each([one, two], [x, y]);
                for (sha512, bytes) in [(one_sha512, x), (two_sha512, y)] {
                    if let Some(sha512) = sha512 {
                        sha512.update(bytes);
                    }
                }
            }
            (one, two) => {
                one.update(x);
                two.update(y);
            }
        }
    }

    /// All three go on with their bytes: in step, if MD5 is all that is made of them.
    fn update_three([a, b, c]: [&mut Self; 3], [x, y, z]: [&[u8]; 3]) {
        a.note(x);
        b.note(y);
        c.note(z);
        match [&mut a.hashes, &mut b.hashes, &mut c.hashes] {
            [Hashes::Apart(one, None), Hashes::Apart(two, None), Hashes::Apart(three, None)] => {
                Md5::update_each([one, two, three], [x, y, z]);
            }
            [one, two, three] => {
                one.update(x);
                two.update(y);
                three.update(z);
            }
        }
    }

    /// What `bytes` change but for the hashes, which come next.
    fn note(&mut self, bytes: &[u8]) {
        let was_small = self.len <= SHA512_INLINE_MAX;
        self.len += bytes.len() as u64;
        self.text.update(bytes);
        if was_small && self.len > SHA512_INLINE_MAX {
            self.leave_sha512_off();
        }
    }

    pub(crate) fn finish(self) -> Digested {
        let plain = self.text.finish();
        match self.hashes {
            Hashes::Together(both) => {
                let (md5, sha512) = both.finish();
                Digested { md5, sha512: Some(sha512), plain }
            }
            Hashes::Apart(md5, sha512) => {
                let bytes = |context: Context| {
                    context.finish().as_ref().try_into().expect("SHA-512 has 64 bytes")
                };
                Digested { md5: md5.finish(), sha512: sha512.map(bytes), plain }
            }
        }
    }

    fn leave_sha512_off(&mut self) {
        let none = Hashes::Apart(Md5::default(), None);
        self.hashes = match std::mem::replace(&mut self.hashes, none) {
            Hashes::Together(both) => Hashes::Apart(both.into_md5(), None),
            Hashes::Apart(md5, _) => Hashes::Apart(md5, None),
        };
    }
}

/// Whether bytes that come in pieces are UTF-8 without NUL.
#[derive(Default)]
struct TextCheck {
    binary: bool,
    /// The beginning of a character whose end is in the next piece.
    begun: [u8; 4],
    begun_len: usize,
}

impl TextCheck {
    fn update(&mut self, mut bytes: &[u8]) {
        while !self.binary && self.begun_len > 0 && !bytes.is_empty() {
            self.begun[self.begun_len] = bytes[0];
            self.begun_len += 1;
            bytes = &bytes[1..];
            match std::str::from_utf8(&self.begun[..self.begun_len]) {
                Ok(_) => self.begun_len = 0,
                Err(error) if error.error_len().is_some() => self.binary = true,
                Err(_) => {}
            }
        }
        if self.binary || bytes.is_empty() {
            return;
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => {}
            Err(error) if error.error_len().is_some() => self.binary = true,
            Err(error) => {
                let rest = &bytes[error.valid_up_to()..];
                self.begun[..rest.len()].copy_from_slice(rest);
                self.begun_len = rest.len();
            }
        }
        self.binary |= bytes.contains(&0);
    }

    fn finish(self) -> bool {
        !self.binary && self.begun_len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest_in_pieces(bytes: &[u8], piece: usize) -> Digested {
        let mut digests = Digests::new(0);
        bytes.chunks(piece.max(1)).for_each(|piece| digests.update(piece));
        digests.finish()
    }

    #[test]
    fn text_is_utf8_without_nul_however_it_is_cut() {
        for (bytes, plain) in [
            (&b""[..], true),
            ("r\u{e9}sultat \u{1f600}\n".as_bytes(), true),
            (b"a\0b", false),
            (b"\xff", false),
            (b"ends within \xc3", false),
            (b"\xed\xa0\x80", false),
        ] {
            for piece in 1..=bytes.len().max(1) {
                assert_eq!(digest_in_pieces(bytes, piece).plain, plain, "{bytes:?} by {piece}");
            }
        }
    }

    /// Whichever this processor takes, and both of them are right.
    #[test]
    fn digests_are_the_same_together_and_apart() {
        let bytes: Vec<u8> = (0..100_000).map(|n| (n % 251) as u8).collect();
        for len in [0, 1, 127, 128, 4096, bytes.len()] {
            let mut apart = Digests::by(Hashes::apart());
            apart.update(&bytes[..len]);
            let (apart, either) = (apart.finish(), digest_in_pieces(&bytes[..len], 1000));
            assert_eq!((apart.md5, apart.sha512), (either.md5, either.sha512), "{len}");
        }
    }

    /// Whatever each of them is, and also those that are made in different ways.
    #[test]
    fn two_contents_in_step_are_digested_as_each_alone() {
        let [text, binary] = [vec![b'a'; 10_000], (0..10_000).map(|n| n as u8).collect()];
        let alone = || Hashes::Apart(Md5::default(), None);
        let kinds = [alone, Hashes::apart, || Digests::new(0).hashes];
        for (a, b) in kinds.into_iter().flat_map(|a| kinds.map(|b| (a, b))) {
            let [mut one, mut two] = [Digests::by(a()), Digests::by(b())];
            for (x, y) in text.chunks(1000).zip(binary.chunks(777)) {
                Digests::update_two([&mut one, &mut two], [x, y]);
            }
            for (found, kind, bytes) in [(one, a, &text[..]), (two, b, &binary[..7770])] {
                let mut whole = Digests::by(kind());
                whole.update(bytes);
                let (found, whole) = (found.finish(), whole.finish());
                assert_eq!((found.md5, found.sha512), (whole.md5, whole.sha512));
                assert_eq!(found.plain, whole.plain);
            }
        }
    }

    #[test]
    fn three_contents_in_step_are_digested_as_each_alone() {
        let bytes: Vec<u8> = (0..30_000).map(|n| (n % 251) as u8).collect();
        for of_the_third in [|| Hashes::Apart(Md5::default(), None), Hashes::apart] {
            let new = |n| match n {
                2 => Digests::by(of_the_third()),
                _ => Digests::new(u64::MAX),
            };
            let mut digests = [0, 1, 2].map(new);
            for at in 0..10 {
                let pieces = [1000, 777, 64].map(|len| &bytes[at * len..][..len]);
                Digests::update_three(digests.each_mut(), pieces);
            }
            for (n, (found, len)) in digests.into_iter().zip([10_000, 7770, 640]).enumerate() {
                let mut whole = new(n);
                whole.update(&bytes[..len]);
                let (found, whole) = (found.finish(), whole.finish());
                assert_eq!((found.md5, found.sha512), (whole.md5, whole.sha512));
                assert_eq!(found.plain, whole.plain);
            }
        }
    }

    #[test]
    fn one_of_two_in_step_grows_too_large() {
        let piece = vec![7; (1 << 20) + 1];
        let [mut large, mut small] = [Digests::new(0), Digests::new(0)];
        large.update(&piece);
        for n in 0..65 {
            let other = if n < 2 { &piece[..] } else { &[] };
            Digests::update_two([&mut large, &mut small], [&piece, other]);
        }
        let [large, small] = [large.finish(), small.finish()];
        let mut md5 = Md5::default();
        (0..66).for_each(|_| md5.update(&piece));
        assert_eq!((large.md5, large.sha512), (md5.finish(), None));
        assert_eq!(small.sha512, digest_in_pieces(&piece.repeat(2), 1 << 20).sha512);
    }

    #[test]
    fn what_grows_too_large_goes_on_without_sha512() {
        let piece = vec![7; (1 << 20) + 1];
        for hashes in [Digests::new(0).hashes, Hashes::apart()] {
            let (mut digests, mut md5) = (Digests::by(hashes), Md5::default());
            for _ in 0..66 {
                digests.update(&piece);
                md5.update(&piece);
            }
            let found = digests.finish();
            assert_eq!((found.md5, found.sha512), (md5.finish(), None));
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..40) {
            let (whole, pieces) = (digest_in_pieces(&bytes, 300), digest_in_pieces(&bytes, piece));
            prop_assert_eq!(whole.md5, pieces.md5);
            prop_assert_eq!(whole.sha512, pieces.sha512);
            let plain = std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0);
            prop_assert_eq!(pieces.plain, plain);
        }
    }
}

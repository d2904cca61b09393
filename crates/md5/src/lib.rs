//! MD5 (RFC 1321), which both APIs show of each content. It is the slowest step of a large upload, and its speed is
//! how soon each of its 64 operations has its word: so this one keeps all else off that path (decision 20).
//!
//! While it waits for one content's word, most of a core is free for others: two in step take little longer than one, and
//! three a quarter longer than two.

mod chain;
mod with_sha512;

use chain::{Chain, Compress};
pub use with_sha512::Md5AndSha512;

/// The digest of bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct Md5(Chain<State, BLOCK_LEN>);

type State = [u32; 4];

const BLOCK_LEN: usize = 64;
const INITIAL: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

impl Default for Md5 {
    fn default() -> Self {
        Md5(Chain::new(INITIAL))
    }
}

impl Md5 {
    /// Goes on with `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        Chain::push([&mut self.0], [bytes], Scalar);
    }

    /// Each goes on with its bytes, all in step.
    pub fn update_each<const L: usize>(of: [&mut Self; L], bytes: [&[u8]; L]) {
        Chain::push(of.map(|md5| &mut md5.0), bytes, Scalar);
    }

    /// The digest of all that came.
    pub fn finish(mut self) -> [u8; 16] {
        let bits = self.0.len().wrapping_mul(8).to_le_bytes();
        self.0.end(&bits, Scalar);
        let mut digest = [0; 16];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.0.state()) {
            *bytes = word.to_le_bytes();
        }
        digest
    }
}

type Sines = [[u32; 4]; 16];

/// What operation `i` adds: the first 32 bits behind the point of |sin(i + 1)|.
const SINES: Sines = [
    [0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee],
    [0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501],
    [0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be],
    [0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821],
    [0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa],
    [0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8],
    [0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed],
    [0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a],
    [0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c],
    [0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70],
    [0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05],
    [0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665],
    [0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039],
    [0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1],
    [0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1],
    [0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391],
];

const ROTATIONS: [[u32; 4]; 4] =
    [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// In general registers, of which there are enough for two contents in step, and nearly so for three.
#[derive(Clone, Copy)]
struct Scalar;

impl Compress<State, BLOCK_LEN> for Scalar {
    fn compress<'a, const L: usize>(
        self,
        mut states: [State; L],
        blocks: impl Iterator<Item = [&'a [u8; BLOCK_LEN]; L]>,
    ) -> [State; L] {
        // Were they known to the compiler, it would add each behind what the operation waits for.
        let sines = std::hint::black_box(&SINES);
        for blocks in blocks {
            let (words, before) = (blocks.map(words), states);
            macro_rules! operations {
                ($($i:literal)*) => {
                    $(for (state, words) in states.iter_mut().zip(&words) {
                        operate::<$i>(state, words, sines);
                    })*
                };
            }
            operations!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            operations!(16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
            operations!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47);
            operations!(48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
            for (state, before) in states.iter_mut().zip(before) {
                add(state, before);
            }
        }
        states
    }
}

#[inline(always)]
fn words(block: &[u8; BLOCK_LEN]) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

#[inline(always)]
fn add(state: &mut State, before: State) {
    for (word, before) in state.iter_mut().zip(before) {
        *word = word.wrapping_add(before);
    }
}

/// Operation `I` of a block. `b` comes from the one before it, and nothing that can be done without it waits for it.
#[inline(always)]
fn operate<const I: usize>(state: &mut State, words: &[u32; 16], sines: &Sines) {
    let at = |n: usize| (n + 64 - I) % 4;
    let [a, b, c, d] = [state[at(0)], state[at(1)], state[at(2)], state[at(3)]];
    let ready = |word: usize| a.wrapping_add(words[word % 16].wrapping_add(sines[I / 4][I % 4]));
    let sum = match I / 16 {
        0 => ready(I).wrapping_add(d ^ (b & (c ^ d))),
        // Both halves of this choice have no bit in common: so their sum is their union, half of it is ready.
        1 => ready(5 * I + 1).wrapping_add(c & !d).wrapping_add(b & d),
        2 => ready(3 * I + 5).wrapping_add(b ^ (c ^ d)),
        _ => ready(7 * I).wrapping_add(c ^ (b | !d)),
    };
    state[at(0)] = sum.rotate_left(ROTATIONS[I / 16][I % 4]).wrapping_add(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use md5::Digest;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        let mut md5 = Md5::default();
        md5.update(bytes);
        md5.finish().map(|byte| format!("{byte:02x}")).concat()
    }

    #[test]
    fn the_test_suite_of_rfc_1321() {
        for (message, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
        ] {
            assert_eq!(hex(message.as_bytes()), digest, "{message:?}");
        }
        assert_eq!(hex("1234567890".repeat(8).as_bytes()), "57edf4a22be3c955ac49da2e2107b67a");
    }

    #[test]
    fn each_length_to_the_end_of_the_third_block_is_as_another_implementation_has_it() {
        let bytes: Vec<u8> = (0..3 * BLOCK_LEN).map(|n| (n * 7 % 251) as u8).collect();
        for end in 0..=bytes.len() {
            let other: [u8; 16] = md5::Md5::digest(&bytes[..end]).into();
            assert_eq!(hex(&bytes[..end]), other.map(|byte| format!("{byte:02x}")).concat());
        }
    }

    proptest! {
        #[test]
        fn pieces_are_as_another_implementation_has_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        ) {
            let mut md5 = Md5::default();
            pieces.iter().for_each(|piece| md5.update(piece));
            let other: [u8; 16] = md5::Md5::digest(pieces.concat()).into();
            prop_assert_eq!(md5.finish(), other);
        }

        #[test]
        fn several_in_step_are_as_each_alone(
            pieces in prop::collection::vec(prop::array::uniform3(prop::collection::vec(any::<u8>(), 0..300)), 0..20),
        ) {
            let (mut two, mut three) = ([(); 2].map(|()| Md5::default()), [(); 3].map(|()| Md5::default()));
            let mut alone = three.clone();
            for pieces in &pieces {
                let [x, y, z] = pieces.each_ref().map(Vec::as_slice);
                Md5::update_each(two.each_mut(), [x, y]);
                Md5::update_each(three.each_mut(), [x, y, z]);
                alone.iter_mut().zip(pieces).for_each(|(md5, piece)| md5.update(piece));
            }
            let alone = alone.map(Md5::finish);
            prop_assert_eq!(&two.map(Md5::finish)[..], &alone[..2]);
            prop_assert_eq!(three.map(Md5::finish), alone);
        }
    }
}

//! MD5 and SHA-512 (FIPS 180-4) of the same bytes, both in little more than the time of one.
//!
//! MD5 waits for itself: its chain takes one or two of the operations that a core can make in each cycle, and none of
//! those for vectors. So SHA-512 goes on beside it in vector registers, of which AVX-512 has enough, as well as its
//! rotations, and its choices of three in one operation. A register has room for a word of two contents, which are digested in step.

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::chain::Chain;
#[cfg(not(target_arch = "x86_64"))]
use super::chain::Compress;
use super::{INITIAL as MD5_INITIAL, Md5, State as Md5State};
#[cfg(target_arch = "x86_64")]
use avx512::Capable;

const BLOCK_LEN: usize = 128;

/// Both digests of bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct Md5AndSha512 {
    chain: Chain<State, BLOCK_LEN>,
    processor: Capable,
}

#[derive(Clone, Copy, Debug)]
struct State {
    md5: Md5State,
    sha512: [u64; 8],
}

/// No other processor is.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
enum Capable {}

#[cfg(not(target_arch = "x86_64"))]
impl Capable {
    fn detect() -> Option<Self> {
        None
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Compress<State, BLOCK_LEN> for Capable {
    fn compress<'a, const L: usize>(
        self,
        _: [State; L],
        _: impl Iterator<Item = [&'a [u8; BLOCK_LEN]; L]>,
    ) -> [State; L] {
        match self {}
    }
}

impl Md5AndSha512 {
    /// `None` on a processor without AVX-512.
    pub fn new() -> Option<Self> {
        let processor = Capable::detect()?;
        let state = State { md5: MD5_INITIAL, sha512: INITIAL };
        Some(Md5AndSha512 { chain: Chain::new(state), processor })
    }

    /// Goes on with `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        Chain::push([&mut self.chain], [bytes], self.processor);
    }

    /// Both go on with their bytes, in step.
    pub fn update_two(of: [&mut Self; 2], bytes: [&[u8]; 2]) {
        let processor = of[0].processor;
        Chain::push(of.map(|digests| &mut digests.chain), bytes, processor);
    }

    /// Both digests of all that came.
    pub fn finish(mut self) -> ([u8; 16], [u8; 64]) {
        let md5 = self.clone().into_md5().finish();
        let bits = (u128::from(self.chain.len()) * 8).to_be_bytes();
        // MD5 goes along here as well, and what it comes to is of no use.
        self.chain.end(&bits, self.processor);
        let mut sha512 = [0; 64];
        for (bytes, word) in sha512.as_chunks_mut().0.iter_mut().zip(self.chain.state().sha512) {
            *bytes = word.to_be_bytes();
        }
        (md5, sha512)
    }

    /// Goes on without SHA-512.
    pub fn into_md5(self) -> Md5 {
        let rest = self.chain.rest();
        let whole = self.chain.len() - rest.len() as u64;
        let mut md5 = Md5(Chain::behind(whole, self.chain.state().md5));
        md5.update(rest);
        md5
    }
}

/// The first 64 bits behind the points of the square roots of the first eight primes.
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA512, digest};
    use proptest::prelude::*;

    /// Both of bytes that come in pieces, as another implementation has them of the whole. Nothing where the processor
    /// cannot make them.
    #[track_caller]
    fn check(pieces: &[&[u8]]) {
        let Some(mut both) = Md5AndSha512::new() else { return };
        pieces.iter().for_each(|piece| both.update(piece));
        let whole = pieces.concat();
        let mut md5 = Md5::default();
        md5.update(&whole);
        let md5 = md5.finish();
        assert_eq!(both.clone().into_md5().finish(), md5);
        let (found, sha512) = both.finish();
        assert_eq!(found, md5);
        assert_eq!(sha512, digest(&SHA512, &whole).as_ref());
    }

    #[test]
    fn each_length_to_the_end_of_the_third_block() {
        let bytes: Vec<u8> = (0..3 * BLOCK_LEN).map(|n| (n * 7 % 251) as u8).collect();
        for end in 0..=bytes.len() {
            check(&[&bytes[..end]]);
        }
    }

    proptest! {
        #[test]
        fn pieces(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..20)) {
            check(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn two_in_step(
            pieces in prop::collection::vec(prop::array::uniform2(prop::collection::vec(any::<u8>(), 0..600)), 0..20),
        ) {
            let Some(new) = Md5AndSha512::new() else { return Ok(()) };
            let (mut in_step, mut alone) = ([new.clone(), new.clone()], [new.clone(), new]);
            for pieces in &pieces {
                Md5AndSha512::update_two(in_step.each_mut(), pieces.each_ref().map(Vec::as_slice));
                alone.iter_mut().zip(pieces).for_each(|(digests, piece)| digests.update(piece));
            }
            prop_assert_eq!(in_step.map(Md5AndSha512::finish), alone.map(Md5AndSha512::finish));
        }
    }
}

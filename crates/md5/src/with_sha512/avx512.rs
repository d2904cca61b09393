//! The blocks of both, on a processor with AVX-512.

use super::{BLOCK_LEN, State};
use crate::chain::Compress;
use crate::{SINES, Sines, add, operate, words};
use std::arch::x86_64::{
    __m128i, _mm_add_epi64, _mm_cvtsi128_si64, _mm_ror_epi64, _mm_set_epi64x, _mm_setzero_si128,
    _mm_srli_epi64, _mm_ternarylogic_epi64, _mm_unpackhi_epi64,
};
use std::hint::black_box;

/// The processor has what [`compress`] takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capable(());

impl Capable {
    pub(super) fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        has_all.then_some(Capable(()))
    }
}

impl Compress<State, BLOCK_LEN> for Capable {
    #[expect(
        unsafe_code,
        reason = "a processor's own operations are called where it is known to have them"
    )]
    fn compress<'a, const L: usize>(
        self,
        states: [State; L],
        blocks: impl Iterator<Item = [&'a [u8; BLOCK_LEN]; L]>,
    ) -> [State; L] {
        // SAFETY: there is no such value but from `detect`, which found all that is enabled there.
        unsafe { compress(states, blocks) }
    }
}

/// What operations and rounds add. There is no register left for a second address.
struct Constants {
    sines: Sines,
    /// For each content, by the halves of a block.
    roots: [Roots; 2],
}

type Roots = [[u64; 2]; 40];

static CONSTANTS: Constants = {
    let mut roots = [[[0; 2]; 40]; 2];
    let mut n = 0;
    while n < 80 {
        roots[n / 40][n % 40] = [CUBE_ROOTS[n / 4][n % 4]; 2];
        n += 1;
    }
    Constants { sines: SINES, roots }
};

/// The first 64 bits behind the points of the cube roots of the first eighty primes.
const CUBE_ROOTS: [[u64; 4]; 20] = [
    [0x428a_2f98_d728_ae22, 0x7137_4491_23ef_65cd, 0xb5c0_fbcf_ec4d_3b2f, 0xe9b5_dba5_8189_dbbc],
    [0x3956_c25b_f348_b538, 0x59f1_11f1_b605_d019, 0x923f_82a4_af19_4f9b, 0xab1c_5ed5_da6d_8118],
    [0xd807_aa98_a303_0242, 0x1283_5b01_4570_6fbe, 0x2431_85be_4ee4_b28c, 0x550c_7dc3_d5ff_b4e2],
    [0x72be_5d74_f27b_896f, 0x80de_b1fe_3b16_96b1, 0x9bdc_06a7_25c7_1235, 0xc19b_f174_cf69_2694],
    [0xe49b_69c1_9ef1_4ad2, 0xefbe_4786_384f_25e3, 0x0fc1_9dc6_8b8c_d5b5, 0x240c_a1cc_77ac_9c65],
    [0x2de9_2c6f_592b_0275, 0x4a74_84aa_6ea6_e483, 0x5cb0_a9dc_bd41_fbd4, 0x76f9_88da_8311_53b5],
    [0x983e_5152_ee66_dfab, 0xa831_c66d_2db4_3210, 0xb003_27c8_98fb_213f, 0xbf59_7fc7_beef_0ee4],
    [0xc6e0_0bf3_3da8_8fc2, 0xd5a7_9147_930a_a725, 0x06ca_6351_e003_826f, 0x1429_2967_0a0e_6e70],
    [0x27b7_0a85_46d2_2ffc, 0x2e1b_2138_5c26_c926, 0x4d2c_6dfc_5ac4_2aed, 0x5338_0d13_9d95_b3df],
    [0x650a_7354_8baf_63de, 0x766a_0abb_3c77_b2a8, 0x81c2_c92e_47ed_aee6, 0x9272_2c85_1482_353b],
    [0xa2bf_e8a1_4cf1_0364, 0xa81a_664b_bc42_3001, 0xc24b_8b70_d0f8_9791, 0xc76c_51a3_0654_be30],
    [0xd192_e819_d6ef_5218, 0xd699_0624_5565_a910, 0xf40e_3585_5771_202a, 0x106a_a070_32bb_d1b8],
    [0x19a4_c116_b8d2_d0c8, 0x1e37_6c08_5141_ab53, 0x2748_774c_df8e_eb99, 0x34b0_bcb5_e19b_48a8],
    [0x391c_0cb3_c5c9_5a63, 0x4ed8_aa4a_e341_8acb, 0x5b9c_ca4f_7763_e373, 0x682e_6ff3_d6b2_b8a3],
    [0x748f_82ee_5def_b2fc, 0x78a5_636f_4317_2f60, 0x84c8_7814_a1f0_ab72, 0x8cc7_0208_1a64_39ec],
    [0x90be_fffa_2363_1e28, 0xa450_6ceb_de82_bde9, 0xbef9_a3f7_b2c6_7915, 0xc671_78f2_e372_532b],
    [0xca27_3ece_ea26_619c, 0xd186_b8c7_21c0_c207, 0xeada_7dd6_cde0_eb1e, 0xf57d_4f7f_ee6e_d178],
    [0x06f0_67aa_7217_6fba, 0x0a63_7dc5_a2c8_98a6, 0x113f_9804_bef9_0dae, 0x1b71_0b35_131c_471b],
    [0x28db_77f5_2304_7d84, 0x32ca_ab7b_40c7_2493, 0x3c9e_be0a_15c9_bebc, 0x431d_67c4_9c10_0d4c],
    [0x4cc5_d4be_cb3e_42b6, 0x597f_299c_fc65_7e2a, 0x5fcb_6fab_3ad6_faec, 0x6c44_198c_4a47_5817],
];

/// Of one content, or two.
#[target_feature(enable = "avx512f,avx512vl,bmi1,bmi2")]
fn compress<'a, const L: usize>(
    mut states: [State; L],
    blocks: impl Iterator<Item = [&'a [u8; BLOCK_LEN]; L]>,
) -> [State; L] {
    const { assert!(L == 1 || L == 2, "a register has room for a word of two contents") };
    let mut constants = &CONSTANTS;
    // No closures here: the compiler would call them, and keep in memory what they are about.
    let mut md5 = [[0; 4]; L];
    for (md5, state) in md5.iter_mut().zip(&states) {
        *md5 = state.md5;
    }
    let mut sha512 = [_mm_setzero_si128(); 8];
    for (n, word) in sha512.iter_mut().enumerate() {
        *word = vector(states[0].sha512[n], states[L - 1].sha512[n]);
    }
    for blocks in blocks {
        let mut schedule = [_mm_setzero_si128(); 16];
        for (n, word) in schedule.iter_mut().enumerate() {
            *word = vector(big_endian(blocks[0], n), big_endian(blocks[L - 1], n));
        }
        let before = sha512;
        macro_rules! rounds {
            ($roots:expr, $step:literal: $($n:literal)*) => {
                $(round::<{ 5 * $step + $n }>(&mut sha512, &mut schedule, $roots);)*
            };
        }
        macro_rules! operations {
            ($message:ident, $step:literal: $($n:literal)*) => {
                $(for (md5, words) in md5.iter_mut().zip(&$message) {
                    operate::<{ 8 * $step + $n }>(md5, words, &constants.sines);
                })*
            };
        }
        // A block is 80 rounds of the one and 128 operations of the other. Its halves are the same code: that of both
        // would be more than a processor keeps decoded, and take nearly twice the time.
        for half in 0..2 {
            let (mut message, before) = ([[0; 16]; L], md5);
            for (message, block) in message.iter_mut().zip(blocks) {
                *message = words(&block.as_chunks().0[half]);
            }
            macro_rules! steps {
                ($($step:literal)*) => {
                    $(
                        operations!(message, $step: 0 1 2 3 4 5 6 7);
                        rounds!(&constants.roots[half], $step: 0 1 2 3 4);
                        // The compiler would put all operations of the one before those of the other. It cannot where it
                        // does not know what each goes on by, nor from where: from words that are not waited for next.
                        for md5 in &mut md5 {
                            md5[0] = black_box(md5[0]);
                        }
                        let word = (82 - 5 * $step) % 8;
                        sha512[word] = black_box(sha512[word]);
                        constants = black_box(constants);
                    )*
                };
            }
            steps!(0 1 2 3 4 5 6 7);
            for (md5, before) in md5.iter_mut().zip(before) {
                add(md5, before);
            }
            // The fortieth round is at the eighth place.
            schedule.rotate_left(8);
        }
        for (word, before) in sha512.iter_mut().zip(before) {
            *word = _mm_add_epi64(*word, before);
        }
    }
    for (n, state) in states.iter_mut().enumerate() {
        *state = State { md5: md5[n], sha512: sha512.map(|words| word(n, words)) };
    }
    states
}

/// Round `I` of a half (FIPS 180-4, 6.4.2). The word that it takes makes room for that of sixteen rounds later; nobody
/// asks for the last sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn round<const I: usize>(state: &mut [__m128i; 8], schedule: &mut [__m128i; 16], roots: &Roots) {
    let at = |n: usize| (n + 80 - I) % 8;
    let [a, b, c, d] = [state[at(0)], state[at(1)], state[at(2)], state[at(3)]];
    let [e, f, g, h] = [state[at(4)], state[at(5)], state[at(6)], state[at(7)]];
    let [first, second] = roots[I];
    let root = vector(first, second);
    let ready = _mm_add_epi64(h, _mm_add_epi64(schedule[I % 16], root));
    let choice = _mm_ternarylogic_epi64::<0xca>(e, f, g);
    let sum1 = xor(_mm_ror_epi64::<14>(e), _mm_ror_epi64::<18>(e), _mm_ror_epi64::<41>(e));
    let first = _mm_add_epi64(_mm_add_epi64(ready, choice), sum1);
    let majority = _mm_ternarylogic_epi64::<0xe8>(a, b, c);
    let sum0 = xor(_mm_ror_epi64::<28>(a), _mm_ror_epi64::<34>(a), _mm_ror_epi64::<39>(a));
    state[at(3)] = _mm_add_epi64(d, first);
    state[at(7)] = _mm_add_epi64(first, _mm_add_epi64(majority, sum0));
    let [next, later] = [schedule[(I + 1) % 16], schedule[(I + 14) % 16]];
    let sigma0 = xor(_mm_ror_epi64::<1>(next), _mm_ror_epi64::<8>(next), _mm_srli_epi64::<7>(next));
    let sigma1 =
        xor(_mm_ror_epi64::<19>(later), _mm_ror_epi64::<61>(later), _mm_srli_epi64::<6>(later));
    let known = _mm_add_epi64(schedule[I % 16], schedule[(I + 9) % 16]);
    schedule[I % 16] = _mm_add_epi64(known, _mm_add_epi64(sigma0, sigma1));
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn xor(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    _mm_ternarylogic_epi64::<0x96>(a, b, c)
}

/// A word of each content.
#[inline]
#[target_feature(enable = "sse2")]
fn vector(first: u64, second: u64) -> __m128i {
    _mm_set_epi64x(second.cast_signed(), first.cast_signed())
}

/// The word of that content.
#[inline]
#[target_feature(enable = "sse2")]
fn word(content: usize, words: __m128i) -> u64 {
    let word = if content == 0 { words } else { _mm_unpackhi_epi64(words, words) };
    _mm_cvtsi128_si64(word).cast_unsigned()
}

#[inline(always)]
fn big_endian(block: &[u8; BLOCK_LEN], word: usize) -> u64 {
    u64::from_be_bytes(block.as_chunks().0[word])
}

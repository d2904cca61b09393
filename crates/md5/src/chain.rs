//! A digest's state, and bytes that come in pieces as the blocks that it goes on by.

use std::array::from_fn;

/// How a digest's state goes on.
pub(crate) trait Compress<S, const N: usize>: Copy {
    /// Each by its blocks, of which all have as many.
    fn compress<'a, const L: usize>(
        self,
        states: [S; L],
        blocks: impl Iterator<Item = [&'a [u8; N]; L]>,
    ) -> [S; L];
}

#[derive(Clone, Debug)]
pub(crate) struct Chain<S, const N: usize> {
    state: S,
    /// The bytes behind the last whole block: `len % N` of them.
    rest: [u8; N],
    len: u64,
}

impl<S: Copy, const N: usize> Chain<S, N> {
    pub(crate) fn new(state: S) -> Self {
        Self::behind(0, state)
    }

    /// Goes on behind that many bytes, which are whole blocks.
    pub(crate) fn behind(len: u64, state: S) -> Self {
        Chain { state, rest: [0; N], len }
    }

    /// Behind the last whole block.
    pub(crate) fn state(&self) -> S {
        self.state
    }

    /// How many bytes came.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes behind the last whole block.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.rest[..(self.len % N as u64) as usize]
    }

    /// Each goes on with its bytes: in step, as long as all have blocks.
    #[inline]
    pub(crate) fn push<const L: usize>(
        mut chains: [&mut Self; L],
        bytes: [&[u8]; L],
        by: impl Compress<S, N>,
    ) {
        let blocks: [_; L] = from_fn(|n| chains[n].complete(bytes[n]));
        let firsts = from_fn(|n| blocks[n].0.as_slice());
        for blocks in [firsts, blocks.map(|(_, blocks)| blocks)] {
            let in_step = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
            let states = by.compress(
                from_fn(|n| chains[n].state),
                (0..in_step).map(|at| blocks.map(|blocks| &blocks[at])),
            );
            for (n, chain) in chains.iter_mut().enumerate() {
                let alone = blocks[n][in_step..].iter().map(|block| [block]);
                [chain.state] = by.compress([states[n]], alone);
            }
        }
    }

    /// The last blocks: a bit that is set, others that are not, and `len` at the end.
    pub(crate) fn end(&mut self, len: &[u8], by: impl Compress<S, N>) {
        let zeros = (2 * N - 1 - len.len() - self.rest().len()) % N;
        for bytes in [&[0x80], &[0; N][..zeros], len] {
            Self::push([self], [bytes], by);
        }
    }

    /// The blocks that `bytes` completes; the first of them may be in part what was left before.
    fn complete<'a>(&mut self, mut bytes: &'a [u8]) -> (Option<[u8; N]>, &'a [[u8; N]]) {
        let filled = self.rest().len();
        self.len = self.len.wrapping_add(bytes.len() as u64);
        let mut first = None;
        if filled > 0 {
            let (more, behind) = bytes.split_at(bytes.len().min(N - filled));
            self.rest[filled..filled + more.len()].copy_from_slice(more);
            if filled + more.len() < N {
                return (None, &[]);
            }
            first = Some(self.rest);
            bytes = behind;
        }
        let (blocks, rest) = bytes.as_chunks();
        self.rest[..rest.len()].copy_from_slice(rest);
        (first, blocks)
    }
}

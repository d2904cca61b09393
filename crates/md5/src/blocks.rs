//! Bytes that come in pieces, as the blocks that a digest is made of.

#[derive(Clone, Debug)]
pub(crate) struct Blocks<const N: usize> {
    /// The bytes behind the last whole block: `len % N` of them.
    rest: [u8; N],
    len: u64,
}

impl<const N: usize> Blocks<N> {
    pub(crate) fn new() -> Self {
        Self::behind(0)
    }

    /// Goes on behind that many bytes, which are whole blocks.
    pub(crate) fn behind(len: u64) -> Self {
        Blocks { rest: [0; N], len }
    }

    /// How many bytes came.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes behind the last whole block.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.rest[..(self.len % N as u64) as usize]
    }

    /// Gives away the blocks that `bytes` completes.
    #[inline]
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut compress: impl FnMut(&[[u8; N]])) {
        let filled = self.rest().len();
        self.len = self.len.wrapping_add(bytes.len() as u64);
        if filled > 0 {
            let (more, behind) = bytes.split_at(bytes.len().min(N - filled));
            self.rest[filled..filled + more.len()].copy_from_slice(more);
            if filled + more.len() < N {
                return;
            }
            compress(&[self.rest]);
            bytes = behind;
        }
        let (blocks, rest) = bytes.as_chunks();
        compress(blocks);
        self.rest[..rest.len()].copy_from_slice(rest);
    }

    /// Gives away the last blocks: a bit that is set, others that are not, and `len` at the end.
    pub(crate) fn end(&mut self, len: &[u8], mut compress: impl FnMut(&[[u8; N]])) {
        let zeros = (2 * N - 1 - len.len() - self.rest().len()) % N;
        self.push(&[0x80], &mut compress);
        self.push(&[0; N][..zeros], &mut compress);
        self.push(len, compress);
    }
}

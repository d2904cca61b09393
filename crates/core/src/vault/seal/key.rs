//! The two kinds of secret: a content's data key and the master key that wraps it. Both are wiped
//! when dropped and never printed; where they are kept is not decided here.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::rand;
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The key with these bytes. The caller's own copy of them is the caller's to wipe.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes of the key.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// A new key from the system's generator of random bytes.
            #[must_use]
            pub fn generate() -> Self {
                let mut key = Self([0; 32]);
                fill_random(key.as_mut_bytes());
                key
            }

            pub(super) fn as_mut_bytes(&mut self) -> &mut [u8; 32] {
                &mut self.0
            }

            pub(super) fn cipher(&self) -> LessSafeKey {
                let key = UnboundKey::new(&AES_256_GCM, &self.0);
                LessSafeKey::new(key.expect("AES-256 takes a key of 32 bytes"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

secret_key! {
    /// The key of one content: every segment of every object of it is sealed under this key, and
    /// nothing else is.
    DataKey
}

secret_key! {
    /// A key that wraps data keys. It seals nothing else, and at most 2^32 wraps (see
    /// [`wrap_key`](Self::wrap_key)).
    MasterKey
}

pub(super) fn fill_random(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the operating system provides randomness");
}

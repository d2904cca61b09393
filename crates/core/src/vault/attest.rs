//! What vouches for the audit log: two keys that come from a master key, so that there is none to be kept
//! beside it. One proves lines to whoever has the master key; the other signs for those who do not.

use super::seal::MasterKey;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

/// Bytes of a key that signatures are verified with.
pub(crate) const PUBLIC_LEN: usize = 32;

const PROOFS: &[u8] = b"bindery audit proofs v1";
const SIGNATURES: &[u8] = b"bindery audit signatures v1";

/// The keys of one master key.
pub(crate) struct Attestor {
    proofs: hmac::Key,
    signer: Ed25519KeyPair,
}

impl Attestor {
    pub(crate) fn of(master: &MasterKey) -> Self {
        let signer = Ed25519KeyPair::from_seed_unchecked(&*derive(master, SIGNATURES));
        Attestor {
            proofs: hmac::Key::new(hmac::HMAC_SHA256, &*derive(master, PROOFS)),
            signer: signer.expect("a seed has 32 bytes"),
        }
    }

    pub(crate) fn prove(&self, message: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.proofs, message);
        tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }

    pub(crate) fn is_proven(&self, message: &[u8], proof: &[u8]) -> bool {
        hmac::verify(&self.proofs, message, proof).is_ok()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.signer.sign(message).as_ref().to_vec()
    }

    pub(crate) fn public(&self) -> [u8; PUBLIC_LEN] {
        self.signer.public_key().as_ref().try_into().expect("a key of Ed25519 has 32 bytes")
    }
}

/// Whether a message was signed by whom a key is of.
pub(crate) fn verify(public: &[u8; PUBLIC_LEN], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

fn derive(master: &MasterKey, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, &[])
        .extract(master.as_bytes())
        .expand(&[purpose], HKDF_SHA256)
        .and_then(|expanded| expanded.fill(&mut *key))
        .expect("HKDF gives 32 bytes");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made once by another implementation, of a few lines of Python: keys that change one day
    /// would leave every log without anyone to vouch for it.
    #[test]
    fn the_keys_of_a_master_key_never_change() {
        let attestor = Attestor::of(&MasterKey::from_bytes([7; 32]));
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(&attestor.public()), PUBLIC);
        assert_eq!(hex(&attestor.prove(b"message")), PROVEN);
        let signature = attestor.sign(b"message");
        assert!(verify(&attestor.public(), b"message", &signature));
        assert!(!verify(&attestor.public(), b"massage", &signature));
        assert!(attestor.is_proven(b"message", &attestor.prove(b"message")));
        assert!(!attestor.is_proven(b"massage", &attestor.prove(b"message")));
    }

    const PUBLIC: &str = "b3bcf585902e0f8978390ffd924c293fb2028aab603ca95c3ef16724d4e2c2b9";
    const PROVEN: &str = "73dc42df13a82eb2dba273b8c008f3b371cde157d72122ea437a461c4b52c1a2";
}

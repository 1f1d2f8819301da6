use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The secret token string, which its owner sees once.
///
/// Has no `Display` and no `Serialize`, a `Debug` without the secret, and wipes its memory when
/// dropped. Only [`PlainToken::expose`] returns the string.
pub struct PlainToken(Zeroizing<String>);

impl PlainToken {
    /// Wraps a token string that a [`TokenFormat`](crate::TokenFormat) has generated.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(Zeroizing::new(token))
    }

    /// Returns the token string, to be shown only to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the digest under which the token is stored.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken(..)")
    }
}

/// The SHA-256 digest of a token string. Only the digest is stored, cached and compared.
///
/// It has no salt and is not a password hash. The string has at least 112 random bits, the number
/// from which on OWASP ASVS 6.5.2 requires no password hash; and with a salt a token could not be
/// found by its digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Computes the digest of a presented string.
    #[must_use]
    pub fn of(presented: &[u8]) -> Self {
        Self(one_block(presented).unwrap_or_else(|| Sha256::digest(presented).into()))
    }

    /// Creates a digest from its 32 stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Returns the digest of a text that fits into one block with its padding (FIPS 180-4, section 5.1.1),
/// as tokens of the default format do. The general hasher takes 1.5 times as long for these.
fn one_block(text: &[u8]) -> Option<[u8; 32]> {
    // FIPS 180-4, section 5.3.3.
    let mut state = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut block = [0; 64];
    let (room, bits) = block.split_last_chunk_mut().expect("a block has 64 bytes");
    // A one bit follows the text.
    let (padded, _) = room.split_at_mut_checked(text.len() + 1)?;
    padded[..text.len()].copy_from_slice(text);
    padded[text.len()] = 0x80;
    *bits = (text.len() as u64 * 8).to_be_bytes();
    compress256(&mut state, &[block]);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Some(digest)
}

impl Hash for TokenDigest {
    /// Hashes only the first eight bytes, which are uniformly distributed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (first, _) = self.0.split_first_chunk().expect("a digest has 32 bytes");
        state.write_u64(u64::from_le_bytes(*first));
    }
}

impl fmt::Debug for TokenDigest {
    /// Hides the digest, which must not appear in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

/// The error of a random number generator: the operating system's, or that of a
/// [`TokenFormat`](super::TokenFormat).
#[derive(Debug, Clone, thiserror::Error)]
#[error("the random number generator failed")]
pub struct RandomnessError(#[source] Arc<dyn Error + Send + Sync>);

impl RandomnessError {
    /// Wraps the generator's own error.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(source.into()))
    }
}

/// Fills `buffer` from the operating system's generator, the only source of secrets in this crate.
pub(super) fn fill_random(buffer: &mut [u8]) -> Result<(), RandomnessError> {
    getrandom::fill(buffer).map_err(RandomnessError::new)
}

/// Returns a number from the operating system's generator.
pub(crate) fn random_u64() -> Result<u64, RandomnessError> {
    getrandom::u64().map_err(RandomnessError::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let token = PlainToken::new("pat_secret".into());
        assert_eq!(format!("{token:?}"), "PlainToken(..)");
        assert_eq!(format!("{:?}", token.digest()), "TokenDigest(..)");
    }

    #[test]
    fn digest_is_sha_256_of_the_whole_string() {
        // FIPS 180-2, example B.1.
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
            0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
            0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(TokenDigest::of(b"abc").as_bytes(), &expected);
    }

    #[test]
    fn digests_of_one_block_are_those_of_the_hasher() {
        let text: Vec<u8> = (0..130).collect();
        for length in 0..text.len() {
            let text = &text[..length];
            let expected: [u8; 32] = Sha256::digest(text).into();
            assert_eq!(TokenDigest::of(text).as_bytes(), &expected, "{length}");
            assert_eq!(one_block(text).is_some(), length <= 55, "{length}");
        }
    }
}

use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The secret token string, which the owner of the token sees once, when it is created.
///
/// The type has no `Display` and no `Serialize`, and its `Debug` hides the string. Its memory is wiped when
/// it is dropped. Only [`PlainToken::expose`] returns the string.
pub struct PlainToken(Zeroizing<String>);

/// Four of the last characters say 24 bits: of the checksum in the prefixed format, and of the secret in
/// Atlassian's layout, which keeps 136.
const HINT_LENGTH: usize = 4;

impl PlainToken {
    /// Wraps a token string that a [`TokenFormat`](crate::format::TokenFormat) has generated.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(Zeroizing::new(token))
    }

    /// Returns the token string. Show it only to the token's owner, and do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the last four characters of the token string, by which users recognize a token
    /// ([`Token::hint`](crate::Token::hint)).
    #[must_use]
    pub fn hint(&self) -> &str {
        let start = self.0.char_indices().rev().nth(HINT_LENGTH - 1);
        &self.0[start.map_or(0, |(index, _)| index)..]
    }

    /// Returns the SHA-256 digest of the token string, by which a store keeps and finds the token.
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
/// The digest has no salt and is not a password hash. A token string has at least 112 random bits, the
/// number from which on OWASP ASVS 6.5.2 requires no password hash. With a salt, a token could not be found
/// by its digest.
///
/// Serde uses the 32 bytes, for stores that write a [`NewToken`](crate::store::NewToken) to a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Computes the digest of `presented`, the token string that a client presents.
    #[must_use]
    pub fn of(presented: &[u8]) -> Self {
        Self(sha256_of_one_block(presented).unwrap_or_else(|| Sha256::digest(presented).into()))
    }

    /// Creates a digest from its 32 bytes, as a store has kept them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes of the digest, for a store to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first eight bytes as a number.
    pub(crate) fn prefix(&self) -> u64 {
        let (first, _) = self.0.split_first_chunk().expect("a digest has 32 bytes");
        u64::from_le_bytes(*first)
    }
}

/// Returns the SHA-256 digest of a text that fits into one block with its padding, as usual tokens do; `None` for a
/// longer one. A fifth faster than by the general interface, which has to buffer.
fn sha256_of_one_block(text: &[u8]) -> Option<[u8; 32]> {
    /// FIPS 180-4, section 5.3.3.
    const INITIAL: [u32; 8] = [
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
    let (room, length) = block.split_last_chunk_mut()?;
    *length = (8 * text.len() as u64).to_be_bytes();
    let (copy, padding) = room.split_at_mut_checked(text.len())?;
    copy.copy_from_slice(text);
    *padding.first_mut()? = 0x80;
    let mut state = INITIAL;
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
        state.write_u64(self.prefix());
    }
}

impl fmt::Debug for TokenDigest {
    /// Hides the digest, which must not appear in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

/// The error of a random number generator: the operating system's, or that of a
/// [`TokenFormat`](super::format::TokenFormat).
#[derive(Debug, Clone, thiserror::Error)]
#[error("the random number generator failed")]
pub struct RandomnessError(#[source] Arc<dyn Error + Send + Sync>);

impl RandomnessError {
    /// Wraps the error of the random number generator, which becomes the source of this error.
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

/// Returns a number from the operating system's generator, from 0 to 2⁵³ − 1.
pub(crate) fn random_u53() -> Result<i64, RandomnessError> {
    let number = random_u64()? >> 11;
    Ok(i64::try_from(number).expect("53 bits fit"))
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
    fn digests_of_all_lengths_are_those_of_the_general_interface() {
        let text: Vec<u8> = (0..=255).collect();
        for length in 0..=text.len() {
            let expected: [u8; 32] = Sha256::digest(&text[..length]).into();
            let digest = TokenDigest::of(&text[..length]);
            assert_eq!(digest.as_bytes(), &expected, "{length} bytes");
        }
        let fits = |length| sha256_of_one_block(&text[..length]).is_some();
        assert!(fits(55) && !fits(56));
    }
}

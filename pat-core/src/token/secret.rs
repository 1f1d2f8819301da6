use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A token as its owner sees it once: the secret itself.
///
/// It has no `Display`, no `Serialize` and a `Debug` that hides it, and its memory is wiped when it
/// is dropped. [`PlainToken::expose`] is the one way to read it.
pub struct PlainToken(Zeroizing<String>);

impl PlainToken {
    /// Wraps a token string that a [`TokenFormat`](crate::TokenFormat) made.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(Zeroizing::new(token))
    }

    /// The token string, to be shown to its owner and to nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The digest under which the token is stored and found.
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

/// SHA-256 of a whole token string: all that is ever stored, cached or compared.
///
/// No salt and no password hash: the string carries at least 160 random bits, so there is nothing
/// to guess (OWASP ASVS 6.5.2 asks for a password hash only below 112), and a salt would forbid
/// looking a token up by its digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Digests the presented bytes.
    #[must_use]
    pub fn of(presented: &[u8]) -> Self {
        Self(one_block(presented).unwrap_or_else(|| Sha256::digest(presented).into()))
    }

    /// Takes a stored digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, as stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The digest of a text that fits into one block with its padding (FIPS 180-4, section 5.1.1), as
/// tokens of the default format do. The hasher for any length spends a third of its time on what is
/// not needed then.
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
    /// Feeds the first eight bytes: they are as good as random already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (first, _) = self.0.split_first_chunk().expect("a digest has 32 bytes");
        state.write_u64(u64::from_le_bytes(*first));
    }
}

impl fmt::Debug for TokenDigest {
    /// Hidden: a digest in a log is a hint at which row to steal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

/// The operating system gave no random bytes, so no token was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random number generator failed: {0}")]
pub struct RandomnessError(getrandom::Error);

/// Fills `buffer` from the operating system's generator, the only source of secrets here.
pub(super) fn fill_random(buffer: &mut [u8]) -> Result<(), RandomnessError> {
    getrandom::fill(buffer).map_err(RandomnessError)
}

/// A number from the operating system's generator, for marks and ids.
pub(crate) fn random_u64() -> Result<u64, RandomnessError> {
    getrandom::u64().map_err(RandomnessError)
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

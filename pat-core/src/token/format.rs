//! The formats of token strings: [`PrefixedFormat`], [`AtlassianFormat`], and the trait that a host's own
//! format implements.

use std::fmt::{self, Debug};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub use super::secret::RandomnessError;
use super::secret::{PlainToken, fill_random};

/// A format of token strings: generates new strings, and recognises the strings that it could have
/// generated.
///
/// This crate has two formats, [`PrefixedFormat`] and [`AtlassianFormat`]. A host may implement another, and
/// check it with `pat_core::testing::check_format`; the service uses it after
/// [`PatsBuilder::issue`](crate::PatsBuilder::issue) or
/// [`PatsBuilder::accept`](crate::PatsBuilder::accept). With `issue`, new tokens have the format; with
/// `accept`, the service accepts tokens that have it, besides those of other formats, but issues none.
///
/// ```
/// use std::fs::File;
/// use std::io::Read;
///
/// use pat_core::format::{RandomnessError, TokenFormat};
/// use pat_core::PlainToken;
///
/// /// `acme-` and 40 hexadecimal digits.
/// #[derive(Debug)]
/// struct AcmeFormat;
///
/// impl TokenFormat for AcmeFormat {
///     fn generate(&self) -> Result<PlainToken, RandomnessError> {
///         let mut secret = [0; 20];
///         let mut generator = File::open("/dev/urandom").map_err(RandomnessError::new)?;
///         generator.read_exact(&mut secret).map_err(RandomnessError::new)?;
///         let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
///         Ok(PlainToken::new(format!("acme-{digits}")))
///     }
///
///     fn recognizes(&self, presented: &[u8]) -> bool {
///         let digits = presented.strip_prefix(b"acme-").unwrap_or_default();
///         digits.len() == 40 && digits.iter().all(|digit| b"0123456789abcdef".contains(digit))
///     }
/// }
///
/// # #[cfg(feature = "testing")]
/// pat_core::testing::check_format(&AcmeFormat);
/// ```
pub trait TokenFormat: Debug + Send + Sync + 'static {
    /// Generates a new token string. It must contain at least 112 bits from the operating system's random
    /// number generator, and be an RFC 6750 `token68` of at most 256 bytes.
    ///
    /// # Errors
    /// [`RandomnessError`] if the random number generator fails.
    fn generate(&self) -> Result<PlainToken, RandomnessError>;

    /// Returns whether [`generate`](TokenFormat::generate) could have returned `presented`.
    ///
    /// An implementation must be pure, and accept exactly one spelling of a token: it must refuse a string
    /// with a wrong length, letter case, padding or checksum.
    fn recognizes(&self, presented: &[u8]) -> bool;
}

/// The base62 digits, in order of their values.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 uniformly drawn base62 characters carry 256 bits.
const BODY_LEN: usize = 43;
/// 62⁶ > 2³², so six characters hold a CRC-32.
const CHECKSUM_LEN: usize = 6;

/// The default format: `{prefix}_{43 base62 characters}{6 base62 characters of CRC-32}`.
///
/// The first 43 characters after the underscore have 256 random bits. The checksum is the CRC-32 (IEEE) of
/// all characters before it, as a big-endian number padded with zeros, so that a mistyped token is refused
/// without a query. A token with the default prefix `pat` has 53 bytes; over 55 bytes SHA-256 needs a second
/// block.
///
/// The prefix is part of each issued token: **after a change, all tokens with the old prefix are refused**,
/// unless the setting `pat.token.accepted` lists the format with the old prefix.
#[derive(Debug, Clone)]
pub struct PrefixedFormat {
    prefix: TokenPrefix,
}

impl PrefixedFormat {
    /// Creates the format of tokens that begin with this prefix.
    #[must_use]
    pub fn new(prefix: TokenPrefix) -> Self {
        Self { prefix }
    }
}

impl TokenFormat for PrefixedFormat {
    fn generate(&self) -> Result<PlainToken, RandomnessError> {
        let mut token = String::with_capacity(self.prefix.0.len() + 1 + BODY_LEN + CHECKSUM_LEN);
        token.push_str(&self.prefix.0);
        token.push('_');
        push_random(&mut token, ALPHABET, BODY_LEN)?;
        let checksum = base62(crc32fast::hash(token.as_bytes()));
        token.extend(checksum.iter().copied().map(char::from));
        Ok(PlainToken::new(token))
    }

    fn recognizes(&self, presented: &[u8]) -> bool {
        let Some(rest) = presented.strip_prefix(self.prefix.0.as_bytes()) else {
            return false;
        };
        if rest.len() != 1 + BODY_LEN + CHECKSUM_LEN || rest[0] != b'_' || !is_base62(&rest[1..]) {
            return false;
        }
        let (signed, checksum) = presented.split_at(presented.len() - CHECKSUM_LEN);
        u64::from(crc32fast::hash(signed)) == number(checksum)
    }
}

/// Has no branch for each byte, so that compilers vectorise it.
fn is_base62(text: &[u8]) -> bool {
    text.iter()
        .fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
}

/// Returns the six base62 digits of `number`, most significant first.
fn base62(mut number: u32) -> [u8; CHECKSUM_LEN] {
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits
}

/// Returns the number of these base62 digits. Comparing numbers is faster than the divisions of
/// [`base62`], and as strict: no two strings of one length have the same number.
fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| {
        number * 62 + u64::from(VALUES[usize::from(*digit)])
    })
}

/// The value of each character as a base62 digit.
const VALUES: [u8; 256] = {
    let mut values = [0; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        #[expect(clippy::cast_possible_truncation, reason = "there are 62")]
        {
            values[ALPHABET[value] as usize] = value as u8;
        }
        value += 1;
    }
    values
};

/// Appends `count` characters drawn uniformly from `alphabet`.
///
/// Discards random bytes beyond the largest multiple of the alphabet's length, since they would make
/// its first characters more frequent.
fn push_random(
    target: &mut String,
    alphabet: &[u8],
    mut count: usize,
) -> Result<(), RandomnessError> {
    let uniform = 256 - 256 % alphabet.len();
    let mut bytes = Zeroizing::new([0; 64]);
    while count > 0 {
        fill_random(&mut bytes[..])?;
        for byte in bytes.iter().map(|byte| usize::from(*byte)) {
            if count > 0 && byte < uniform {
                target.push(char::from(alphabet[byte % alphabet.len()]));
                count -= 1;
            }
        }
    }
    Ok(())
}

const ATLASSIAN_DIGITS: usize = 12;
const ATLASSIAN_LEN: usize = ATLASSIAN_DIGITS + 1 + 20;
const ATLASSIAN_TEXT_LEN: usize = 44;

/// The format of Atlassian's tokens, which secret scanners recognise: the standard base64 of twelve
/// random ASCII digits, a colon and twenty random bytes.
///
/// A token has 44 characters, without padding. It has 160 random bits besides the digits.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtlassianFormat;

impl TokenFormat for AtlassianFormat {
    fn generate(&self) -> Result<PlainToken, RandomnessError> {
        let mut layout = Zeroizing::new(String::with_capacity(ATLASSIAN_DIGITS));
        push_random(&mut layout, b"0123456789", ATLASSIAN_DIGITS)?;
        let mut bytes = Zeroizing::new([b':'; ATLASSIAN_LEN]);
        bytes[..ATLASSIAN_DIGITS].copy_from_slice(layout.as_bytes());
        fill_random(&mut bytes[ATLASSIAN_DIGITS + 1..])?;
        Ok(PlainToken::new(STANDARD.encode(&bytes[..])))
    }

    fn recognizes(&self, presented: &[u8]) -> bool {
        let mut bytes = Zeroizing::new([0; ATLASSIAN_LEN]);
        presented.len() == ATLASSIAN_TEXT_LEN
            && STANDARD.decode_slice(presented, &mut bytes[..]) == Ok(ATLASSIAN_LEN)
            && bytes[..ATLASSIAN_DIGITS].iter().all(u8::is_ascii_digit)
            && bytes[ATLASSIAN_DIGITS] == b':'
    }
}

/// The prefix of a [`PrefixedFormat`]: a lower-case ASCII letter and 1 to 15 lower-case ASCII letters or
/// digits. The default is `pat`. [`str::parse`] creates a prefix from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPrefix(Box<str>);

impl Default for TokenPrefix {
    fn default() -> Self {
        Self("pat".into())
    }
}

impl FromStr for TokenPrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let bytes = text.as_bytes();
        let valid = (2..=16).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPrefix)
        }
    }
}

impl fmt::Display for TokenPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error for text that is not a [`TokenPrefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token prefix is a lower-case letter and 1 to 15 lower-case letters or digits")]
pub struct InvalidPrefix;

/// The name of a format of this crate in the settings, such as `pat.token.accepted`. `Display` and `FromStr`
/// use `prefixed:` with the prefix, such as `prefixed:pat`, and `atlassian`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatName {
    /// Names the [`PrefixedFormat`] with this prefix.
    Prefixed(TokenPrefix),
    /// Names the [`AtlassianFormat`].
    Atlassian,
}

impl FormatName {
    /// Creates the format with this name.
    #[must_use]
    pub fn format(&self) -> std::sync::Arc<dyn TokenFormat> {
        match self {
            Self::Prefixed(prefix) => std::sync::Arc::new(PrefixedFormat::new(prefix.clone())),
            Self::Atlassian => std::sync::Arc::new(AtlassianFormat),
        }
    }
}

impl FromStr for FormatName {
    type Err = InvalidFormatName;

    fn from_str(text: &str) -> Result<Self, InvalidFormatName> {
        match text.strip_prefix("prefixed:") {
            Some(prefix) => prefix
                .parse()
                .map(Self::Prefixed)
                .map_err(|_| InvalidFormatName),
            None if text == "atlassian" => Ok(Self::Atlassian),
            None => Err(InvalidFormatName),
        }
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefixed(prefix) => write!(f, "prefixed:{prefix}"),
            Self::Atlassian => f.write_str("atlassian"),
        }
    }
}

/// The error for text that is not a [`FormatName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token format is `atlassian` or `prefixed:` and a prefix")]
pub struct InvalidFormatName;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefixed() -> PrefixedFormat {
        PrefixedFormat::new(TokenPrefix::default())
    }

    #[test]
    fn prefixed_token_has_the_documented_layout() {
        let token = prefixed().generate().expect("randomness");
        let text = token.expose();
        assert_eq!(text.len(), 53);
        assert!(text.starts_with("pat_"));
        assert!(prefixed().recognizes(text.as_bytes()));
    }

    #[test]
    fn checksum_is_the_crc_32_in_base62() {
        // CRC-32 of "123456789" is 0xCBF43926, the check value of the CRC catalogue.
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
        assert_eq!(&base62(0), b"000000");
        assert_eq!(&base62(61), b"00000z");
        assert_eq!(&base62(62), b"000010");
        assert_eq!(&base62(u32::MAX), b"4gfFC3");
        for number in [0, 61, 62, 0xCBF4_3926, u32::MAX] {
            assert_eq!(super::number(&base62(number)), u64::from(number));
        }
        assert_eq!(super::number(b"zzzzzz"), 62_u64.pow(6) - 1);
    }

    #[test]
    fn atlassian_token_has_the_documented_layout() {
        let token = AtlassianFormat.generate().expect("randomness");
        let bytes = STANDARD.decode(token.expose()).expect("base64");
        assert_eq!((token.expose().len(), bytes.len()), (44, 33));
        assert!(bytes[..12].iter().all(u8::is_ascii_digit) && bytes[12] == b':');
        assert!(AtlassianFormat.recognizes(token.expose().as_bytes()));
    }

    #[test]
    fn tokens_of_another_prefix_are_not_recognised() {
        let other = PrefixedFormat::new("other".parse().expect("prefix"));
        let token = other.generate().expect("randomness");
        assert!(!prefixed().recognizes(token.expose().as_bytes()));
    }

    #[test]
    fn every_character_of_the_alphabet_comes_up_equally_often() {
        let mut text = String::new();
        push_random(&mut text, ALPHABET, 62_000).expect("randomness");
        let chi2: f64 = ALPHABET
            .iter()
            .map(|letter| {
                let seen = text.bytes().filter(|byte| byte == letter).count();
                let difference = f64::from(u32::try_from(seen).expect("small")) - 1000.0;
                difference * difference / 1000.0
            })
            .sum();
        // 61 degrees of freedom: more than 150 comes up once in 10⁸ runs.
        assert!(chi2 < 150.0, "chi² = {chi2}");
    }

    #[test]
    fn prefixes_are_two_to_sixteen_lower_case_letters_and_digits() {
        for good in ["pa", "p2", "pat", "abcdefghijklmnop"] {
            assert_eq!(
                good.parse::<TokenPrefix>().map(|p| p.to_string()),
                Ok(good.into())
            );
        }
        for bad in ["", "p", "2p", "Pat", "pa-t", "pä", "abcdefghijklmnopq"] {
            assert_eq!(bad.parse::<TokenPrefix>(), Err(InvalidPrefix), "{bad}");
        }
    }

    fn formats() -> [Box<dyn TokenFormat>; 2] {
        [Box::new(prefixed()), Box::new(AtlassianFormat)]
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_refused(position in 0_usize..53, byte: u8) {
            let token = prefixed().generate().expect("randomness");
            let mut bytes = token.expose().as_bytes().to_vec();
            prop_assume!(bytes[position] != byte);
            bytes[position] = byte;
            // CRC-32 finds every burst error of up to 32 bits.
            prop_assert!(!prefixed().recognizes(&bytes));
        }

        #[test]
        fn prefixes_suffixes_and_extensions_are_refused(cut in 1_usize..40, extra in ".{1,3}") {
            for format in formats() {
                let token = format.generate().expect("randomness");
                let text = token.expose();
                prop_assert!(!format.recognizes(&text.as_bytes()[cut..]));
                prop_assert!(!format.recognizes(&text.as_bytes()[..text.len() - cut]));
                for longer in [[text, &extra].concat(), [&extra, text].concat()] {
                    prop_assert!(!format.recognizes(longer.as_bytes()));
                }
            }
        }

        #[test]
        fn any_bytes_are_judged_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for format in formats() {
                prop_assert!(!format.recognizes(&bytes));
            }
        }
    }
}

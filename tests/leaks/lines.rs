//! Lines with and without tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pat_core::TokenDigest;
use pat_core::format::TokenFormat;

/// A line of a file that is scanned.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// How many tokens are in it.
    pub(super) tokens: usize,
}

/// Where people leave tokens. The last place has two.
const PLACES: &[&str] = &[
    "{}",
    "the token {} of ci",
    "Authorization: Bearer {}",
    "curl -H 'Authorization: Bearer {}' https://example.org/rest/pat/latest/tokens",
    "PAT={}",
    "export TOKEN=\"{}\"",
    "  token: {}",
    "{\"id\":7,\"rawToken\":\"{}\"}",
    "{\"log\":\"before\\n{}\\nafter\"}",
    "<token>{}</token>",
    "git clone https://alice:{}@example.org/repository.git",
    "GET /whoami?token={}&page=1",
    "| `{}` | ci |",
    "{},{}",
];

/// Lines with tokens of this format, from its generator.
pub(super) fn plants(format: &dyn TokenFormat) -> Vec<Line> {
    let places = PLACES.iter().chain(std::iter::repeat_n(&"PAT={}", 100));
    places.map(|place| plant(place, format)).collect()
}

fn plant(place: &str, format: &dyn TokenFormat) -> Line {
    let mut parts = place.split("{}");
    let mut text = parts.next().expect("a place").to_owned();
    let mut tokens = 0;
    for part in parts {
        text.push_str(generate(format).as_str());
        text.push_str(part);
        tokens += 1;
    }
    Line { text, tokens }
}

fn generate(format: &dyn TokenFormat) -> String {
    let token = format.generate().expect("randomness");
    token.expose().to_owned()
}

/// What only looks like a token, with or without this prefix.
pub(super) fn decoys(prefix: &str) -> Vec<Line> {
    let letters = "Abcdefghijklmnopqrstuvwxyz0123456789Abcdefghijklm";
    let mut decoys = vec![
        format!("a {prefix}_ is a token, see {prefix}_tokens and {prefix}_token_format"),
        format!("let {prefix}_token_for_continuous_integration_and_nothing_else = None;"),
        format!("{prefix}_{}", &letters[..48]),
        format!("{prefix}_{letters}"),
        format!("{prefix}_{letters}0"),
        format!("{prefix}-{letters}"),
        format!("{}_{letters}", prefix.to_uppercase()),
        format!(
            "github_{prefix}_11ABCDEFG0{}_{letters}abcdefghij",
            &letters[..12]
        ),
        "ID=6fa459ea-ee8a-4ca4-894e-db77e160355e".into(),
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8".into(),
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into(),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.\
         dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
            .into(),
        "Authorization: Basic YWxpY2U6YWxpY2U=".into(),
        format!("integrity=\"sha384-{}\"", STANDARD.encode(&letters[..48])),
        // Twelve digits without a colon, eleven digits, and twelve digits in more than a token.
        format!(
            "ID={}",
            STANDARD.encode("202611291128;abcdefghijklmnopqrst")
        ),
        format!(
            "ID={}",
            STANDARD.encode("20261129112:abcdefghijklmnopqrstu")
        ),
        format!(
            "ID={}",
            STANDARD.encode("202611291128:abcdefghijklmnopqrstuvwxyz")
        ),
        // The same, where the rest begins with a plus sign.
        format!(
            "ID={}",
            STANDARD.encode(b"202611291128:abcdefghijklmnopqrst\xf8\0\0")
        ),
    ];
    // The base64 of other data of that length, of which all but one in 2⁶⁴ are no tokens.
    decoys.extend((0..100_u8).map(|number| {
        let mut bytes = TokenDigest::of(&[number]).as_bytes().to_vec();
        bytes.push(number);
        format!("KEY={}", STANDARD.encode(bytes))
    }));
    decoys.into_iter().map(decoy).collect()
}

/// Mistyped tokens, which only a scanner that computes the checksum can tell.
pub(super) fn with_wrong_checksum(format: &dyn TokenFormat) -> Vec<Line> {
    let mistyped = (0..20).map(|_| {
        let mut token = generate(format);
        let last = token.pop().expect("a digit");
        token.push(if last == 'a' { 'b' } else { 'a' });
        decoy(format!("PAT={token}"))
    });
    mistyped.collect()
}

fn decoy(text: String) -> Line {
    Line { text, tokens: 0 }
}

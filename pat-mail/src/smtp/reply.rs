use std::fmt;

/// Longer texts are cut, so that a server cannot fill the log.
const MAX_TEXT: usize = 200;

/// The reply with which an SMTP server refuses a command: a code, and the text of the server without
/// personal data.
///
/// The value keeps no mail address and no user name: in the stored text, `[masked]` replaces each word
/// that looks like a mail address, and the text of a reply about the login is empty. The text has at most
/// 200 characters, on one line. `Display` writes the code and this text, such as
/// `550 5.1.1 [masked] unknown`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpReply {
    code: u16,
    text: String,
}

impl SmtpReply {
    pub(crate) fn new(code: u16, text: &str) -> Self {
        Self {
            code,
            // The text of such a reply may repeat the user name.
            text: if is_about_login(code) {
                String::new()
            } else {
                mask(text)
            },
        }
    }

    /// Drops the text, where it may repeat a user name.
    pub(crate) fn without_text(self) -> Self {
        Self {
            text: String::new(),
            ..self
        }
    }

    /// Returns the code of the reply, such as 550: 4xx for a temporary refusal, 5xx for a permanent one.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    pub(crate) const fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Whether the login is missing or wrong (RFC 4954, section 6), which an operator can correct.
    pub(crate) const fn is_about_login(&self) -> bool {
        is_about_login(self.code)
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            write!(f, "{}", self.code)
        } else {
            write!(f, "{} {}", self.code, self.text)
        }
    }
}

const fn is_about_login(code: u16) -> bool {
    matches!(code, 530 | 534 | 535 | 538)
}

/// Puts the text on one line, and replaces each word that may hold a mail address.
fn mask(text: &str) -> String {
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let may_be_address = word.contains(['@', '＠']) || word.contains("%40");
            if may_be_address { "[masked]" } else { word }
        });
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(MAX_TEXT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked() {
        let reply = SmtpReply::new(
            550,
            "5.1.1 <bob@example.com>:\r\nno such user bob%40example.com",
        );
        assert_eq!(
            reply.to_string(),
            "550 5.1.1 [masked] no such user [masked]"
        );
    }

    #[test]
    fn a_refused_login_has_only_its_code() {
        assert_eq!(
            SmtpReply::new(535, "bad login for alice").to_string(),
            "535"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(
            SmtpReply::new(451, &"é ".repeat(500)).text.chars().count(),
            MAX_TEXT
        );
    }
}

//! How to use a new token, in one tool each.
//!
//! No example has the token in it: the tool reads it from a prompt or a variable. What a shell is given as a line is in
//! its history, and what a program is given as an argument can be seen by all users of the machine, in the list of
//! processes. A header is therefore written by `printf`, which is a part of the shell and no process.

use url::Url;

use crate::pages::page::Page;
use crate::pages::text::Text;

/// The name of the variable that holds a token.
const VARIABLE: &str = "PAT";

/// How to use a token in a tool.
pub(super) struct Example {
    /// Is part of the IDs of its elements.
    pub(super) tool: &'static str,
    pub(super) name: String,
    pub(super) hint: String,
    pub(super) code: String,
}

/// The examples, as far as the host has named URLs to use.
pub(super) fn examples(page: &Page) -> Vec<Example> {
    let example = |tool, name: &str, hint: Text<'_>, code: String| Example {
        tool,
        name: name.to_owned(),
        hint: page.t(hint).into_owned(),
        code,
    };
    let mut examples = Vec::new();
    if let Some(url) = &page.state.example_url {
        examples.push(example(
            "curl",
            "curl",
            Text::ExampleShellHint,
            format!("{READ} && {}", curl(url)),
        ));
    }
    if let Some(url) = &page.state.git_example_url {
        examples.push(example("git", "git", Text::ExampleShellHint, git(url)));
    }
    if let Some(url) = &page.state.example_url {
        examples.push(example(
            "python",
            "Python",
            Text::ExamplePythonHint,
            python(url),
        ));
        let name = page.t(Text::ExampleCi);
        let hint = Text::ExampleCiHint(VARIABLE);
        examples.push(example("ci", &name, hint, curl(url)));
    }
    examples
}

/// Reads a token without showing it.
const READ: &str = "read -rs PAT";

/// Gives the header to curl on its standard input.
fn curl(url: &str) -> String {
    let url = quoted(url);
    format!(r#"printf 'Authorization: Bearer %s' "$PAT" | curl -H @- {url}"#)
}

/// Gives the header to git in its environment, for this server alone.
fn git(url: &str) -> String {
    let server = Url::parse(url).ok().map(|url| url.origin());
    let server = server.map(|origin| origin.ascii_serialization());
    let key = server.map_or_else(
        || "http.extraHeader".to_owned(),
        |server| format!("http.{server}/.extraHeader"),
    );
    let (key, url) = (quoted(&key), quoted(url));
    format!(
        "{READ} && GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0={key} \
         GIT_CONFIG_VALUE_0=\"Authorization: Bearer $PAT\" git ls-remote {url}"
    )
}

fn python(url: &str) -> String {
    format!(
        "import getpass, urllib.request\n\n\
         token = getpass.getpass(\"Token: \")\n\
         headers = {{\"Authorization\": f\"Bearer {{token}}\"}}\n\
         request = urllib.request.Request({url:?}, headers=headers)\n\
         print(urllib.request.urlopen(request).read().decode())\n"
    )
}

/// A word of a shell's line, in quotes if it has other characters than URLs commonly have.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@%".contains(&byte);
    if text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (text, expected) in [
            ("https://example.com/a-b", "https://example.com/a-b"),
            ("https://example.com/?a=b&c", "'https://example.com/?a=b&c'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn git_sends_the_header_to_its_server_alone() {
        let code = git("https://example.com:8443/team/project.git");
        assert!(
            code.contains("GIT_CONFIG_KEY_0=http.https://example.com:8443/.extraHeader "),
            "{code}"
        );
    }
}

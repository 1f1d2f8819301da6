//! curl, with the cookies of one user.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::SignIn;

/// What curl received.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Where it was at the end, after redirects.
    url: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A user's browser, or a script of the user.
#[derive(Debug)]
pub(crate) struct Browser<'a> {
    /// Where the host is, without a slash at the end.
    pub(crate) base: String,
    /// The certificate to trust.
    pub(crate) root: Option<String>,
    pub(crate) sign_in: SignIn,
    /// Where its cookies are kept.
    pub(crate) folder: &'a Path,
}

impl Browser<'_> {
    /// Sends a request as a page of the host does, with the user's cookies and these arguments of curl.
    pub(crate) async fn ask(&self, path: &str, arguments: &[&str]) -> Answer {
        let mut curl = self.curl(&format!("{}{path}", self.base));
        let origin = self.base.trim_end_matches("/app");
        curl.args(["--header", &format!("Origin: {origin}")]);
        curl.args(["--cookie", "cookies", "--cookie-jar", "cookies"]);
        if self.sign_in == SignIn::Basic {
            curl.args(["--user", "alice:secret"]);
        }
        answer(curl.args(arguments)).await
    }

    /// Sends a request as a script does, with this header and nothing else of the user.
    pub(crate) async fn ask_with(&self, header: &str, path: &str) -> Answer {
        let mut curl = self.curl(&format!("{}{path}", self.base));
        answer(curl.args(["--header", header])).await
    }

    fn curl(&self, url: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", url])
            .args(["--dump-header", "head", "--output", "body"])
            .args(["--write-out", "%{http_code} %{url_effective}"])
            .current_dir(self.folder);
        if let Some(root) = &self.root {
            curl.args(["--cacert", root]);
        }
        curl
    }

    pub(crate) async fn sign_in(&self) {
        let user = ["--data", "user=alice"];
        let answer = match self.sign_in {
            SignIn::Basic => return,
            SignIn::Form => self.ask("/login", &user).await,
            SignIn::Provider => {
                let form = self.ask("/login", &["--location"]).await;
                assert_eq!(form.status, 200, "{form:?}");
                let mut curl = self.curl(&form.url);
                curl.args(["--cookie", "cookies", "--cookie-jar", "cookies"]);
                answer(curl.args(["--location", "--data", "sub=alice"])).await
            }
        };
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Whom the session is of; none if it has ended.
    pub(crate) async fn session_user(&self) -> Option<String> {
        let answer = self.ask("/whoami", &[]).await;
        match answer.status {
            200 => Some(answer.body),
            401 => None,
            _ => panic!("{answer:?}"),
        }
    }
}

async fn answer(curl: &mut Command) -> Answer {
    let output = curl.kill_on_drop(true).output().await.expect("curl");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let written = String::from_utf8(output.stdout).expect("UTF-8");
    let (status, url) = written.split_once(' ').expect("two words");
    let folder = curl.as_std().get_current_dir().expect("a folder");
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let answer = Answer {
        status: status.parse().expect("a status"),
        head: read("head"),
        body: read("body"),
        url: url.to_owned(),
    };
    // A response without a body leaves that of the one before.
    let _none = std::fs::remove_file(folder.join("body"));
    answer
}

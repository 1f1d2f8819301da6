//! The client of a request, for the audit: its address, its user agent, and the ID of the request.

use std::net::IpAddr;
use std::sync::Arc;

use crate::text;

/// The longest user agent that is kept, in characters.
const MAX_USER_AGENT: usize = 255;
/// The longest ID of a request that is kept, in characters.
const MAX_REQUEST_ID: usize = 128;

tokio::task_local! {
    static CLIENT: Client;
}

/// The client of an HTTP request, as far as the host knows it: its address, its user agent, and the ID of the
/// request. The [audit events](crate::event::Event) that the request causes name it.
///
/// `pat-tower` fills it in for the requests to its routers and for the tokens that its layer checks. A host that
/// calls [`Pats`](crate::Pats) itself, or from another protocol, uses
/// [`Pats::on_behalf_of`](crate::Pats::on_behalf_of).
///
/// User agent and request ID come from the client, so they are untrusted: both are cut to a maximum length,
/// without the characters that could forge another line of a log.
///
/// ```
/// use pat_core::Client;
///
/// let client = Client::default()
///     .with_address("192.0.2.7".parse()?)
///     .with_user_agent("curl/8.5.0\r\nlevel=ERROR")
///     .with_request_id("01HV3Z");
/// assert_eq!(client.user_agent(), Some("curl/8.5.0level=ERROR"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    address: Option<IpAddr>,
    user_agent: Option<Arc<str>>,
    request_id: Option<Arc<str>>,
}

impl Client {
    /// Sets the address of the client: that of the connection, or one that a trusted proxy has reported. An IPv4
    /// address that is written as an IPv6 address (`::ffff:192.0.2.7`) becomes an IPv4 address.
    #[must_use]
    pub fn with_address(self, address: IpAddr) -> Self {
        let address = Some(address.to_canonical());
        Self { address, ..self }
    }

    /// Sets the client's user agent, without control characters and other invisible ones, and cut to 255
    /// characters. If nothing is left, the user agent is not known.
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> Self {
        let user_agent = clean(user_agent, MAX_USER_AGENT);
        Self { user_agent, ..self }
    }

    /// Sets the ID of the request, without control characters and other invisible ones, and cut to 128
    /// characters. If nothing is left, the request has no ID.
    #[must_use]
    pub fn with_request_id(self, id: &str) -> Self {
        let request_id = clean(id, MAX_REQUEST_ID);
        Self { request_id, ..self }
    }

    /// Returns this client without its address.
    #[must_use]
    pub fn without_address(self) -> Self {
        let address = None;
        Self { address, ..self }
    }

    /// Returns the client's address; `None` if it is not known, or left out by the setting
    /// `pat.audit.client.address`.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Returns the client's user agent; `None` if it is not known.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// Returns the ID of the request; `None` if it has none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the client on whose behalf the current task runs
    /// ([`Pats::on_behalf_of`](crate::Pats::on_behalf_of)). Nothing is known of it if there is none, as in a job.
    #[must_use]
    pub fn current() -> Self {
        CLIENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Wraps a future that another task is to run, for example with [`tokio::spawn`], so that it keeps the
    /// client of the current task ([`Client::current`]).
    pub fn carry<T>(operation: impl Future<Output = T>) -> impl Future<Output = T> {
        Self::current().scope(operation)
    }

    pub(crate) fn scope<T>(self, operation: impl Future<Output = T>) -> impl Future<Output = T> {
        CLIENT.scope(self, operation)
    }
}

fn clean(text: &str, max: usize) -> Option<Arc<str>> {
    let is_kept = |c: &char| *c == ' ' || !text::is_invisible(*c);
    let kept: String = text.chars().filter(is_kept).take(max).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_client_cannot_forge_a_line_of_a_log() {
        let client = Client::default()
            .with_user_agent(" a\u{2028}b\nc\u{202e}d e\u{0}\t ")
            .with_request_id("7\r\n8");
        assert_eq!(client.user_agent(), Some("abcd e"));
        assert_eq!(client.request_id(), Some("78"));
        let nothing = client.with_user_agent("\n \u{200b}").with_request_id("");
        assert_eq!(nothing, Client::default());
    }

    #[test]
    fn text_of_a_client_has_a_greatest_length() {
        let client = Client::default()
            .with_user_agent(&"é".repeat(1_000))
            .with_request_id(&"7".repeat(1_000));
        assert_eq!(client.user_agent(), Some("é".repeat(255).as_str()));
        assert_eq!(client.request_id(), Some("7".repeat(128).as_str()));
    }

    #[test]
    fn one_client_has_one_address_however_it_is_written() {
        let of =
            |address: &str| Client::default().with_address(address.parse().expect("an address"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_eq!(of("192.0.2.7").without_address(), Client::default());
    }

    #[tokio::test]
    async fn another_task_keeps_the_client_only_if_it_is_carried() {
        let client = Client::default().with_request_id("7");
        let current = async || Client::current();
        let spawned = client.clone().scope(async {
            let carried = tokio::spawn(Client::carry(current()));
            (tokio::spawn(current()).await, carried.await)
        });
        let (lost, carried) = spawned.await;
        assert_eq!(lost.expect("it ends"), Client::default());
        assert_eq!(carried.expect("it ends"), client);
        assert_eq!(Client::current(), Client::default());
    }
}

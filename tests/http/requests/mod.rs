//! Requests as proxies, browsers and other people's programs really send them.

mod bodies;
pub(crate) mod guide;
mod paths;
mod proxies;

use libtest_mimic::Trial;
use pat_harness::names::name_in_case;
use pat_harness::proxy::NGINX;
use pat_harness::{Server, named_trial_with_need, trial, trial_with_need};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) fn trials() -> Vec<Trial> {
    let nginx = NGINX.missing();
    let mut trials = vec![
        trial(bodies::an_empty_body_needs_no_media_type),
        trial(bodies::json_may_begin_with_a_byte_order_mark),
        trial(bodies::an_encoded_body_is_refused_by_its_encoding),
        trial(bodies::no_error_repeats_a_bodys_content),
        trial(bodies::a_client_that_sends_too_much_can_read_the_answer),
        trial(bodies::ignored_members_of_a_search_are_named),
        trial(paths::foreign_headers_may_hold_any_bytes),
        trial(paths::a_trailing_slash_is_served),
        trial(paths::every_answer_has_nosniff),
        trial(paths::a_long_request_head_is_accepted),
        trial(bodies::an_incomplete_request_is_disconnected),
        trial(paths::a_bad_token_is_refused_on_every_path),
        trial(paths::failures_under_rest_are_json),
        trial(proxies::a_base_url_replaces_a_host_that_a_proxy_changes),
        trial_with_need(
            "nginx",
            nginx,
            proxies::a_base_url_is_needed_behind_nginx_without_a_port,
        ),
        trial_with_need(
            "nginx",
            nginx,
            proxies::the_sign_in_redirect_has_the_stripped_prefix,
        ),
        trial_with_need(
            "nginx",
            nginx,
            proxies::a_stream_is_seen_through_nginx_as_it_comes,
        ),
    ];
    trials.extend(guide::PROXIES.map(|(title, program)| {
        named_trial_with_need(
            name_in_case(&guide::the_guides_proxy_serves_all, program.name),
            program.name,
            program.missing(),
            move || guide::the_guides_proxy_serves_all(title, program),
        )
    }));
    trials
}

/// Sends these bytes on a connection of their own, and returns the whole answer. A write that fails is
/// an error: the server hung up too early.
async fn send(server: &Server, request: &[u8]) -> std::io::Result<String> {
    let address = server.base.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A client that speaks HTTP/2 from its first byte on.
fn http2() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy();
    client.build().expect("a client")
}

/// The status of an answer.
fn status(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {answer:?}"))
}

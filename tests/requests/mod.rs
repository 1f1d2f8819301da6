//! Requests as proxies, browsers and other people's programs really send them.

mod bodies;
mod guide;
mod paths;
mod proxies;

use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::proxy::NGINX;
use crate::common::{Server, trial, trial_with_need};

pub(crate) fn trials() -> Vec<Trial> {
    let nginx = NGINX.missing();
    let mut trials = vec![
        trial("requests::a_body_is_what_has_bytes", bodies::empty),
        trial("requests::json_may_begin_with_a_mark", bodies::marks),
        trial("requests::an_encoded_body_is_told_so", bodies::encoded),
        trial(
            "requests::no_error_repeats_what_a_body_held",
            bodies::secrets,
        ),
        trial(
            "requests::whoever_sends_too_much_reads_the_answer",
            bodies::too_long,
        ),
        trial(
            "requests::ignored_members_of_a_search_are_named",
            bodies::ignored,
        ),
        trial(
            "requests::foreign_headers_may_hold_any_bytes",
            paths::foreign_headers,
        ),
        trial("requests::a_slash_at_the_end_is_served", paths::slashes),
        trial("requests::every_answer_has_the_headers", paths::headers),
        trial("requests::a_long_head_is_taken", paths::long_heads),
        trial("requests::who_sends_half_is_hung_up_on", bodies::halves),
        trial(
            "requests::a_bad_token_is_told_from_a_good_one_everywhere",
            paths::covered,
        ),
        trial("requests::failures_under_rest_are_json", paths::failures),
        trial(
            "requests::a_base_url_stands_for_a_host_that_a_proxy_changes",
            proxies::base_url,
        ),
        trial_with_need(
            "requests::nginx_with_a_host_without_a_port",
            "nginx",
            nginx,
            proxies::host_without_port,
        ),
        trial_with_need(
            "requests::the_sign_in_behind_a_prefix_that_nginx_takes_off",
            "nginx",
            nginx,
            proxies::stripped_prefix,
        ),
        trial_with_need(
            "requests::a_stream_is_seen_through_nginx_as_it_comes",
            "nginx",
            nginx,
            proxies::stream,
        ),
    ];
    trials.extend(guide::PROXIES.map(|(title, program)| {
        trial_with_need(
            &format!("requests::the_guides_{}_serves_all", program.name),
            program.name,
            program.missing(),
            move || guide::serves(title, program),
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

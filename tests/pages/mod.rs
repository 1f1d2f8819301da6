//! The pages over HTTP: who gets what, forged forms, headers, and what is escaped.

mod access;
mod administration;
mod browser;
mod desk;
mod export;
mod forms;
pub(crate) mod languages;
mod lists;
mod lives;
mod mishaps;
mod mounting;
mod paging;
mod scopes;
mod selection;

pub(crate) use self::browser::take_picture;
use libtest_mimic::Trial;
use pat_harness::{Answer, Server, answer, blocking_trial, trial};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(access::anonymous_visitors_are_sent_to_the_sign_in),
        trial(access::other_users_see_and_revoke_nothing),
        trial(access::forged_forms_do_nothing),
        trial(access::every_page_has_the_security_headers),
        trial(access::owners_are_suggested_to_administrators),
        trial(administration::administrators_have_a_link_to_their_page_and_back),
        trial(administration::a_page_asks_the_directory_once),
        trial(lists::all_filter_errors_are_shown),
        trial(lists::the_owners_of_found_tokens_are_named_before_revocation),
        trial(lists::names_are_escaped),
        trial(lists::revoked_tokens_are_listed),
        trial(forms::a_plain_token_is_in_one_answer_only),
        trial(forms::a_form_that_comes_twice_creates_one_token),
        trial(forms::a_form_cannot_be_sent_again_after_its_token_is_revoked),
        trial(forms::a_form_stays_valid_after_other_changes),
        trial(forms::malformed_forms_never_cause_a_500),
        trial(mounting::an_outage_has_a_page),
        trial(mounting::pages_work_at_any_mount_point),
        trial(lists::a_csv_has_every_token_once),
        trial(lists::a_checkbox_revokes_children_too),
        trial(export::an_export_ends_when_access_is_lost),
        blocking_trial(mounting::forms_wait_for_forms_of_the_same_user_only),
        trial(forms::all_field_errors_are_shown_at_once),
        trial(forms::the_limits_are_those_of_the_policy),
    ];
    trials.extend([
        trial(lives::a_replaced_token_works_until_its_page_says),
        trial(lives::a_replacement_that_is_sent_twice_at_once_is_made_once),
        trial(lives::the_form_decides_when_both_tokens_end),
        trial(lives::what_cannot_be_replaced_says_why),
        trial(lives::a_paused_token_is_refused_until_it_is_resumed),
        trial(lives::administrators_read_what_owners_read_before_a_token_is_paused),
        trial(lives::a_name_and_a_description_are_edited),
        trial(lives::a_leaked_token_is_revoked_with_its_family),
        trial(lives::administrators_see_when_by_whom_and_why_a_token_was_revoked),
        trial(lives::a_list_says_how_long_ago_a_token_was_used),
    ]);
    trials.extend([
        trial(mishaps::a_form_is_filled_in_after_the_sign_in),
        trial(mishaps::a_form_without_its_token_is_shown_again),
        trial(mishaps::what_is_revoked_already_is_said_on_the_list),
        trial(mishaps::a_link_with_a_mistake_shows_it_at_the_field),
        trial(mishaps::there_is_no_form_where_none_can_be_sent),
        trial(mishaps::addresses_have_no_empty_fields),
        trial(mishaps::dates_are_read_in_the_zone_that_was_shown),
        trial(mishaps::what_a_page_says_fits_the_status),
        trial(mishaps::a_name_that_is_taken_is_noticed),
        trial(mishaps::a_page_has_one_autofocus_at_most),
        trial(languages::no_word_of_the_english_pages_is_on_a_german_page),
        trial(languages::a_page_has_the_language_that_the_browser_prefers),
    ]);
    trials.extend(desk::trials());
    trials.extend(paging::trials());
    trials.extend(selection::trials());
    trials.extend(scopes::trials());
    trials.extend(browser::trials());
    trials
}

const ADMIN: &str = "/admin/tokens";

/// A browser session: the cookies of the sign-in and of the forms, and the token of its forms.
struct Session {
    cookies: String,
    form_token: String,
}

impl Session {
    async fn start(server: &Server, user: &str) -> Self {
        let credentials = json!({"username": user, "password": user});
        let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
        let session = cookie(&signed_in);
        let page = answer(server.get("/tokens/new").header("cookie", &session)).await;
        Self {
            cookies: format!("{session}; {}", cookie(&page)),
            form_token: field(&page.body, "form_token"),
        }
    }

    async fn get(&self, server: &Server, path: &str) -> Answer {
        answer(server.get(path).header("cookie", &self.cookies)).await
    }

    fn post(&self, server: &Server, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut fields = fields.to_vec();
        fields.push(("form_token", &self.form_token));
        form(server, path, &fields).header("cookie", &self.cookies)
    }

    /// The answer to the form for a new token.
    async fn create(&self, server: &Server, name: &str) -> Answer {
        let fields = self.open(server, name).await;
        answer(self.post(server, "/tokens/new", &fields.pairs())).await
    }

    /// The form for a new token, filled in.
    async fn open(&self, server: &Server, name: &str) -> Opened {
        Opened::new(&self.get(server, "/tokens/new").await.body, name)
    }

    /// Takes the cookie of the forms from this answer, as a browser does.
    fn take_cookie(&mut self, answer: &Answer) {
        let session = self.cookies.split("; ").next().expect("a session");
        self.cookies = format!("{session}; {}", cookie(answer));
    }
}

/// A form for a new token, as it was opened.
#[derive(Clone)]
struct Opened {
    name: String,
    sheet: String,
    seen: String,
}

impl Opened {
    fn new(html: &str, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sheet: field(html, "sheet"),
            seen: field(html, "seen"),
        }
    }

    fn pairs(&self) -> [(&str, &str); 4] {
        [
            ("name", &self.name),
            ("expires", "30"),
            ("sheet", &self.sheet),
            ("seen", &self.seen),
        ]
    }
}

fn form(server: &Server, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let request = server.post(path).body(body.finish());
    request.header("content-type", "application/x-www-form-urlencoded")
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("name and value").to_owned()
}

/// The value of a hidden field.
fn field(html: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = html
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name}"));
    rest.split('"').next().expect("a value").to_owned()
}

/// The token that a page shows.
fn shown(html: &str) -> String {
    let (_, rest) = html.split_once("data-secret>").expect("a token");
    rest.split('<').next().expect("a token").to_owned()
}

/// Every page and form, for this token.
fn paths(id: i64) -> Vec<(Method, String)> {
    let mut paths = Vec::new();
    for path in ["/tokens", "/tokens/new", ADMIN] {
        paths.push((Method::GET, path.to_owned()));
    }
    for path in [
        format!("/tokens/{id}/replace"),
        format!("/tokens/{id}/edit"),
        format!("/tokens/{id}/pause"),
        format!("/tokens/{id}/resume"),
        format!("/tokens/{id}/revoke"),
        format!("{ADMIN}/revoke?id={id}"),
        format!("{ADMIN}/export"),
        format!("{ADMIN}/owners?contains=li"),
        format!("{ADMIN}/{id}"),
        format!("{ADMIN}/{id}/pause"),
        format!("{ADMIN}/{id}/resume"),
        "/admin".to_owned(),
        "/admin/identify".to_owned(),
        "/admin/unused".to_owned(),
        "/admin/notifications".to_owned(),
        format!("/tokens/{id}"),
    ] {
        paths.push((Method::GET, path));
    }
    for path in [
        "/tokens/new".to_owned(),
        format!("/tokens/{id}/edit"),
        format!("/tokens/{id}/pause"),
        format!("/tokens/{id}/resume"),
        format!("/tokens/{id}/replace"),
        format!("/tokens/{id}/revoke"),
        format!("{ADMIN}/revoke"),
        format!("{ADMIN}/{id}/pause"),
        format!("{ADMIN}/{id}/resume"),
        "/admin/identify".to_owned(),
        "/admin/notifications/1/send".to_owned(),
    ] {
        paths.push((Method::POST, path));
    }
    paths
}

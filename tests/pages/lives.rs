//! The pages on which a token is replaced, paused, resumed, edited, and revoked with its family.

use std::time::Duration;

use pat_harness::{Answer, NewToken, Server, TOKENS, answer};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Session, field, shown};

const HOUR: Duration = Duration::from_hours(1);

/// Starts a server. Its clock stands still, and the first change of this kind waits until no node can trust a cache
/// from before.
pub(super) async fn start(properties: &[(&str, &str)]) -> Server {
    let without_cache = [("pat.auth.max.staleness.ms", "0")];
    Server::with(&[&without_cache, properties].concat()).await
}

/// Opens the form that replaces a token, and returns the fields that a browser would send.
async fn open(server: &Server, session: &Session, id: i64) -> Vec<(&'static str, String)> {
    let page = session.get(server, &format!("/tokens/{id}/replace")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let chosen = |name: &str| {
        let inputs = page.body.split("<input ").skip(1);
        let inputs = inputs.filter_map(|input| input.split('>').next());
        let mut chosen = inputs.filter(|input| {
            input.contains(&format!("name=\"{name}\"")) && input.ends_with("checked")
        });
        let input = chosen.next().unwrap_or_else(|| panic!("no {name}"));
        let (_, value) = input.split_once("value=\"").expect("a value");
        value.split('"').next().expect("a value").to_owned()
    };
    vec![
        ("sheet", field(&page.body, "sheet")),
        ("overlap", chosen("overlap")),
        ("expires", chosen("expires")),
    ]
}

/// The same fields with another value of one.
fn with<'f>(
    fields: &'f [(&'static str, String)],
    name: &str,
    value: &'f str,
) -> Vec<(&'f str, &'f str)> {
    let fields = fields.iter().map(|(field, old)| {
        let value = if *field == name { value } else { old.as_str() };
        (*field, value)
    });
    fields.collect()
}

async fn replace(server: &Server, session: &Session, id: i64, fields: &[(&str, &str)]) -> Answer {
    answer(session.post(server, &format!("/tokens/{id}/replace"), fields)).await
}

async fn list(server: &Server) -> Vec<serde_json::Value> {
    let listed = answer(server.get(TOKENS).basic_auth("alice", Some("alice"))).await;
    listed.json().as_array().expect("an array").clone()
}

/// The ID of Alice's newest token.
async fn newest(server: &Server) -> i64 {
    let tokens = list(server).await;
    let ids = tokens
        .iter()
        .map(|token| token["id"].as_i64().expect("an ID"));
    ids.max().expect("a token")
}

async fn create(server: &Server, body: serde_json::Value) -> NewToken {
    let request = server.post(TOKENS).basic_auth("alice", Some("alice"));
    answer(request.json(&body)).await.created()
}

pub(super) async fn a_replaced_token_works_until_its_page_says() {
    let server = start(&[]).await;
    let body = json!({"name": "ci", "description": "<the> build", "expirationDuration": 30});
    let old = create(&server, body).await;
    let alice = Session::start(&server, "alice").await;
    let fields = open(&server, &alice, old.id).await;
    // As the settings say, and as long as the old one was to live.
    assert_eq!(fields[1].1, "3600");
    assert_eq!(fields[2].1, "own");
    let replaced = replace(&server, &alice, old.id, &with(&fields, "", "")).await;
    assert_eq!(replaced.status, StatusCode::CREATED, "{}", replaced.body);
    let end = "The old token works until <time datetime=\"2026-02-26T23:42:";
    assert!(replaced.body.contains(end), "{}", replaced.body);
    let secret = shown(&replaced.body);
    for token in [&old.raw, &secret] {
        assert_eq!(server.try_token(token).await, StatusCode::OK);
    }

    // The list tells them apart, and shows no more of the secrets than their ends.
    let page = alice.get(&server, "/tokens").await.body;
    assert_eq!(page.matches("pat-replaced\">Replaced<").count(), 1);
    assert!(page.contains("Works until</span> <time datetime=\"2026-02-26T23:42:"));
    assert_eq!(page.matches("<bdi>&#60;the&#62; build</bdi>").count(), 2);
    for token in [&old.raw, &secret] {
        let (start, ending) = token.split_at(token.len() - 4);
        assert!(page.contains(&format!("</span>{ending}</code>")), "{page}");
        assert!(!page.contains(&start[4..]));
    }
    // Both are one for the limit, and only the new one is offered to be replaced.
    assert!(page.contains("<caption>1 of 10 tokens</caption>"), "{page}");
    assert_eq!(page.matches("/replace\"").count(), 1);

    // Whoever sends the form again gets no other token.
    let again = replace(&server, &alice, old.id, &with(&fields, "overlap", "0")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("replaced already"), "{}", again.body);
    assert!(!again.body.contains(&secret[4..]));
    let new = newest(&server).await;
    assert!(again.body.contains(&format!("tokens/{new}/replace\"")));
    assert_eq!(list(&server).await.len(), 2);

    server.advance(HOUR).await;
    assert_eq!(server.try_token(&old.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.try_token(&secret).await, StatusCode::OK);
    let page = alice.get(&server, "/tokens").await.body;
    assert!(
        !page.contains("Replaced") && page.contains("1 of 10"),
        "{page}"
    );
}

/// As a double click does.
pub(super) async fn a_replacement_that_is_sent_twice_at_once_is_made_once() {
    let server = start(&[]).await;
    let old = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let fields = open(&server, &alice, old.id).await;
    let fields = with(&fields, "", "");
    let send = || replace(&server, &alice, old.id, &fields);
    let (one, two) = tokio::join!(send(), send());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT]);
    assert_eq!(list(&server).await.len(), 2);
    // Another form about the same token is another wish: the answer to the first may be lost.
    let page = alice
        .get(&server, &format!("/tokens/{}/replace", old.id))
        .await;
    assert!(page.body.contains("was replaced before"), "{}", page.body);
    assert!(!page.body.contains("name=\"overlap\""));
    let fields = [("sheet", field(&page.body, "sheet"))];
    let fields = [("sheet", &*fields[0].1), ("expires", "own")];
    let another = replace(&server, &alice, old.id, &fields).await;
    assert_eq!(another.status, StatusCode::CREATED, "{}", another.body);
    server.advance(HOUR).await;
    let lost = if one.status == StatusCode::CREATED {
        one
    } else {
        two
    };
    assert_eq!(
        server.try_token(&shown(&lost.body)).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        server.try_token(&shown(&another.body)).await,
        StatusCode::OK
    );
}

pub(super) async fn the_form_decides_when_both_tokens_end() {
    let server = start(&[("pat.rotate.overlap.max.seconds", "86400")]).await;
    let old = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let fields = open(&server, &alice, old.id).await;
    let page = alice
        .get(&server, &format!("/tokens/{}/replace", old.id))
        .await;
    for offered in ["\"0\"", "\"3600\"", "\"86400\""] {
        assert!(
            page.body
                .contains(&format!("name=\"overlap\" value={offered}"))
        );
    }
    let over = "name=\"overlap\" value=\"604800\"";
    assert!(!page.body.contains(over), "over the limit");
    // What is wrong stands at its field, and nothing is done.
    for (name, value, expected) in [
        (
            "overlap",
            "604800",
            "The old token may work for 86,400 seconds at most",
        ),
        ("overlap", "", "Choose how long the old token works"),
        ("overlap", "-1", "Choose how long the old token works"),
        ("expires", "366", "for 365 days at most"),
        ("expires", "never", "Choose when the token expires"),
        ("expires", "", "Choose when the token expires"),
    ] {
        let refused = replace(&server, &alice, old.id, &with(&fields, name, value)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{name} {value}");
        assert!(refused.body.contains(expected), "{value}: {}", refused.body);
        assert!(refused.body.contains("<title>Error: "), "{value}");
    }
    let forged = replace(&server, &alice, old.id, &with(&fields, "sheet", "x")).await;
    assert_eq!(forged.status, StatusCode::BAD_REQUEST);
    assert_eq!(list(&server).await.len(), 1);
    // A form that was refused may be sent again.
    let mut fields = with(&fields, "overlap", "0");
    fields.retain(|(name, _)| *name != "expires");
    fields.push(("expires", "7"));
    let replaced = replace(&server, &alice, old.id, &fields).await;
    assert_eq!(replaced.status, StatusCode::CREATED, "{}", replaced.body);
    assert!(
        replaced.body.contains("refused from now on"),
        "{}",
        replaced.body
    );
    assert!(replaced.body.contains("<time datetime=\"2026-03-05T22:42:"));
    assert_eq!(server.try_token(&old.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        server.try_token(&shown(&replaced.body)).await,
        StatusCode::OK
    );
}

pub(super) async fn what_cannot_be_replaced_says_why() {
    let server = start(&[]).await;
    let old = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let path = format!("/tokens/{}/replace", old.id);
    let fields = open(&server, &alice, old.id).await;
    let refused = async |expected: &str| {
        let page = alice.get(&server, &path).await;
        assert!(page.body.contains(expected), "{}", page.body);
        assert!(
            !page
                .body
                .contains("<button class=\"pat-button pat-primary\"")
        );
        let sent = replace(&server, &alice, old.id, &with(&fields, "", "")).await;
        assert_eq!(sent.status, StatusCode::CONFLICT);
        assert!(sent.body.contains(expected), "{}", sent.body);
    };
    answer(alice.post(&server, &format!("/tokens/{}/pause", old.id), &[])).await;
    refused("It can be replaced when it is resumed").await;
    answer(alice.post(&server, &format!("/tokens/{}/resume", old.id), &[])).await;
    server.advance(Duration::from_hours(24 * 91)).await;
    refused("This token has expired").await;
    assert_eq!(list(&server).await.len(), 1);
    // Nor is another's, by an administrator either.
    for user in ["bob", "admin"] {
        let other = Session::start(&server, user).await;
        for path in ["replace", "edit", "pause", "resume"] {
            let path = format!("/tokens/{}/{path}", old.id);
            assert_eq!(
                other.get(&server, &path).await.status,
                StatusCode::NOT_FOUND
            );
            let sent = answer(other.post(&server, &path, &[("name", "theirs")])).await;
            assert_eq!(sent.status, StatusCode::NOT_FOUND, "{user} {path}");
        }
    }
}

pub(super) async fn a_paused_token_is_refused_until_it_is_resumed() {
    let server = start(&[]).await;
    let token = server.create("alice").await;
    let child = server.post(TOKENS).bearer_auth(&token.raw);
    let child = child.json(&json!({"name": "child", "expirationDuration": 3}));
    let child = answer(child).await.created();
    let alice = Session::start(&server, "alice").await;
    let [pause, resume] = ["pause", "resume"].map(|path| format!("/tokens/{}/{path}", token.id));
    let question = alice.get(&server, &pause).await.body;
    assert!(
        question.contains("1 token that was created with it goes on"),
        "{question}"
    );
    let paused = answer(alice.post(&server, &pause, &[])).await;
    let list = format!("/tokens?paused={}&children=1", token.id);
    assert_eq!(paused.header("location"), Some(&*format!("../..{list}")));
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.try_token(&child.raw).await, StatusCode::OK);
    let page = alice.get(&server, &list).await.body;
    for expected in [
        "\u{2069}” is paused.",
        "Still valid: 1 token created with what was paused.",
        "pat-disabled\">Paused<",
        &*format!("tokens/{}/resume\"", token.id),
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains(&format!("tokens/{}/pause\"", token.id)));

    let resumed = answer(alice.post(&server, &resume, &[])).await;
    let list = format!("../../tokens?resumed={}", token.id);
    assert_eq!(resumed.header("location"), Some(&*list));
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);

    // What an administrator has paused only an administrator resumes.
    let rest = format!("/rest/pat/latest/tokens/{}", token.id);
    let by_admin = server
        .request(Method::PATCH, &rest)
        .basic_auth("admin", Some("admin"));
    let by_admin = answer(by_admin.json(&json!({"enabled": false}))).await;
    assert_eq!(by_admin.status, StatusCode::OK, "{}", by_admin.body);
    let sentence = "Only an administrator can resume it";
    let question = alice.get(&server, &resume).await.body;
    assert!(
        question.contains(sentence) && !question.contains(">Resume</button>"),
        "{question}"
    );
    let refused = answer(alice.post(&server, &resume, &[])).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains(sentence), "{}", refused.body);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

pub(super) async fn administrators_read_what_owners_read_before_a_token_is_paused() {
    let server = start(&[]).await;
    let token = server.post(TOKENS).basic_auth("alice", Some("alice"));
    let token = token.json(&json!({"name": "ci", "expirationDuration": 1}));
    let token = answer(token).await.created();
    let rotate = format!("/rest/pat/latest/tokens/{}/rotate", token.id);
    let rotate = server.post(&rotate).basic_auth("alice", Some("alice"));
    let new = answer(rotate.json(&json!({"overlapSeconds": 3600})))
        .await
        .created();
    let child = server.post(TOKENS).bearer_auth(&new.raw);
    let child = child.json(&json!({"name": "child", "expirationDuration": 1}));
    answer(child).await.created();
    let takes_along = "What this token replaced is paused, too.";
    let leaves = "1 token that was created with it goes on working.";
    let sentences = [
        ("pause", "is refused until", [true, false]),
        ("pause", "until you resume it", [true, false]),
        // What is replaced is deleted soon after its end.
        ("pause", takes_along, [true, false]),
        ("pause", leaves, [true, false]),
        ("pause", "Pausing it changes nothing", [false, true]),
        ("resume", "is accepted again", [true, false]),
        ("resume", "so it stays refused", [false, true]),
    ];
    for is_expired in [false, true] {
        if is_expired {
            server.advance(Duration::from_hours(24 * 2)).await;
        }
        for (user, path) in [("alice", "/tokens"), ("admin", "/admin/tokens")] {
            let session = Session::start(&server, user).await;
            for (action, sentence, is_said) in sentences {
                let path = format!("{path}/{}/{action}", new.id);
                let page = session.get(&server, &path).await.body;
                let sentence = match user {
                    "admin" => sentence.replace("you resume", "an administrator resumes"),
                    _ => sentence.to_owned(),
                };
                let is_said = is_said[usize::from(is_expired)];
                assert_eq!(
                    page.contains(&sentence),
                    is_said,
                    "{path} {sentence}: {page}"
                );
            }
        }
    }
}

pub(super) async fn a_name_and_a_description_are_edited() {
    let server = start(&[]).await;
    let token = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let path = format!("/tokens/{}/edit", token.id);
    let long = "x".repeat(201);
    for (name, description, expected) in [
        (" ", "", "The name is blank"),
        ("a\u{202e}b", "", "turns the direction of text"),
        (
            "fine",
            &*long,
            "The description is longer than 200 characters",
        ),
    ] {
        let fields = [("name", name), ("description", description)];
        let refused = answer(alice.post(&server, &path, &fields)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{expected}");
        assert!(refused.body.contains(expected), "{}", refused.body);
        assert!(
            refused
                .body
                .contains(&format!("name=\"name\" value=\"{name}\""))
        );
    }
    let fields = [("name", " renamed "), ("description", " <b>nightly</b> ")];
    let changed = answer(alice.post(&server, &path, &fields)).await;
    let changed_list = format!("/tokens?changed={}", token.id);
    assert_eq!(
        changed.header("location"),
        Some(&*format!("../..{changed_list}"))
    );
    let page = alice.get(&server, &path).await.body;
    assert!(page.contains("name=\"name\" value=\"renamed\""), "{page}");
    assert!(page.contains("name=\"description\" value=\"&#60;b&#62;nightly&#60;/b&#62;\""));
    let listed = alice.get(&server, &changed_list).await.body;
    assert!(listed.contains("<bdi>renamed</bdi>"), "{listed}");
    assert!(
        listed.contains("“\u{2068}renamed\u{2069}” was changed."),
        "{listed}"
    );
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    // An empty description is none.
    let fields = [("name", "renamed"), ("description", "")];
    answer(alice.post(&server, &path, &fields)).await;
    assert!(
        list(&server).await[0]
            .get("description")
            .is_none_or(serde_json::Value::is_null)
    );

    // A new token has one as well, which a link may fill in.
    let filled = alice
        .get(&server, "/tokens/new?name=ci&description=as%20linked")
        .await
        .body;
    assert!(filled.contains("name=\"description\" value=\"as linked\""));
    let fields = alice.open(&server, "described").await;
    let mut fields = fields.pairs().to_vec();
    fields.push(("description", &*long));
    let refused = answer(alice.post(&server, "/tokens/new", &fields)).await;
    assert!(
        refused.body.contains("The description is longer than 200"),
        "{}",
        refused.body
    );
    fields.pop();
    fields.push(("description", "as typed"));
    let created = answer(alice.post(&server, "/tokens/new", &fields)).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert!(
        alice
            .get(&server, "/tokens")
            .await
            .body
            .contains("<bdi>as typed</bdi>")
    );
}

pub(super) async fn a_leaked_token_is_revoked_with_its_family() {
    let server = start(&[]).await;
    let old = server.create("alice").await;
    let alice = Session::start(&server, "alice").await;
    let fields = open(&server, &alice, old.id).await;
    let replaced = replace(&server, &alice, old.id, &with(&fields, "", "")).await;
    let new = (shown(&replaced.body), newest(&server).await);
    let [question, leaked, of_new] = [
        format!("/tokens/{}/revoke", old.id),
        format!("/tokens/{}/revoke?leaked", old.id),
        format!("/tokens/{}/revoke", new.1),
    ];
    let box_of = "name=\"family\" value=\"true\"";
    let page = alice.get(&server, &question).await.body;
    assert!(page.contains(&format!("{box_of}>")), "{page}");
    assert!(page.contains("The token that replaced it goes on working"));
    let page = alice.get(&server, &leaked).await.body;
    assert!(page.contains(&format!("{box_of} checked>")), "{page}");
    let page = alice.get(&server, &of_new).await.body;
    assert!(
        page.contains("What this token replaced is revoked, too"),
        "{page}"
    );
    assert!(!page.contains(box_of));
    // The list asks on these pages, not in a dialog that says less.
    let page = alice.get(&server, "/tokens").await.body;
    assert!(!page.contains("data-ask=\""), "{page}");
    let revoked = answer(alice.post(&server, &question, &[("family", "true")])).await;
    let list = format!("../../tokens?revoked={}", old.id);
    assert_eq!(revoked.header("location"), Some(&*list));
    for token in [&old.raw, &new.0] {
        assert_eq!(server.try_token(token).await, StatusCode::UNAUTHORIZED);
    }
}

pub(super) async fn administrators_see_when_by_whom_and_why_a_token_was_revoked() {
    let server = start(&[]).await;
    let token = create(
        &server,
        json!({"name": "ci", "description": "of the build", "expirationDuration": 3}),
    )
    .await;
    let own = server.create("alice").await;
    let admin = Session::start(&server, "admin").await;
    let ending = &token.raw[token.raw.len() - 4..];
    let page = admin.get(&server, "/admin/tokens").await.body;
    assert!(page.contains(&format!("</span>{ending}</code>")) && page.contains("of the build"));
    let fields = [
        ("id", &*token.id.to_string()),
        ("reason", "in a <public> log"),
    ];
    answer(admin.post(&server, "/admin/tokens/revoke", &fields)).await;
    let alice = Session::start(&server, "alice").await;
    answer(alice.post(&server, &format!("/tokens/{}/revoke", own.id), &[])).await;
    let page = admin
        .get(&server, "/admin/tokens?status=REVOKED")
        .await
        .body;
    let rows: Vec<_> = page.split("<tr role=\"row\">").skip(1).collect();
    assert_eq!(rows.len(), 2, "{page}");
    let row = |name: &str| {
        let found = rows.iter().find(|row| row.contains(name));
        *found.unwrap_or_else(|| panic!("no {name}: {page}"))
    };
    let by = |user: &str| {
        format!(
            "<time datetime=\"2026-02-26T22:42:21Z\" title=\"Thu 26 Feb 2026, 22:42\u{a0}UTC\" data-relative>just now</time> by <bdi>{user}</bdi>"
        )
    };
    let revoked = row("of the build");
    assert!(
        revoked.contains("<q>in a &#60;public&#62; log</q>"),
        "{revoked}"
    );
    assert!(!revoked.contains(&by("Alice Liddell")), "{revoked}");
    assert!(row(&by("Alice Liddell")).contains("pat-revoked"));
}

pub(super) async fn a_list_says_how_long_ago_a_token_was_used() {
    let server = start(&[]).await;
    let token = server.create("alice").await;
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    for (passed, shown) in [
        (Duration::ZERO, "just now"),
        (2 * HOUR, "2 hours ago"),
        (24 * HOUR, "1 day ago"),
        (40 * 24 * HOUR, "41 days ago"),
    ] {
        server.advance(passed).await;
        let alice = Session::start(&server, "alice").await;
        let page = alice.get(&server, "/tokens").await.body;
        let date =
            "<time datetime=\"2026-02-26T22:42:21Z\" title=\"Thu 26 Feb 2026, 22:42\u{a0}UTC\"";
        let expected = format!("Last used\">{date} data-relative>{shown}</time>");
        assert!(page.contains(&expected), "{shown}: {page}");
    }
}

//! Tokens of several pages that are selected, and the question about many.

use libtest_mimic::Trial;
use pat_harness::{Server, answer, trial};
use reqwest::StatusCode;

use super::Session;
use super::paging::{create, create_many, start};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(a_selection_is_kept_across_pages),
        trial(a_selection_outlives_a_mistake_in_the_filter),
        trial(too_many_are_not_selected_one_by_one),
        trial(the_number_of_many_tokens_is_typed),
    ]
}

/// The IDs in the fields of this type.
fn ids(html: &str, start: &str) -> Vec<String> {
    let parts = html.split(start).skip(1);
    let ids = parts.filter_map(|part| part.split('"').next());
    ids.map(str::to_owned).collect()
}

const BOX: &str = "<input type=\"checkbox\" name=\"id\" value=\"";
const HIDDEN: &str = "<input type=\"hidden\" name=\"id\" value=\"";

fn checked(html: &str) -> Vec<String> {
    let boxes = ids(html, BOX).into_iter();
    let is_checked = |id: &String| html.contains(&format!("{BOX}{id}\" checked>"));
    boxes.filter(is_checked).collect()
}

/// The query of a form with these IDs.
fn query_of(ids: &[String]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| format!("id={id}")).collect();
    ids.join("&")
}

async fn a_selection_is_kept_across_pages() {
    let server = start().await;
    create_many(&server, "alice", 60).await;
    let admin = Session::start(&server, "admin").await;
    let get = async |query: &str| {
        let page = admin.get(&server, &format!("/admin/tokens?{query}")).await;
        assert_eq!(page.status, StatusCode::OK);
        page.body
    };
    let first = get("").await;
    let (_, after) = first
        .split_once("name=\"after\" value=\"")
        .expect("a button");
    let after = after.split('"').next().expect("a position");
    // Pages are buttons of the form, which send what is checked.
    assert!(first.contains(
        "<button class=\"pat-button pat-small\" formaction=\"../admin/tokens\" name=\"after\""
    ));
    let chosen = ids(&first, BOX)[3..5].to_vec();
    let query = query_of(&chosen);
    let second = get(&format!("{query}&after={after}")).await;
    assert_eq!(ids(&second, HIDDEN), sorted(&chosen));
    assert_eq!(checked(&second), [""; 0]);
    assert!(second.contains("(2 not on this page)"), "{second}");
    let more = [chosen.clone(), vec![ids(&second, BOX)[0].clone()]].concat();
    let back = get(&query_of(&more)).await;
    assert_eq!(checked(&back), chosen);
    assert_eq!(ids(&back, HIDDEN), more[2..]);
    // What is selected on all pages is asked about.
    let path = format!("/admin/tokens/revoke?what=selected&{}", query_of(&more));
    let question = admin.get(&server, &path).await.body;
    assert!(question.contains("<h1>Revoke 3 tokens?</h1>"));
    assert_eq!(sorted(&ids(&question, HIDDEN)), sorted(&more));
    // All that match, on whichever page.
    let all = get(&format!("name=n&select=found&after={after}")).await;
    assert_eq!(checked(&all).len(), 10);
    assert!(all.contains("<input type=\"hidden\" name=\"select\" value=\"found\">"));
    let none = get("select=found").await;
    assert_eq!(checked(&none), [""; 0], "there is no filter");
}

async fn a_selection_outlives_a_mistake_in_the_filter() {
    let server = start().await;
    let token = create(&server, "alice", "ci", Some(30)).await.to_string();
    let admin = Session::start(&server, "admin").await;
    let path = format!("/admin/tokens?unused=x&id={token}");
    let wrong = admin.get(&server, &path).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    // The form of the filter sends it, and so do the buttons above it.
    let expected = [token.clone(), token.clone()];
    assert_eq!(ids(&wrong.body, HIDDEN), expected, "{}", wrong.body);
    let button = "<button form=\"pat-results\" formaction=\"../admin/tokens\" name=\"to\" \
                  value=\"?unused=90\">";
    assert!(wrong.body.contains(button), "{}", wrong.body);
    let path = format!("/admin/tokens?unused=x&id={token}&to=%3Funused%3Dalways");
    let right = admin.get(&server, &path).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    let target = format!("../admin/tokens?unused=always&id={token}");
    assert_eq!(right.header("location"), Some(&*target));
    let list = admin.get(&server, &target["..".len()..]).await.body;
    assert_eq!(checked(&list), [token]);
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

async fn too_many_are_not_selected_one_by_one() {
    let server = start().await;
    let token = create(&server, "alice", "ci", Some(30)).await;
    let admin = Session::start(&server, "admin").await;
    let query = |count: i64| {
        let others = (1..count).map(|number| number.to_string());
        query_of(&others.chain([token.to_string()]).collect::<Vec<_>>())
    };
    let path = |count| format!("/admin/tokens/revoke?what=selected&name=c&{}", query(count));
    let most = admin.get(&server, &path(200)).await;
    assert_eq!(most.status, StatusCode::OK);
    assert!(most.body.contains("<h1>Revoke 1 token?</h1>"));
    let more = admin.get(&server, &path(201)).await;
    let target = "../../admin/tokens?name=c&selected=too-many";
    assert_eq!(more.header("location"), Some(target));
    let says = "Select at most 200 tokens one by one.";
    for query in ["selected=too-many".to_owned(), query(201)] {
        let list = admin.get(&server, &format!("/admin/tokens?{query}")).await;
        assert!(list.body.contains(says), "{query}");
    }
    let list = admin
        .get(&server, &format!("/admin/tokens?{}", query(200)))
        .await;
    assert!(!list.body.contains(says));
}

async fn the_number_of_many_tokens_is_typed() {
    let server = start().await;
    create_many(&server, "alice", 1_081).await;
    let admin = Session::start(&server, "admin").await;
    let path = "/admin/tokens/revoke?what=found&name=n";
    let question = admin.get(&server, path).await.body;
    assert!(
        question.contains("<button class=\"pat-button pat-danger\">Revoke 1,081 tokens</button>")
    );
    assert!(
        question.contains(
            "<label for=\"pat-typed\">To confirm, type the number of tokens: 1,081</label>"
        )
    );
    let send = async |typed: Option<&str>, expected: &str| {
        let mut fields = vec![("what", "found"), ("name", "n"), ("expected", expected)];
        fields.extend(typed.map(|typed| ("typed", typed)));
        answer(admin.post(&server, "/admin/tokens/revoke", &fields)).await
    };
    for typed in [None, Some(""), Some("1080"), Some("yes"), Some("-1081")] {
        let refused = send(typed, "1081").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{typed:?}");
        let error = "<p class=\"pat-error\" id=\"pat-typed-error\">Type 1,081, the number of tokens to revoke.</p>";
        assert!(refused.body.contains(error), "{typed:?}");
        assert!(
            refused
                .body
                .contains("aria-invalid=\"true\" aria-describedby=\"pat-typed-error\"")
        );
    }
    // A number that was right before is not enough.
    let changed = send(Some("1080"), "1080").await;
    assert_eq!(changed.status, StatusCode::CONFLICT);
    let few = admin
        .get(&server, "/admin/tokens/revoke?what=found&name=n000")
        .await
        .body;
    assert!(few.contains("Revoke 1 token</button>") && !few.contains("name=\"typed\""));
    assert_eq!(count(&server).await, 1_081);
    let revoked = send(Some("1,081"), "1081").await;
    assert_eq!(
        revoked.header("location"),
        Some("../../admin/tokens?name=n&revoked=1081")
    );
    assert_eq!(count(&server).await, 0);
}

async fn count(server: &Server) -> usize {
    let alice = super::paging::caller("alice");
    server.pats.list(&alice).await.expect("a list").len()
}

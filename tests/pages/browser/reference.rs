//! The description of the REST router, as Swagger UI shows it.

use pat_harness::Server;
use pat_harness::browser::Browser;
use serde_json::json;

/// The description of the REST router is read, shown and tried, and nothing is blocked or fetched from
/// elsewhere.
pub(super) async fn the_reference_works_under_its_policy() {
    let server = Server::start().await;
    let browser = Browser::start(&server.base).await;
    let note = "window.refused = []; document.addEventListener('securitypolicyviolation', \
                event => refused.push(event.violatedDirective + ' ' + event.blockedURI));";
    let note = json!({"source": note});
    browser
        .cdp("Page.addScriptToEvaluateOnNewDocument", note)
        .await;
    browser.sign_in("alice").await;
    browser.go("/reference/").await;
    let operation = "#operations-Tokens-createToken";
    browser.click(&format!("{operation} button")).await;
    assert_eq!(browser.count(".opblock").await, 20);
    // What is proposed can be read.
    let proposed = browser.find(&format!("{operation} textarea")).await;
    let proposed = proposed.value().await.expect("a value").expect("a body");
    assert!(proposed.contains("\"name\": \"ci\""), "{proposed}");
    let body = json!({"name": "by hand", "expirationDuration": 5});
    browser
        .fill(&format!("{operation} textarea"), &body.to_string())
        .await;
    // The session of this browser counts.
    browser.click(&format!("{operation} .execute")).await;
    let answer = format!("{operation} .live-responses-table .response");
    let answer = browser.text(&answer).await;
    assert!(
        answer.contains("201") && answer.contains("rawToken"),
        "{answer}"
    );
    // A token counts too, once it is given.
    let token = server.create("bob").await;
    browser.go("/reference/").await;
    browser.click(".btn.authorize").await;
    browser.fill("#auth-bearer-value", &token.raw).await;
    let form = ".auth-container:has(#auth-bearer-value)";
    browser.click(&format!("{form} .authorize")).await;
    browser.click(".auth-btn-wrapper .btn-done").await;
    let operation = "#operations-Tokens-findCurrentToken";
    browser.click(&format!("{operation} button")).await;
    browser.click(&format!("{operation} .execute")).await;
    let answer = format!("{operation} .live-responses-table .response");
    let answer = browser.text(&answer).await;
    assert!(
        answer.contains("200") && answer.contains(&token.id.to_string()),
        "{answer}"
    );
    assert_eq!(browser.run("return refused").await, json!([]));
    let elsewhere = "return performance.getEntriesByType('resource').map(entry => entry.name)\
                     .filter(name => /^https?:/.test(name) && !name.startsWith(location.origin))";
    assert_eq!(browser.run(elsewhere).await, json!([]));
    // The policy is in force, and what it refuses is noted.
    browser
        .run("document.body.appendChild(document.createElement('script')).text = '1'")
        .await;
    let refused = browser.run("return refused.join()").await;
    assert_eq!(refused, "script-src-elem inline");
    browser.stop().await;
}

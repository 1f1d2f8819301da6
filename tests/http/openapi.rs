//! The description of the REST router is true, and whoever follows it finds no hole.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::{Server, answer, column, python, target_folder, trial, trial_with_need};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;
use tower::ServiceExt as _;

const MOUNT: &str = "/rest/pat/latest";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(the_document_names_every_route),
        trial(the_document_has_its_mount_point_and_limits),
        trial(the_reference_loads_nothing_from_elsewhere),
        trial(no_operation_is_open_to_unauthorized_callers),
        trial(the_document_has_license_tags_and_schemes),
        trial_with_need("npm", linters_missing(), linters_find_nothing),
        trial_with_need(
            "python",
            python::CLIENTS.missing(),
            schemathesis_finds_nothing,
        ),
    ]
}

async fn document(server: &Server, mount: &str) -> Value {
    let found = answer(server.get(&format!("{mount}/openapi.json"))).await;
    assert_eq!(found.status, StatusCode::OK);
    found.json()
}

/// The operations of a document, with their descriptions.
fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path");
        item.iter().map(move |(method, operation)| {
            let method: Method = method.to_uppercase().parse().expect("a method");
            (method, path.clone(), operation)
        })
    });
    let mut operations: Vec<_> = operations.collect();
    // Whether JSON objects keep their order depends on what else is built.
    operations.sort_by(|(one, one_path, _), (two, two_path, _)| {
        (one_path, one.as_str()).cmp(&(two_path, two.as_str()))
    });
    operations
}

async fn the_document_names_every_route() {
    let server = Server::start().await;
    let document = document(&server, MOUNT).await;
    let operations = operations(&document);
    let names = operations
        .iter()
        .map(|(method, path, operation)| {
            format!(
                "{method} {path} {}",
                operation["operationId"].as_str().expect("an id")
            )
        })
        .collect::<Vec<_>>();
    let expected = [
        "GET /admin/events readEvents",
        "GET /admin/notifications listDeadNotifications",
        "POST /admin/notifications/send resendNotifications",
        "POST /admin/notifications/{id}/send resendNotification",
        "DELETE /admin/tokens revokeTokens",
        "POST /admin/tokens/identify identifyToken",
        "POST /admin/tokens/revoke revokeMatchingTokens",
        "GET /admin/unused listUnusedTokens",
        "GET /policy policy",
        "GET /tokens listTokens",
        "POST /tokens createToken",
        "DELETE /tokens/current revokeCurrentToken",
        "GET /tokens/current findCurrentToken",
        "POST /tokens/current/rotate rotateCurrentToken",
        "POST /tokens/search searchTokens",
        "GET /tokens/search/user searchUsers",
        "DELETE /tokens/{id} revokeToken",
        "GET /tokens/{id} findToken",
        "PATCH /tokens/{id} updateToken",
        "POST /tokens/{id}/rotate rotateToken",
    ];
    assert_eq!(names, expected);
    let links = &document["paths"]["/tokens"]["post"]["responses"]["201"]["links"];
    for (link, operation) in [
        ("find", "findToken"),
        ("revoke", "revokeToken"),
        ("rotate", "rotateToken"),
    ] {
        assert_eq!(links[link]["operationId"], operation);
        assert_eq!(links[link]["parameters"]["id"], "$response.body#/id");
    }
    for (method, path, operation) in &operations {
        let responses = operation["responses"].as_object().expect("responses");
        for status in ["401", "403", "503"] {
            let problem = &responses[status]["content"]["application/problem+json"];
            assert_eq!(
                problem["schema"]["$ref"], "#/components/schemas/Problem",
                "{method} {path} {status}"
            );
        }
    }
    assert!(document["components"]["schemas"]["Problem"].is_object());
    for path in ["/tokens/{id}/rotate", "/tokens/current/rotate"] {
        let rotate = &document["paths"][path]["post"];
        assert_ne!(rotate["requestBody"]["required"], true, "{path}");
        let headers = rotate["parameters"].as_array().expect("parameters");
        let key = headers.iter().find(|it| it["name"] == "Idempotency-Key");
        let key = key.expect("the key");
        assert_eq!(
            (&key["in"], &key["required"]),
            (&json!("header"), &json!(false))
        );
    }
    let other = answer(server.post(&format!("{MOUNT}/openapi.json"))).await;
    assert_eq!(other.problem(), "method-not-allowed");
}

async fn the_document_has_its_mount_point_and_limits() {
    let server = Server::with(&[
        ("atlassian.pats.token.name.length", "17"),
        ("atlassian.pats.max.tokens.expiry.days", "30"),
        ("atlassian.pats.eternal.tokens.enabled", "false"),
    ])
    .await;
    for mount in [MOUNT, "/rest/pat/1.0"] {
        let document = document(&server, mount).await;
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["servers"], json!([{"url": mount}]));
        // Of one instance, in words alone: clients that are made from this talk to others too.
        let new = &document["components"]["schemas"]["NewToken"];
        let (name, days) = (
            &new["properties"]["name"],
            &new["properties"]["expirationDuration"],
        );
        for (member, limits) in [(name, &["17"][..]), (days, &["30", "it must be given"])] {
            let description = member["description"].as_str().expect("a description");
            for limit in limits {
                assert!(description.contains(limit), "{description}");
            }
            assert!(member.get("maxLength").or(member.get("maximum")).is_none());
        }
        assert_eq!(new["required"], json!(["name"]));
    }
}

/// What clients are made of besides paths and bodies.
async fn the_document_has_license_tags_and_schemes() {
    let server = Server::start().await;
    let document = document(&server, MOUNT).await;
    assert_eq!(
        document["info"]["license"]["identifier"],
        "MIT OR Apache-2.0"
    );
    assert!(document["info"]["contact"]["name"].is_string());
    let tags = column(&document["tags"], "name");
    assert_eq!(tags, ["Tokens", "Administration"]);
    let components = &document["components"];
    let ways_in = components["securitySchemes"].as_object().expect("schemes");
    assert_eq!(ways_in.len(), 3);
    assert_eq!(ways_in["session"]["name"], "JSESSIONID");
    for (method, path, operation) in operations(&document) {
        let route = format!("{method} {path}");
        let ways = json!([{"bearer": []}, {"basic": []}, {"session": []}]);
        assert_eq!(operation["security"], ways, "{route}");
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let header = match status.as_str() {
                "401" => "WWW-Authenticate",
                "503" => "Retry-After",
                success if success.starts_with('2') => "PAT-Expires-At",
                _ => continue,
            };
            assert!(response["headers"][header].is_object(), "{route} {status}");
        }
    }
    let search = &document["paths"]["/tokens/search"]["post"]["responses"]["200"];
    assert!(search["headers"]["PAT-Ignored-Fields"].is_object());
    let schemas = &components["schemas"];
    let status = &schemas["Status"]["enum"];
    assert_eq!(
        *status,
        json!(["ACTIVE", "EXPIRES_SOON", "DISABLED", "EXPIRED", "REVOKED"])
    );
    for (schema, member) in [
        ("Problem", "errorMessages"),
        ("Problem", "message"),
        ("Problem", "error"),
        ("Token", "revokedAt"),
    ] {
        let member = &schemas[schema]["properties"][member];
        assert!(member["description"].is_string(), "{schema}: {member}");
    }
    // A host that has said nothing of its own ways to sign in.
    let pats = pat_core::Pats::builder(Arc::new(pat_core::MemoryStore::default())).build();
    let api: axum::Router = pat_tower::api::Api::new(pats).router();
    let request = http::Request::get("/openapi.json").body(axum::body::Body::empty());
    let response = api.oneshot(request.expect("a request")).await;
    let body = response.expect("an answer").into_body();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a body");
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    let ways = &document["paths"]["/policy"]["get"]["security"];
    assert_eq!(*ways, json!([{"bearer": []}]));
}

/// Where `.ci/setup` puts the two.
fn linter(name: &str) -> PathBuf {
    let folder = target_folder().join("openapi-lint/node_modules/.bin");
    folder.join(name)
}

fn linters_missing() -> Option<&'static str> {
    let are_there = linter("redocly").is_file() && linter("spectral").is_file();
    (!are_there).then_some("needs redocly and spectral; run .ci/setup")
}

/// What others hold descriptions to, at their strictest.
async fn linters_find_nothing() {
    let server = Server::with(&[("pat.base.url", "https://pat.example")]).await;
    let document = document(&server, MOUNT).await;
    let folder = server.folder.path();
    std::fs::write(folder.join("openapi.json"), document.to_string()).expect("a file");
    let rules = r#"{"extends": ["spectral:oas"]}"#;
    std::fs::write(folder.join("rules.json"), rules).expect("a file");
    for (program, arguments) in [
        ("redocly", &["lint", "--extends", "recommended-strict"][..]),
        (
            "spectral",
            &["lint", "-r", "rules.json", "--fail-severity", "hint"],
        ),
    ] {
        let run = Command::new(linter(program))
            .args(arguments)
            .arg("openapi.json")
            .current_dir(folder)
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let run = run.await.expect("a linter");
        let output = [run.stdout, run.stderr].concat();
        let output = String::from_utf8_lossy(&output);
        assert!(run.status.success(), "{program}: {output}");
    }
}

/// The pages of the example server that show it.
async fn the_reference_loads_nothing_from_elsewhere() {
    let server = Server::start().await;
    let page = answer(server.get("/reference/")).await;
    assert_eq!(page.status, StatusCode::OK);
    let sources = page.body.split(['"', '\'']).filter(|text| {
        [".js", ".css", ".png"]
            .iter()
            .any(|end| text.ends_with(end))
    });
    let sources: Vec<_> = sources.collect();
    assert!(sources.len() >= 3, "{}", page.body);
    assert!(!page.body.contains("://"), "{}", page.body);
    for source in sources {
        let path = format!("/reference/{}", source.trim_start_matches("./"));
        let status = server.get(&path).send().await.expect("an answer").status();
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    let initializer = answer(server.get("/reference/swagger-initializer.js")).await;
    let document = "/rest/pat/latest/openapi.json";
    assert!(initializer.body.contains(document), "{}", initializer.body);
}

/// Every operation, by everybody who may not.
async fn no_operation_is_open_to_unauthorized_callers() {
    let server = Server::start().await;
    let document = document(&server, MOUNT).await;
    let others = server.create("bob").await;
    let mine = server.create("alice").await;
    for (method, path, operation) in operations(&document) {
        let route = format!("{method} {path}");
        let path = path.replace("{id}", &others.id.to_string());
        let request = || {
            let request = server.request(method.clone(), &format!("{MOUNT}{path}"));
            if method == Method::PATCH {
                request.json(&json!({"enabled": false}))
            } else if operation.get("requestBody").is_some() {
                request.json(&json!({}))
            } else {
                request
            }
        };
        for anonymous in [request(), request().bearer_auth("pat_x")] {
            let refused = answer(anonymous).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{route}");
        }
        let forged = request()
            .basic_auth("alice", Some("alice"))
            .header("sec-fetch-site", "cross-site");
        let forged = answer(forged).await;
        if method != Method::GET {
            assert_eq!(forged.problem(), "cross-site-request", "{route}");
        }
        let is_for_administrators = operation["tags"] == json!(["Administration"]);
        for (other, has_token) in [
            (request().basic_auth("alice", Some("alice")), false),
            (request().bearer_auth(&mine.raw), true),
        ] {
            // What ends the token at hand.
            if path.contains("/current") && method != Method::GET {
                continue;
            }
            let seen = answer(other).await;
            assert!(!seen.body.contains("bob"), "{route}: {}", seen.body);
            assert!(!seen.body.contains(&others.id.to_string()), "{route}");
            if is_for_administrators {
                assert_eq!(seen.problem(), "not-an-administrator", "{route}");
            } else if path.contains(&others.id.to_string()) {
                // A token is told so whether or not there is another.
                let is_rotation = has_token && path.ends_with("/rotate");
                let problem = if is_rotation {
                    "rotate-itself-only"
                } else {
                    "not-found"
                };
                assert_eq!(seen.problem(), problem, "{route}");
            }
        }
    }
    for token in [&others, &mine] {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    }
}

/// A fuzzer that reads the description.
async fn schemathesis_finds_nothing() {
    let limit = ("atlassian.pats.max.tokens.per.user", "1000000");
    // The clock stands still, and so the first rotation would wait for ever.
    let without_cache = ("pat.auth.max.staleness.ms", "0");
    let server = Server::with(&[limit, without_cache]).await;
    // It signs in as an administrator by Basic, which is a matter of the host.
    let mut document = document(&server, MOUNT).await;
    document["components"]["securitySchemes"] =
        json!({"basic": {"type": "http", "scheme": "basic"}});
    let paths = document["paths"].as_object_mut().expect("paths");
    for operation in paths.values_mut().filter_map(Value::as_object_mut) {
        for operation in operation.values_mut() {
            operation["security"] = json!([{"basic": []}]);
        }
    }
    let path = server.folder.path().join("openapi.json");
    std::fs::write(&path, document.to_string()).expect("a file");
    let examples = std::env::var("PAT_TEST_SCHEMATHESIS_EXAMPLES");
    let run = Command::new(python::CLIENTS.program().with_file_name("schemathesis"))
        .current_dir(server.folder.path())
        .env("PYTHONPATH", python::script("clients"))
        .env("SCHEMATHESIS_HOOKS", "openapi_hooks")
        .args([
            "--config-file",
            &python::script("clients/schemathesis.toml").to_string_lossy(),
        ])
        .args([
            "run",
            "openapi.json",
            "--checks",
            "all",
            "--auth",
            "admin:admin",
        ])
        .args(["--url", &format!("{}{MOUNT}", server.base)])
        .args(["--max-examples", examples.as_deref().unwrap_or("20")])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(Duration::from_mins(10), run).await;
    let run = run.expect("an end").expect("schemathesis");
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{output}");
    assert!(
        output.contains("Operations:       20 selected / 20 total"),
        "{output}"
    );
    let found = output.lines().filter(|line| line.contains("generated"));
    println!("schemathesis: {}", found.collect::<String>().trim());
}

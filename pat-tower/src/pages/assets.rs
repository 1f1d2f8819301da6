//! The style sheet, the script and the icon.

use std::sync::LazyLock;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("../../assets/pat.css");
const SCRIPT: &str = include_str!("../../assets/pat.js");
const ICON: &str = include_str!("../../assets/pat.svg");

/// Changes with the assets; the pages put it behind their addresses, so that they may be cached for
/// ever.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::new()
        .chain_update(STYLE)
        .chain_update(SCRIPT)
        .chain_update(ICON);
    URL_SAFE_NO_PAD.encode(&digest.finalize()[..6])
});

pub(super) fn version() -> &'static str {
    &VERSION
}

pub(super) async fn file(
    file: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let (kind, content) = match file.as_ref().map_or("", |Path(file)| file) {
        "pat.css" => ("text/css; charset=utf-8", STYLE),
        "pat.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "pat.svg" => ("image/svg+xml", ICON),
        _ => return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
    };
    let caching = if query.as_deref() == Some(VERSION.as_str()) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, caching),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}

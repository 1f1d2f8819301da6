use http::{Extensions, HeaderMap, Method, Request, Uri};

/// The head of a request, for the function of [`ScopeMap::by`](crate::scope::ScopeMap::by).
///
/// The `Authorization` header is absent if the layer removes it from the request.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    /// Returns the head of this request.
    #[must_use]
    pub fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn of_parts(parts: &'r http::request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// Returns the URI. In a service that is nested in an axum router, its path lacks the prefix.
    #[must_use]
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// Returns the extensions.
    #[must_use]
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }

    /// Returns the pattern of the axum route that the request matched; `None` without axum, and where axum has
    /// not matched a route.
    #[cfg_attr(
        not(feature = "axum"),
        expect(clippy::unused_self, reason = "only axum matches routes")
    )]
    pub(crate) fn matched_path(&self) -> Option<&'r str> {
        #[cfg(feature = "axum")]
        let matched = self.extensions.get::<axum::extract::MatchedPath>();
        #[cfg(feature = "axum")]
        let matched = matched.map(axum::extract::MatchedPath::as_str);
        #[cfg(not(feature = "axum"))]
        let matched = None;
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_what_the_request_has() {
        let request = Request::post("/reports?draft=1").header("accept", "text/csv");
        let mut request = request.body(()).expect("a request");
        request.extensions_mut().insert("an extension");
        let head = RequestHead::of(&request);
        assert_eq!(head.method(), Method::POST);
        assert_eq!(head.uri(), "/reports?draft=1");
        assert_eq!(head.headers()["accept"], "text/csv");
        assert_eq!(head.extensions().get(), Some(&"an extension"));
        assert_eq!(head.matched_path(), None);
    }
}

//! The layer's decision: a request in, what to do out. Nothing of the request is changed here.

use std::sync::Arc;

use http::Request;
use pat_core::scope::ScopeSet;
use pat_core::{AuthError, Principal, TokenDigest, TokenId};

use super::config::{Config, Mode};
use super::state::{AuthState, Refusal, Why};
use crate::client::client_of;
use crate::http::bearer::{Authorization, Presented, is_token68};
use crate::pat::Pat;
use crate::rejection::{PatRejection, RejectionKind};
use crate::scope::{MissingScopes, Need, Panicked, RequestHead};

/// What to do with a request.
#[derive(Debug)]
pub(super) struct Decision<'a> {
    pub(super) step: Step<'a>,
    /// Whether the `Authorization` header is not for the layer but for the inner service.
    pub(super) passes_header: bool,
}

#[derive(Debug)]
pub(super) enum Step<'a> {
    /// Authenticate this token, then [`Config::evaluate`] the result. If the service does not know the token,
    /// [`Config::decide_unknown`] first.
    Authenticate(&'a [u8], TokenDigest),
    Act(Action),
}

#[derive(Debug)]
pub(super) enum Action {
    /// Call the inner service for the holder of this token.
    Accept(Pat),
    /// Call the inner service without a token.
    PassOn(Why),
    /// Respond in place of the inner service. Boxed, so that the usual decision is small to move.
    Reject(Box<PatRejection>),
    /// Respond in place of the inner service: the token with this ID is valid, but its scopes do not permit the
    /// request.
    Forbid(TokenId, Box<PatRejection>),
}

impl<'a> From<Step<'a>> for Decision<'a> {
    fn from(step: Step<'a>) -> Self {
        Self {
            step,
            passes_header: false,
        }
    }
}

impl Config {
    /// Decides what to do with a request, from which the `Authorization` header was taken.
    pub(super) fn decide<'a, B>(
        &self,
        request: &Request<B>,
        authorization: &'a Authorization,
    ) -> Decision<'a> {
        match authorization.presented() {
            Presented::Bearer(token) => {
                let digest = TokenDigest::of(token);
                match self.earlier_result(request, &digest) {
                    Some(result) => Step::Act(self.evaluate(request, digest, result)).into(),
                    None => Step::Authenticate(token, digest).into(),
                }
            }
            Presented::Malformed => self.malformed().into(),
            Presented::Nothing | Presented::OtherScheme => Decision {
                step: Step::Act(self.without_token(request)),
                passes_header: true,
            },
        }
    }

    /// Decides by the format of a token with this digest that the service does not know: most tokens that are
    /// presented are known, and need no such check.
    #[cold]
    pub(super) fn decide_unknown<'a, B>(
        &self,
        request: &Request<B>,
        token: &'a [u8],
        digest: TokenDigest,
    ) -> Decision<'a> {
        let Err(error) = self.pats.check_format_of(token, || client_of(request)) else {
            return Step::Authenticate(token, digest).into();
        };
        let is_unrecognized = matches!(error, AuthError::Unrecognized);
        if is_unrecognized && !is_token68(token) {
            self.malformed().into()
        } else if is_unrecognized && self.passes_unrecognized {
            Decision {
                step: Step::Act(self.without_token(request)),
                passes_header: true,
            }
        } else {
            Step::Act(self.refuse(None, error)).into()
        }
    }

    /// Decides by the result of authenticating the token of this digest, which the request presents.
    pub(super) fn evaluate<B>(
        &self,
        request: &Request<B>,
        digest: TokenDigest,
        result: Result<Principal, AuthError>,
    ) -> Action {
        match result {
            Ok(principal) => {
                self.decide_by_scopes(request, Pat::new(principal, self.pats.instance()))
            }
            Err(error) => self.refuse(Some(digest), error),
        }
    }

    /// Decides about a request that presents no token, or whose token an earlier layer removed.
    fn without_token<B>(&self, request: &Request<B>) -> Action {
        match self.earlier(request) {
            // An outer layer has accepted it, by its own scope map.
            Some(AuthState::Accepted(pat)) => self.decide_by_scopes(request, pat.clone()),
            Some(AuthState::Unauthenticated(Why::Refused(refusal))) => {
                self.refuse(refusal.digest, refusal.error.clone())
            }
            Some(AuthState::Unauthenticated(Why::NoToken(_))) | None => match self.mode {
                Mode::Required => {
                    let challenge = self.challenges.missing.clone();
                    let rejection = PatRejection::new(RejectionKind::NotSignedIn);
                    Action::Reject(Box::new(rejection.with_challenge(challenge)))
                }
                Mode::Optional | Mode::Lenient => {
                    Action::PassOn(Why::NoToken(Arc::clone(&self.challenges)))
                }
            },
        }
    }

    /// Accepts a valid token, if it has no scopes, or they permit the request.
    fn decide_by_scopes<B>(&self, request: &Request<B>, pat: Pat) -> Action {
        let principal = pat.principal();
        if !principal.is_restricted() {
            return Action::Accept(pat);
        }
        match self.check_scopes(RequestHead::of(request), principal.permitted()) {
            Ok(()) => Action::Accept(pat),
            Err(rejection) => Action::Forbid(pat.token_id(), rejection),
        }
    }

    /// Checks that what a caller is permitted is all that a request needs.
    pub(super) fn check_scopes(
        &self,
        head: RequestHead<'_>,
        permitted: ScopeSet,
    ) -> Result<(), Box<PatRejection>> {
        let missing = match self.scopes.need(head) {
            Ok(Need::Nothing) => return Ok(()),
            Ok(Need::Scopes(needed)) if permitted.contains(needed) => return Ok(()),
            Ok(Need::Scopes(needed)) => {
                MissingScopes::new(self.pats.scope_catalog(), needed, permitted)
            }
            Ok(Need::Undeclared) => None,
            Err(Panicked) => {
                let rejection = PatRejection::new(RejectionKind::ScopeMapPanicked);
                return Err(Box::new(rejection));
            }
        };
        let rejection = PatRejection::insufficient_scope(&self.challenges, missing);
        Err(Box::new(rejection))
    }

    fn refuse(&self, digest: Option<TokenDigest>, error: AuthError) -> Action {
        let rejection = if let AuthError::Unavailable(_) = error {
            PatRejection::new(RejectionKind::Unavailable)
        } else if self.mode == Mode::Lenient {
            let challenges = Arc::clone(&self.challenges);
            return Action::PassOn(Why::Refused(Arc::new(Refusal {
                challenges,
                digest,
                error,
            })));
        } else {
            PatRejection::new(RejectionKind::InvalidToken)
                .with_challenge(self.challenges.invalid_token.clone())
        };
        Action::Reject(Box::new(rejection.with_reason(error)))
    }

    fn malformed(&self) -> Step<'static> {
        let challenge = self.challenges.invalid_request.clone();
        let rejection = PatRejection::new(RejectionKind::InvalidAuthorization);
        Step::Act(Action::Reject(Box::new(
            rejection.with_challenge(challenge),
        )))
    }

    fn earlier<'r, B>(&self, request: &'r Request<B>) -> Option<AuthState<'r>> {
        AuthState::of(request.extensions(), self.pats.instance())
    }

    fn earlier_result<B>(
        &self,
        request: &Request<B>,
        digest: &TokenDigest,
    ) -> Option<Result<Principal, AuthError>> {
        self.earlier(request)?.result_for(digest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use http::header::AUTHORIZATION;
    use pat_core::scope::{ScopeCatalog, Scopes};
    use pat_core::store::{Insertion, NewToken, TokenStore as _};
    use pat_core::{Caller, MemoryStore, Owner, Pats, TokenRequest};

    use super::*;
    use crate::auth::state::Unauthenticated;
    use crate::http::challenge::Challenges;
    use crate::scope::{RequiredScopes, ResolvedMap, ScopeMap};

    fn config(pats: &Pats, mode: Mode) -> Config {
        Config {
            pats: pats.clone(),
            mode,
            challenges: Arc::new(Challenges::new("PAT")),
            passes_unrecognized: false,
            keeps_header: false,
            sessions: None,
            renderer: None,
            scopes: Arc::default(),
        }
    }

    fn pats() -> Pats {
        Pats::builder(Arc::new(MemoryStore::default())).build()
    }

    async fn token(pats: &Pats) -> String {
        let alice = Caller::header_authenticated(Owner::new("alice").expect("an owner"));
        let request = TokenRequest::new("ci", Some(90));
        let created = pats.create(&alice, request).await.expect("a token");
        created.plain.expose().to_owned()
    }

    fn request(authorization: &[&str]) -> Request<()> {
        let request = Request::builder();
        let request = authorization.iter().fold(request, |request, value| {
            request.header(AUTHORIZATION, *value)
        });
        request.body(()).expect("a request")
    }

    /// The decision in a word about a request whose token is not known, and whether the inner service gets the
    /// header.
    fn told(config: &Config, request: Request<()>) -> (&'static str, bool) {
        let mut request = request;
        let authorization = Authorization::take(request.headers_mut());
        let mut decision = config.decide(&request, &authorization);
        if let Step::Authenticate(token, digest) = decision.step {
            decision = config.decide_unknown(&request, token, digest);
        }
        let step = match &decision.step {
            Step::Authenticate(..) => "authenticate",
            Step::Act(action) => told_action(action),
        };
        (step, decision.passes_header)
    }

    fn told_action(action: &Action) -> &'static str {
        match action {
            Action::Accept(_) => "accept",
            Action::PassOn(Why::NoToken(_)) => "pass on",
            Action::PassOn(Why::Refused(_)) => "pass on refused",
            Action::Reject(rejection) | Action::Forbid(_, rejection) => match rejection.kind() {
                RejectionKind::NotSignedIn => "not signed in",
                RejectionKind::InvalidToken => "invalid token",
                RejectionKind::InvalidAuthorization => "invalid authorization",
                RejectionKind::Unavailable => "unavailable",
                RejectionKind::SessionsNotFound | RejectionKind::MissingLayer => "misconfigured",
                RejectionKind::NotAdministrator => "not an administrator",
                RejectionKind::InsufficientScope if rejection.missing_scopes().next().is_none() => {
                    "undeclared"
                }
                RejectionKind::InsufficientScope => "insufficient scope",
                RejectionKind::ScopeMapPanicked => "panicked",
            },
        }
    }

    #[tokio::test]
    async fn each_mode_decides_by_what_is_presented() {
        let pats = pats();
        let good = format!("Bearer {}", token(&pats).await);
        let modes = [Mode::Required, Mode::Optional, Mode::Lenient];
        for (authorization, expected, passes_header) in [
            (&[][..], ["not signed in", "pass on", "pass on"], true),
            (
                &["Basic YTpi"],
                ["not signed in", "pass on", "pass on"],
                true,
            ),
            (&[good.as_str()], ["authenticate"; 3], false),
            (
                &["Bearer pat_x"],
                ["invalid token", "invalid token", "pass on refused"],
                false,
            ),
            (&["Bearer a b"], ["invalid authorization"; 3], false),
            (&["Bearer"], ["invalid authorization"; 3], false),
            (&[&good, &good], ["invalid authorization"; 3], false),
        ] {
            for (mode, expected) in modes.into_iter().zip(expected) {
                assert_eq!(
                    told(&config(&pats, mode), request(authorization)),
                    (expected, passes_header),
                    "{mode:?} {authorization:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn unrecognized_values_are_passed_if_that_is_set() {
        let pats = pats();
        let good = format!("Bearer {}", token(&pats).await);
        let config = |passes_unrecognized| Config {
            passes_unrecognized,
            ..config(&pats, Mode::Optional)
        };
        for (passes, value, expected) in [
            (true, "Bearer a.b.c", ("pass on", true)),
            (true, "Bearer a b", ("invalid authorization", false)),
            (true, &good, ("authenticate", false)),
            (false, "Bearer a.b.c", ("invalid token", false)),
        ] {
            let told = told(&config(passes), request(&[value]));
            assert_eq!(told, expected, "{passes} {value}");
        }
    }

    #[tokio::test]
    async fn a_second_layer_of_the_same_service_does_not_decide_again() {
        let pats = pats();
        let plain = token(&pats).await;
        let principal = pats
            .authenticate(plain.as_bytes())
            .await
            .expect("a good token");
        let required = config(&pats, Mode::Required);
        let with_token = || request(&[&format!("Bearer {plain}")]);
        for (service, bare, presented) in [
            (pats.instance(), "accept", "accept"),
            (pats.instance() + 1, "not signed in", "authenticate"),
        ] {
            for (mut request, expected) in [(request(&[]), bare), (with_token(), presented)] {
                let pat = Pat::new(principal.clone(), service);
                request.extensions_mut().insert(pat);
                assert_eq!(told(&required, request).0, expected, "{service}");
            }
        }
    }

    #[test]
    fn a_result_of_the_database_decides() {
        let pats = pats();
        let digest = TokenDigest::of(b"x");
        let unavailable = || AuthError::Unavailable(pat_core::Unavailable::TooManyUnknown);
        for (mode, error, expected) in [
            (Mode::Required, AuthError::Unknown, "invalid token"),
            (Mode::Optional, AuthError::Unknown, "invalid token"),
            (Mode::Lenient, AuthError::Unknown, "pass on refused"),
            (Mode::Lenient, unavailable(), "unavailable"),
            (Mode::Required, unavailable(), "unavailable"),
        ] {
            let action = config(&pats, mode).evaluate(&request(&[]), digest, Err(error));
            assert_eq!(told_action(&action), expected, "{mode:?}");
        }
    }

    #[test]
    fn a_token_that_an_outer_layer_refused_is_refused_further_in() {
        let pats = pats();
        let lenient = config(&pats, Mode::Lenient);
        let (token, digest) = (b"pat_x", TokenDigest::of(b"pat_x"));
        let Step::Act(Action::PassOn(why)) =
            lenient.decide_unknown(&request(&[]), token, digest).step
        else {
            panic!("it is passed on");
        };
        let mut inner = request(&[]);
        let service = pats.instance();
        inner
            .extensions_mut()
            .insert(Unauthenticated { service, why });
        let optional = config(&pats, Mode::Optional);
        assert_eq!(told(&optional, inner), ("invalid token", true));
    }
    /// A service with the scopes `read` and `write`, which implies `read`.
    fn pats_with_scopes(store: &Arc<MemoryStore>) -> Pats {
        let scopes = ScopeCatalog::builder()
            .scope("read", "Read")
            .scope("write", "Write")
            .implies("write", "read");
        let scopes = scopes.build().expect("a catalog");
        Pats::builder(store.clone()).scopes(scopes).build()
    }

    /// The holder of a new token with these scopes.
    async fn restricted(pats: &Pats, store: &MemoryStore, scopes: Option<&[&str]>) -> Principal {
        static NUMBER: AtomicI64 = AtomicI64::new(1);
        let id = TokenId::new(NUMBER.fetch_add(1, Ordering::Relaxed)).expect("an ID");
        let format = pats.settings().issued_format().format();
        let plain = format.generate().expect("randomness");
        let owner = Owner::new("alice").expect("an owner");
        let mut token = NewToken::new(id, plain.digest(), owner, "ci", pats.now());
        token.scopes = scopes.map(|names| Scopes::new(names).expect("scopes"));
        let stored = store.insert(&token, u32::MAX).await;
        assert!(matches!(stored, Ok(Insertion::Stored(_))));
        let presented = plain.expose().as_bytes();
        pats.authenticate(presented).await.expect("a good token")
    }

    fn with_map(pats: &Pats, mode: Mode, map: ScopeMap) -> Config {
        let scopes = ResolvedMap::new(map, pats.scope_catalog()).expect("declared scopes");
        Config {
            scopes: Arc::new(scopes),
            ..config(pats, mode)
        }
    }

    fn ask(config: &Config, principal: &Principal, method: &str) -> &'static str {
        let request = Request::builder().method(method).body(());
        let request = request.expect("a request");
        let digest = TokenDigest::of(b"x");
        told_action(&config.evaluate(&request, digest, Ok(principal.clone())))
    }

    #[tokio::test]
    async fn scopes_decide_in_every_mode_by_the_map() {
        let store = Arc::<MemoryStore>::default();
        let pats = pats_with_scopes(&store);
        let read = pats.scope_catalog().set(["read"]).expect("declared");
        let maps: [fn(ScopeSet) -> Option<ScopeMap>; 7] = [
            |_| None,
            |_| Some(ScopeMap::by_method("read", "write")),
            |_| {
                Some(ScopeMap::by_method(
                    RequiredScopes::none(),
                    ["read", "write"],
                ))
            },
            |read| Some(ScopeMap::by(move |_| Need::Scopes(read))),
            |_| Some(ScopeMap::by(|_| Need::Scopes(ScopeSet::default()))),
            |_| {
                let other = ScopeMap::by_method("write", "write");
                Some(ScopeMap::by(|_| Need::Undeclared).or(other))
            },
            |_| Some(ScopeMap::by(|_| panic!("a bug of the host"))),
        ];
        let (ok, lacks, undeclared) = ("accept", "insufficient scope", "undeclared");
        for (scopes, by_get, by_post) in [
            (
                Some(&["read"][..]),
                [undeclared, ok, ok, ok, undeclared, lacks, "panicked"],
                [undeclared, lacks, lacks, ok, undeclared, lacks, "panicked"],
            ),
            (
                Some(&["write"]),
                [undeclared, ok, ok, ok, undeclared, ok, "panicked"],
                [undeclared, ok, ok, ok, undeclared, ok, "panicked"],
            ),
            // Not declared any more.
            (
                Some(&["old"]),
                [undeclared, lacks, ok, lacks, undeclared, lacks, "panicked"],
                [
                    undeclared, lacks, lacks, lacks, undeclared, lacks, "panicked",
                ],
            ),
            (
                Some(&[]),
                [undeclared, lacks, ok, lacks, undeclared, lacks, "panicked"],
                [
                    undeclared, lacks, lacks, lacks, undeclared, lacks, "panicked",
                ],
            ),
            (None, [ok; 7], [ok; 7]),
        ] {
            let principal = restricted(&pats, &store, scopes).await;
            for mode in [Mode::Required, Mode::Optional, Mode::Lenient] {
                for (index, map) in maps.iter().enumerate() {
                    let config = match map(read) {
                        Some(map) => with_map(&pats, mode, map),
                        None => config(&pats, mode),
                    };
                    for (method, expected) in [("GET", by_get), ("POST", by_post)] {
                        let told = ask(&config, &principal, method);
                        assert_eq!(
                            told, expected[index],
                            "{scopes:?} {mode:?} {index} {method}"
                        );
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn a_set_of_another_catalog_permits_nothing() {
        let store = Arc::<MemoryStore>::default();
        let pats = pats_with_scopes(&store);
        let larger = (0..20).fold(ScopeCatalog::builder(), |catalog, number| {
            catalog.scope(format!("s{number}"), "Something")
        });
        let larger = larger.build().expect("a catalog");
        let strange = larger.set(["s19"]).expect("declared");
        let map = ScopeMap::by(move |_| Need::Scopes(strange));
        let config = with_map(&pats, Mode::Required, map);
        let all = ["read", "write", "tokens:write", "tokens:admin"];
        let principal = restricted(&pats, &store, Some(&all)).await;
        let action = config.evaluate(&request(&[]), TokenDigest::of(b"x"), Ok(principal));
        let Action::Forbid(_, rejection) = action else {
            panic!("{action:?}");
        };
        // It has no name that the token could lack.
        let challenge = rejection.challenge().expect("a challenge");
        assert_eq!(*challenge, config.challenges.insufficient_scope);
    }

    #[tokio::test]
    async fn an_inner_layer_asks_its_own_map() {
        let store = Arc::<MemoryStore>::default();
        let pats = pats_with_scopes(&store);
        let principal = restricted(&pats, &store, Some(&["read"])).await;
        for (map, expected) in [
            (None, "undeclared"),
            (
                Some(ScopeMap::by_method("write", "write")),
                "insufficient scope",
            ),
            (Some(ScopeMap::by_method("read", "write")), "accept"),
        ] {
            let config = match map {
                Some(map) => with_map(&pats, Mode::Required, map),
                None => config(&pats, Mode::Required),
            };
            let mut request = request(&[]);
            let pat = Pat::new(principal.clone(), pats.instance());
            request.extensions_mut().insert(pat);
            assert_eq!(told(&config, request).0, expected);
        }
    }

    #[test]
    fn an_undeclared_name_is_an_error_of_the_map() {
        let pats = pats_with_scopes(&Arc::default());
        for map in [
            ScopeMap::by_method("read", "wirte"),
            ScopeMap::by_method("wirte", "write"),
            ScopeMap::by(|_| Need::Nothing).or(ScopeMap::by_method("read", ["write", "wirte"])),
        ] {
            let error = ResolvedMap::new(map, pats.scope_catalog()).expect_err("an error");
            assert_eq!(error.name, "wirte");
        }
    }
}

//! The layer's decision: a request in, what to do out. Nothing of the request is changed here.

use std::sync::Arc;

use http::Request;
use pat_core::scope::ScopeSet;
use pat_core::{AuthError, Principal, TokenDigest, TokenId};

use super::config::{Config, Mode};
use super::state::{AuthState, Refusal, Why};
use crate::client::client_of;
use crate::http::bearer::{self, Presented};
use crate::pat::Pat;
use crate::rejection::{PatRejection, RejectionKind};
use crate::scope::{MissingScopes, Need, Panicked, RequestHead};

/// What to do with a request.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) step: Step,
    pub(super) header: Header,
}

#[derive(Debug)]
pub(super) enum Step {
    /// Authenticate the token of this digest, then [`Config::evaluate`] the result.
    Authenticate(TokenDigest),
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

/// What becomes of the `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// There is none.
    Absent,
    /// The inner service gets it.
    Kept,
    /// The inner service does not get it.
    Removed,
}

impl Config {
    /// Decides what to do with a request.
    pub(super) fn decide<B>(&self, request: &Request<B>) -> Decision {
        match bearer::presented(request.headers()) {
            Presented::Bearer(token) => self.decide_by_token(request, token),
            Presented::Malformed => self.malformed(),
            Presented::Nothing => Decision {
                step: Step::Act(self.without_token(request)),
                header: Header::Absent,
            },
            Presented::OtherScheme => Decision {
                step: Step::Act(self.without_token(request)),
                header: Header::Kept,
            },
        }
    }

    fn decide_by_token<B>(&self, request: &Request<B>, token: &[u8]) -> Decision {
        let parsed = self.pats.parse_of(token, || client_of(request));
        let is_unrecognized = matches!(parsed, Err(AuthError::Unrecognized));
        if is_unrecognized && !bearer::is_token68(token) {
            return self.malformed();
        }
        let is_passed = self.passes_unrecognized && is_unrecognized;
        let step = match parsed {
            Ok(digest) => match self.earlier_result(request, &digest) {
                Some(result) => Step::Act(self.evaluate(request, digest, result)),
                None => Step::Authenticate(digest),
            },
            Err(_) if is_passed => Step::Act(self.without_token(request)),
            Err(error) => Step::Act(self.refuse(None, error)),
        };
        let header = if is_passed || self.keeps_header {
            Header::Kept
        } else {
            Header::Removed
        };
        Decision { step, header }
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

    fn malformed(&self) -> Decision {
        let challenge = self.challenges.invalid_request.clone();
        let rejection = PatRejection::new(RejectionKind::InvalidAuthorization);
        Decision {
            step: Step::Act(Action::Reject(Box::new(
                rejection.with_challenge(challenge),
            ))),
            header: Header::Removed,
        }
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

    /// The decision in a word, and what becomes of the header.
    fn told(decision: &Decision) -> (&'static str, Header) {
        let step = match &decision.step {
            Step::Authenticate(_) => "authenticate",
            Step::Act(action) => told_action(action),
        };
        (step, decision.header)
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
        for (authorization, expected, header) in [
            (
                &[][..],
                ["not signed in", "pass on", "pass on"],
                Header::Absent,
            ),
            (
                &["Basic YTpi"],
                ["not signed in", "pass on", "pass on"],
                Header::Kept,
            ),
            (&[good.as_str()], ["authenticate"; 3], Header::Removed),
            (
                &["Bearer pat_x"],
                ["invalid token", "invalid token", "pass on refused"],
                Header::Removed,
            ),
            (
                &["Bearer a b"],
                ["invalid authorization"; 3],
                Header::Removed,
            ),
            (&["Bearer"], ["invalid authorization"; 3], Header::Removed),
            (
                &[&good, &good],
                ["invalid authorization"; 3],
                Header::Removed,
            ),
        ] {
            for (mode, expected) in modes.into_iter().zip(expected) {
                let decision = config(&pats, mode).decide(&request(authorization));
                assert_eq!(
                    told(&decision),
                    (expected, header),
                    "{mode:?} {authorization:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn options_keep_the_header_or_pass_unrecognized_values() {
        let pats = pats();
        let good = format!("Bearer {}", token(&pats).await);
        let config = |passes_unrecognized, keeps_header| Config {
            passes_unrecognized,
            keeps_header,
            ..config(&pats, Mode::Optional)
        };
        for (passes, keeps, value, expected) in [
            (true, false, "Bearer a.b.c", ("pass on", Header::Kept)),
            (
                true,
                false,
                "Bearer a b",
                ("invalid authorization", Header::Removed),
            ),
            (true, false, &good, ("authenticate", Header::Removed)),
            (false, true, &good, ("authenticate", Header::Kept)),
            (false, true, "Bearer a.b.c", ("invalid token", Header::Kept)),
        ] {
            let decision = config(passes, keeps).decide(&request(&[value]));
            assert_eq!(told(&decision), expected, "{passes} {keeps} {value}");
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
                assert_eq!(told(&required.decide(&request)).0, expected, "{service}");
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
        let Step::Act(Action::PassOn(why)) = lenient.decide(&request(&["Bearer pat_x"])).step
        else {
            panic!("it is passed on");
        };
        let mut inner = request(&[]);
        let service = pats.instance();
        inner
            .extensions_mut()
            .insert(Unauthenticated { service, why });
        let decision = config(&pats, Mode::Optional).decide(&inner);
        assert_eq!(told(&decision), ("invalid token", Header::Absent));
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
            assert_eq!(told(&config.decide(&request)).0, expected);
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

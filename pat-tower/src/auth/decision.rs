//! The layer's decision: a request in, what to do out. Nothing of the request is changed here.

use std::sync::Arc;

use http::Request;
use pat_core::{AuthError, Principal, TokenDigest};

use super::config::{Config, Mode};
use super::state::{AuthState, Refusal, Why};
use crate::http::bearer::{self, Presented};
use crate::pat::Pat;
use crate::rejection::{PatRejection, RejectionKind};

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
        let parsed = self.pats.parse(token);
        let is_unrecognized = matches!(parsed, Err(AuthError::Unrecognized));
        if is_unrecognized && !bearer::is_token68(token) {
            return self.malformed();
        }
        let is_passed = self.passes_unrecognized && is_unrecognized;
        let step = match parsed {
            Ok(digest) => match self.earlier_result(request, &digest) {
                Some(result) => Step::Act(self.evaluate(digest, result)),
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

    /// Decides by the result of authenticating the token of this digest.
    pub(super) fn evaluate(
        &self,
        digest: TokenDigest,
        result: Result<Principal, AuthError>,
    ) -> Action {
        match result {
            Ok(principal) => Action::Accept(Pat::new(principal, self.pats.instance())),
            Err(error) => self.refuse(Some(digest), error),
        }
    }

    /// Decides about a request that presents no token, or whose token an earlier layer removed.
    fn without_token<B>(&self, request: &Request<B>) -> Action {
        match self.earlier(request) {
            Some(AuthState::Accepted(pat)) => Action::Accept(pat.clone()),
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
    use http::header::AUTHORIZATION;
    use pat_core::{Caller, MemoryStore, Owner, Pats, TokenRequest};

    use super::*;
    use crate::auth::state::Unauthenticated;
    use crate::http::challenge::Challenges;

    fn config(pats: &Pats, mode: Mode) -> Config {
        Config {
            pats: pats.clone(),
            mode,
            challenges: Arc::new(Challenges::new("PAT")),
            passes_unrecognized: false,
            keeps_header: false,
            sessions: None,
            renderer: None,
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
            Action::Reject(rejection) => match rejection.kind() {
                RejectionKind::NotSignedIn => "not signed in",
                RejectionKind::InvalidToken => "invalid token",
                RejectionKind::InvalidAuthorization => "invalid authorization",
                RejectionKind::Unavailable => "unavailable",
                RejectionKind::SessionsNotFound | RejectionKind::MissingLayer => "misconfigured",
                RejectionKind::NotAdministrator => "not an administrator",
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
            let action = config(&pats, mode).evaluate(digest, Err(error));
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
}

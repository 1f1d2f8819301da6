use std::sync::Arc;

use http::Extensions;
use pat_core::BoxError;

use super::{Destroy, SessionInvalidator};

/// The versions of tower-sessions differ in nothing that an adapter uses, but each has types of its own.
macro_rules! adapter {
    ($(#[$attribute:meta])* $adapter:ident, $tower_sessions:ident, $version:ident, not $other:ident) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $adapter;

        impl SessionInvalidator for $adapter {
            fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
                use $tower_sessions::Session;

                let Some(slot) = extensions.get_mut::<Session>() else {
                    return Err(no_session(&$version, &$other, extensions).into());
                };
                let throw_away = Session::new(None, Arc::new(Nowhere), None);
                let session = std::mem::replace(slot, throw_away);
                if session.id().is_none() {
                    return Ok(None);
                }
                Ok(Some(Box::pin(async move {
                    // A failed deletion leaves the session unmodified, and so without a new cookie.
                    session.delete().await?;
                    // Makes the session empty, which lets the session layer remove the cookie.
                    session.flush().await?;
                    Ok(())
                })))
            }
        }

        const _: () = {
            use $tower_sessions::SessionStore;
            use $tower_sessions::session::{Id, Record};
            use $tower_sessions::session_store::Result;

            #[async_trait::async_trait]
            impl SessionStore for Nowhere {
                async fn create(&self, _: &mut Record) -> Result<()> {
                    Ok(())
                }

                async fn save(&self, _: &Record) -> Result<()> {
                    Ok(())
                }

                async fn load(&self, _: &Id) -> Result<Option<Record>> {
                    Ok(None)
                }

                async fn delete(&self, _: &Id) -> Result<()> {
                    Ok(())
                }
            }
        };
    };
}

/// A store that keeps nothing.
#[derive(Debug)]
struct Nowhere;

#[cfg(feature = "tower-sessions")]
adapter!(
    /// The [`SessionInvalidator`] for tower-sessions 0.15. For version 0.14, which some session stores use,
    /// there is `TowerSessions014` (feature `tower-sessions-014`), and for axum-login 0.18 `AxumLogin` (feature
    /// `axum-login`).
    ///
    /// The host's `SessionManagerLayer` must be outside of the [`PatLayer`](crate::PatLayer), because it
    /// inserts the session into the request and writes the cookies. If it is inside, missing, or of another
    /// version, the `PatLayer` rejects every request with a valid token, with 500, and the log names the
    /// version that the request has.
    TowerSessions,
    tower_sessions,
    V15,
    not V14
);

#[cfg(feature = "tower-sessions-014")]
adapter!(
    /// The [`SessionInvalidator`] for tower-sessions 0.14. For version 0.15 there is `TowerSessions` (feature
    /// `tower-sessions`).
    ///
    /// The host's `SessionManagerLayer` must be outside of the [`PatLayer`](crate::PatLayer), because it
    /// inserts the session into the request and writes the cookies. If it is inside, missing, or of another
    /// version, the `PatLayer` rejects every request with a valid token, with 500, and the log names the
    /// version that the request has.
    ///
    /// A host with axum-login 0.18 takes `AxumLogin` (feature `axum-login`): this adapter would leave the user
    /// of the session in axum-login's `AuthSession`, beside the owner of the token.
    TowerSessions014,
    tower_sessions_014,
    V14,
    not V15
);

/// A version of tower-sessions.
struct Version {
    number: &'static str,
    adapter: &'static str,
    feature: &'static str,
}

const V15: Version = Version {
    number: "0.15",
    adapter: "TowerSessions",
    feature: "tower-sessions",
};
const V14: Version = Version {
    number: "0.14",
    adapter: "TowerSessions014",
    feature: "tower-sessions-014",
};

/// Returns the error for a request that has no session of the version `expected`.
fn no_session(expected: &Version, other: &Version, extensions: &Extensions) -> String {
    let version = expected.number;
    let Version {
        number,
        adapter,
        feature,
    } = other;
    if has_session(extensions) {
        return format!(
            "the request has a session of tower-sessions {number}, not {version}: use `{adapter}`"
        );
    }
    format!(
        "the request has no session of tower-sessions {version}: its SessionManagerLayer must be outside of \
         the PatLayer, and of that version; for version {number} there is `{adapter}` (feature `{feature}`)"
    )
}

/// Returns whether the request has a session of any version that is known here.
fn has_session(extensions: &Extensions) -> bool {
    #[cfg(feature = "tower-sessions")]
    if extensions.get::<tower_sessions::Session>().is_some() {
        return true;
    }
    #[cfg(feature = "tower-sessions-014")]
    if extensions.get::<tower_sessions_014::Session>().is_some() {
        return true;
    }
    false
}

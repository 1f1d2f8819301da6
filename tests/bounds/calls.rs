//! Every call of the API, with what it asks.

use std::time::Duration;

use pat_core::search::{Filter, Search, Sort, SortKey, Start};
use pat_core::store::Job;
use pat_core::store::StoreError;
use pat_core::{
    AccessError, AdminError, AuthError, CreateError, Replaced, RotateError, RotationRequest,
    TokenRequest, Unavailable, UpdateError,
};

use super::{Answer, World};

pub(super) fn request(lifetime_days: Option<i64>) -> TokenRequest {
    TokenRequest::new("ci", lifetime_days)
}

/// That nobody could say in time. Any other failure is none that waiting makes.
#[derive(Debug)]
pub(super) struct Failure;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        assert!(matches!(error, StoreError::Timeout), "{error:?}");
        Self
    }
}

impl From<Unavailable> for Failure {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::Store(error) => error.into(),
            Unavailable::Directory(_) => Self,
            error => panic!("{error:?}"),
        }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

impl From<RotateError> for Failure {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::Unavailable(error) => error.into(),
            error => panic!("{error:?}"),
        }
    }
}

/// A call of the API.
pub(super) struct Call {
    pub(super) name: &'static str,
    /// How long it takes at most, whatever does not answer.
    pub(super) bound: Duration,
    pub(super) asks: Asks,
    pub(super) make: for<'a> fn(&'a World) -> Answer<'a>,
}

/// Whom a call needs: if he never answers, it must end with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Store,
    Directory,
    Both,
}

/// Makes the entry of a call, in seconds.
pub(super) const fn call(
    name: &'static str,
    seconds: u64,
    asks: Asks,
    make: for<'a> fn(&'a World) -> Answer<'a>,
) -> Call {
    Call {
        name,
        bound: Duration::from_secs(seconds),
        asks,
        make,
    }
}

/// With the default of one second for a look-up, which makes five for what is not authentication, and
/// with two seconds and a fifth for a revocation to be known everywhere.
pub(super) const CALLS: &[Call] = &[
    call("Pats::authenticate", 1, Asks::Both, |w| {
        Box::pin(async {
            w.pats
                .authenticate(w.token.plain.expose().as_bytes())
                .await?;
            Ok(())
        })
    }),
    call("Pats::authenticate_digest", 1, Asks::Both, |w| {
        Box::pin(async {
            w.pats.authenticate_digest(w.token.plain.digest()).await?;
            Ok(())
        })
    }),
    call("Pats::until_invalid", 3, Asks::Both, |w| {
        Box::pin(async {
            let ended = w.pats.until_invalid(&w.principal);
            match tokio::time::timeout(Duration::from_secs(2), ended).await {
                Ok(error) => Err(error.into()),
                // The token is good, and no more was asked.
                Err(_elapsed) => Ok(()),
            }
        })
    }),
    call("Pats::create", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.create(&w.caller, request(None)).await?;
            Ok(())
        })
    }),
    call("Pats::import", 35, Asks::Store, |w| {
        Box::pin(async {
            let owner = w.caller.owner().clone();
            let digest = pat_core::TokenDigest::of(b"imported");
            let row = pat_core::ImportRow::new(digest, owner, "ci", w.pats.now());
            let imported = w.pats.import(vec![row]).await?;
            assert_eq!(imported.refused, []);
            Ok(())
        })
    }),
    call("Pats::list", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.list(&w.caller).await?;
            Ok(())
        })
    }),
    call("Pats::search_own", 10, Asks::Store, |w| {
        Box::pin(async {
            let mut search = pat_core::OwnSearch::new(0, 10);
            search.revoked = pat_core::search::RevokedTokens::Included;
            w.pats.search_own(&w.caller, &search).await?;
            Ok(())
        })
    }),
    call("Pats::find", 10, Asks::Store, |w| {
        Box::pin(async {
            w.pats.find(&w.caller, w.token.token.id).await?;
            Ok(())
        })
    }),
    call("Pats::is_administrator", 5, Asks::Directory, |w| {
        Box::pin(async {
            w.pats.is_administrator(&w.caller).await?;
            Ok(())
        })
    }),
    call("Pats::scope_choices", 5, Asks::Directory, |w| {
        Box::pin(async {
            w.pats.scope_choices(&w.caller).await?;
            Ok(())
        })
    }),
    call("Pats::owner_of", 5, Asks::Directory, |w| {
        Box::pin(async {
            w.pats.owner_of(&w.token.token).await?;
            Ok(())
        })
    }),
    call("Pats::administration", 5, Asks::Directory, |w| {
        Box::pin(async {
            match w.pats.administration(&w.caller).await {
                Ok(_) | Err(AdminError::NotAdministrator) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }),
    call("Pats::revoke", 13, Asks::Store, |w| {
        Box::pin(async {
            w.pats.revoke(&w.caller, w.token.token.id).await?;
            Ok(())
        })
    }),
    call("Pats::revoke_with", 13, Asks::Store, |w| {
        Box::pin(async {
            let (id, family) = (w.token.token.id, pat_core::Family::Included);
            w.pats.revoke_with(&w.caller, id, family).await?;
            Ok(())
        })
    }),
    call("Pats::rotate", 18, Asks::Store, |w| {
        Box::pin(async {
            let (id, request) = (w.token.token.id, RotationRequest::default());
            w.pats.rotate(&w.caller, id, request).await?;
            Ok(())
        })
    }),
    call("Pats::latest_successor", 5, Asks::Store, |w| {
        Box::pin(async {
            let mut token = w.token.token.clone();
            token.replaced = Some(Replaced::new(token.created_at, None));
            w.pats.latest_successor(&token).await?;
            Ok(())
        })
    }),
    call("Pats::update", 13, Asks::Store, |w| {
        Box::pin(async {
            let mut update = pat_core::TokenUpdate::default();
            update.is_enabled = Some(false);
            update.description = Some("a description".into());
            w.pats.update(&w.caller, w.token.token.id, update).await?;
            Ok(())
        })
    }),
    call("Pats::disable", 13, Asks::Store, |w| {
        Box::pin(async {
            w.pats.disable(&w.caller, w.token.token.id).await?;
            Ok(())
        })
    }),
    call("Pats::enable", 10, Asks::Store, |w| {
        Box::pin(async {
            w.pats.enable(&w.caller, w.token.token.id).await?;
            Ok(())
        })
    }),
    call("Pats::rename", 10, Asks::Store, |w| {
        Box::pin(async {
            let id = w.token.token.id;
            w.pats.rename(&w.caller, id, "another name").await?;
            Ok(())
        })
    }),
    call("Pats::user_changed", 8, Asks::Store, |w| {
        Box::pin(async {
            w.pats.user_changed(w.caller.owner()).await?;
            Ok(())
        })
    }),
    call("Pats::user_seen", 8, Asks::Store, |w| {
        Box::pin(async {
            w.pats.user_seen(w.caller.owner()).await?;
            Ok(())
        })
    }),
    call("Pats::user_deleted", 8, Asks::Store, |w| {
        Box::pin(async {
            w.pats.user_deleted(w.caller.owner()).await?;
            Ok(())
        })
    }),
    call("Pats::ready", 1, Asks::Store, |w| {
        Box::pin(async {
            w.pats.ready().await?;
            Ok(())
        })
    }),
    call("Pats::health", 2, Asks::Store, |w| {
        Box::pin(async {
            let health = w.pats.health().await;
            health.is_ready().then_some(()).ok_or(Failure)
        })
    }),
    call("Pats::outbox", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.outbox().await?;
            Ok(())
        })
    }),
    call("Pats::dead_notifications", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.dead_notifications(10).await?;
            Ok(())
        })
    }),
    call("Pats::requeue_notification", 5, Asks::Store, |w| {
        Box::pin(async {
            let id = pat_core::notification::NotificationId::new(1).expect("small numbers are ids");
            w.pats.requeue_notification(id).await?;
            Ok(())
        })
    }),
    call("Pats::requeue_all_notifications", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.requeue_all_notifications().await?;
            Ok(())
        })
    }),
    call("Pats::find_even_revoked", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats
                .find_even_revoked(&w.caller, w.token.token.id)
                .await?;
            Ok(())
        })
    }),
    call("Pats::history", 35, Asks::Store, |w| {
        Box::pin(async {
            let id = w.token.token.id;
            w.pats.history(&w.caller, id, None, 10).await?;
            Ok(())
        })
    }),
    call("Pats::relatives", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.relatives(&w.token.token).await?;
            Ok(())
        })
    }),
    call("Pats::flush_last_use", 30, Asks::Store, |w| {
        Box::pin(async {
            w.pats.flush_last_use().await?;
            Ok(())
        })
    }),
    call("Pats::poll_changes", 5, Asks::Store, |w| {
        Box::pin(async {
            w.pats.poll_changes().await?;
            Ok(())
        })
    }),
    call("Pats::accept_clock", 30, Asks::Store, |w| {
        Box::pin(async {
            w.pats.accept_clock().await?;
            Ok(())
        })
    }),
    // It looks up, revokes, tells the other nodes and raises the numbers of events.
    call("Pats::after_restore", 90, Asks::Store, |w| {
        Box::pin(async {
            let kind = pat_core::event::EventKind::Pruned {
                tokens: vec![pat_core::store::PrunedToken::new(
                    w.token.token.id,
                    w.token.token.owner.clone(),
                )],
            };
            let mut event = pat_core::event::Event::new(w.pats.now(), kind);
            event.row = Some(pat_core::event::EventRow::new(1, 1_000));
            w.pats.after_restore([event]).await?;
            Ok(())
        })
    }),
    // Each step of a job has thirty seconds, half the time of its lease.
    call("Pats::run_if_due", 300, Asks::Store, |w| {
        Box::pin(async {
            let checked = w.run(Job::ExpiryCheck).await;
            let fed = w.run(Job::EventFeed).await;
            w.run(Job::Prune).await.and(checked).and(fed)
        })
    }),
    // A notification stays in hand for the directory, a mailer and five tries to settle it.
    call("Pats::deliver_notifications", 400, Asks::Store, |w| {
        Box::pin(async {
            w.pats.deliver_notifications().await?;
            Ok(())
        })
    }),
    call("Administration::search", 30, Asks::Store, |w| {
        Box::pin(async {
            let search = Search::new(
                named(),
                Sort {
                    key: SortKey::CreatedAt,
                    is_descending: true,
                },
                Start::Offset(0),
                10,
            );
            w.administration.search(&search).await?;
            Ok(())
        })
    }),
    call("Administration::search_by_status", 30, Asks::Store, |w| {
        Box::pin(async {
            let first = pat_core::StatusStart::First;
            let filter = Filter::default();
            let page = w
                .administration
                .search_by_status(&filter, false, &first, 10);
            page.await?;
            Ok(())
        })
    }),
    call("Administration::inactive_owners", 60, Asks::Both, |w| {
        Box::pin(async {
            w.administration.inactive_owners().await?;
            Ok(())
        })
    }),
    call("Administration::find_owners_of", 30, Asks::Directory, |w| {
        Box::pin(async {
            let tokens = [w.token.token.clone()];
            w.administration.find_owners_of(&tokens).await?;
            Ok(())
        })
    }),
    call("Administration::find", 30, Asks::Store, |w| {
        Box::pin(async {
            w.administration.find(&[w.token.token.id]).await?;
            Ok(())
        })
    }),
    call("Administration::count", 30, Asks::Store, |w| {
        Box::pin(async {
            w.administration.count(&Filter::default()).await?;
            Ok(())
        })
    }),
    call("Administration::count_up_to", 30, Asks::Store, |w| {
        Box::pin(async {
            let filter = Filter::default();
            w.administration.count_up_to(&filter, 10).await?;
            Ok(())
        })
    }),
    call("Administration::count_each", 30, Asks::Store, |w| {
        Box::pin(async {
            w.administration.count_each(&[Filter::default()]).await?;
            Ok(())
        })
    }),
    call("Administration::history", 30, Asks::Store, |w| {
        Box::pin(async {
            let id = w.token.token.id;
            w.administration.history(id, None, 10).await?;
            Ok(())
        })
    }),
    call("Administration::count_revocable", 30, Asks::Store, |w| {
        Box::pin(async {
            w.administration.count_revocable(&named()).await?;
            Ok(())
        })
    }),
    call("Administration::revoke", 8, Asks::Store, |w| {
        Box::pin(async {
            let ids = vec![w.token.token.id];
            w.administration.revoke(ids, None).await?;
            Ok(())
        })
    }),
    call("Administration::revoke_with", 8, Asks::Store, |w| {
        Box::pin(async {
            let ids = vec![w.token.token.id];
            let family = pat_core::Family::Configured;
            w.administration.revoke_with(ids, None, family).await?;
            Ok(())
        })
    }),
    call(
        "Administration::revoke_matching_with",
        38,
        Asks::Store,
        |w| {
            Box::pin(async {
                let (found, family) = (named(), pat_core::Family::Configured);
                let revoked = w
                    .administration
                    .revoke_matching_with(&found, 3, None, family);
                revoked.await?;
                Ok(())
            })
        },
    ),
    call("Administration::revoke_matching", 38, Asks::Store, |w| {
        Box::pin(async {
            w.administration.revoke_matching(&named(), 3, None).await?;
            Ok(())
        })
    }),
    // It reads, numbers what has none yet, and reads again.
    call("Administration::events", 90, Asks::Store, |w| {
        Box::pin(async {
            w.administration.events(0, 100).await?;
            Ok(())
        })
    }),
    call("Administration::identify", 5, Asks::Store, |w| {
        Box::pin(async {
            let presented = w.token.plain.expose().as_bytes();
            w.administration.identify(presented).await?;
            Ok(())
        })
    }),
    call("Administration::users", 30, Asks::Directory, |w| {
        Box::pin(async {
            let keys = [w.token.token.owner.clone()];
            w.administration.users(&keys).await?;
            Ok(())
        })
    }),
    call("Administration::owners_of", 30, Asks::Directory, |w| {
        Box::pin(async {
            let tokens = [w.token.token.clone()];
            w.administration.owners_of(&tokens).await?;
            Ok(())
        })
    }),
    call("Administration::search_users", 30, Asks::Directory, |w| {
        Box::pin(async {
            w.administration.search_users("a", 10).await?;
            Ok(())
        })
    }),
];

/// What is not in the table, and why.
pub(super) const ELSEWHERE: &[&str] = &[
    // It is as long as the operation that it is given.
    "Pats::on_behalf_of",
    // It ends the jobs, whose rounds are in the table, and has tests of its own.
    "Jobs::shutdown",
    // It asks the host's session store alone, which the host bounds.
    "Pats::end_session",
];

fn named() -> Filter {
    let mut filter = Filter::default();
    filter.name = "ci".into();
    filter
}

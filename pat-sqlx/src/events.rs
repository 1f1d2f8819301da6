use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::event::{Event, EventKind, EventSink};
use pat_core::store::RevokedToken;
use pat_core::{BoxError, Owner, TokenId};
use tracing::instrument;

use crate::store::CHUNK;
use crate::write::Write;
use crate::{Portable, SqlxStore};

/// A row of `pat_event`.
#[derive(Clone, Copy)]
pub(crate) struct EventRow<'a> {
    pub(crate) at: Timestamp,
    pub(crate) kind: &'static str,
    pub(crate) token: Option<TokenId>,
    pub(crate) owner: Option<&'a Owner>,
    /// Who revoked.
    pub(crate) by: Option<&'a Owner>,
    /// Why it was refused or revoked, what was told, why it could not be told.
    pub(crate) reason: Option<&'a str>,
    /// The parent of a token that was created, or the number of a notice.
    pub(crate) related: Option<i64>,
    /// How many events it stands for.
    pub(crate) count: i64,
}

impl<'a> EventRow<'a> {
    /// The rows of an event: one for each token that was revoked, one for anything else.
    fn all(event: &'a Event) -> Vec<Self> {
        let row = Self {
            at: event.at,
            kind: event.kind.as_str(),
            token: None,
            owner: None,
            by: None,
            reason: None,
            related: None,
            count: 1,
        };
        match &event.kind {
            EventKind::Revoked { tokens, by, reason } => {
                let revoked = tokens.iter().map(|RevokedToken { id, owner }| Self {
                    token: Some(*id),
                    owner: Some(owner),
                    by: by.as_ref(),
                    reason: reason.as_deref(),
                    ..row
                });
                revoked.collect()
            }
            kind => vec![row.of(kind)],
        }
    }

    fn of(self, kind: &'a EventKind) -> Self {
        let row = self;
        match kind {
            EventKind::Created {
                token,
                owner,
                parent,
                ..
            } => Self {
                token: Some(*token),
                owner: Some(owner),
                related: parent.map(TokenId::get),
                ..row
            },
            EventKind::FirstUsed { token, owner } | EventKind::Pruned { token, owner } => Self {
                token: Some(*token),
                owner: Some(owner),
                ..row
            },
            EventKind::Refused {
                reason,
                token,
                unreported,
            } => Self {
                token: *token,
                reason: Some(reason),
                count: unreported.saturating_add(1).cast_signed(),
                ..row
            },
            EventKind::Notified {
                notice,
                kind,
                owner,
                tokens,
            } => Self {
                token: tokens.first().copied(),
                owner: Some(owner),
                reason: Some(kind.as_str()),
                related: Some(notice.get()),
                count: i64::try_from(tokens.len()).unwrap_or(i64::MAX),
                ..row
            },
            EventKind::NoticeDead {
                notice,
                owner,
                error,
                ..
            } => Self {
                owner: Some(owner),
                reason: Some(error),
                related: Some(notice.get()),
                ..row
            },
            EventKind::OwnerChanged { owner } => Self {
                owner: Some(owner),
                ..row
            },
            _ => row,
        }
    }
}

/// Writes audit events into the table `pat_event`, where the prune job deletes them after 396 days.
///
/// The store is a sink only if it is plugged in as one, beside being the store:
/// `Pats::builder(store.clone()).events(store)`.
#[async_trait]
impl<DB: Portable> EventSink for SqlxStore<DB> {
    #[instrument(name = "pat.store.record_event", level = "debug", skip_all)]
    async fn record(&self, event: &Event) -> Result<(), BoxError> {
        let rows = EventRow::all(event);
        let recorded = self.retry(async || {
            let mut write = Write::begin_timeless(self).await?;
            for rows in rows.chunks(CHUNK) {
                write.insert_events(rows).await?;
            }
            write.commit().await
        });
        Ok(recorded.await?)
    }
}

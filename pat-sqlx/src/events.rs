use std::borrow::Cow;

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::event::{Event, EventKind, EventRow};
use pat_core::notification::NotificationKind;
use pat_core::store::{AuditStore, Lease, PrunedToken, RevokedToken};
use pat_core::{Owner, StoreError, TokenId};
use sqlx::Error;
use tracing::instrument;

use crate::checkout::fetch_from_primary;
use crate::dialect::Dialect;
use crate::sql::{Row, Sql};
use crate::store::SqlxStore;
use crate::write::Write;

/// The columns of `pat_event` that differ from kind to kind.
#[derive(Clone, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) token: Option<TokenId>,
    pub(crate) owner: Option<&'a Owner>,
    /// The administrator of a revocation.
    pub(crate) by: Option<&'a Owner>,
    /// The reason of a refusal or revocation, or the error of a notification.
    pub(crate) reason: Option<&'a str>,
    /// The parent of a created token, or the ID of a notification.
    pub(crate) related: Option<i64>,
    /// How many further events the row stands for.
    pub(crate) others: u64,
    pub(crate) expires_at: Option<Timestamp>,
    /// The kind of a notification.
    pub(crate) notification: Option<&'a str>,
}

impl<'a> Columns<'a> {
    /// Returns the columns of an event of at most one token ([`EventKind::per_token`]).
    pub(crate) fn of(kind: &'a EventKind) -> Self {
        let row = Self::default();
        match kind {
            EventKind::Created {
                token,
                owner,
                expires_at,
                parent,
            } => Self {
                token: Some(*token),
                owner: Some(owner),
                related: parent.map(TokenId::get),
                expires_at: *expires_at,
                ..row
            },
            EventKind::FirstUsed { token, owner } => Self {
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
                others: *unreported,
                ..row
            },
            EventKind::Revoked { tokens, by, reason } => Self {
                token: tokens.first().map(|token| token.id),
                owner: tokens.first().map(|token| &token.owner),
                by: by.as_ref(),
                reason: reason.as_deref(),
                ..row
            },
            EventKind::Pruned { tokens } => Self {
                token: tokens.first().map(|token| token.id),
                owner: tokens.first().map(|token| &token.owner),
                ..row
            },
            EventKind::Notified {
                notification,
                kind,
                owner,
                tokens,
            } => Self {
                token: tokens.first().copied(),
                owner: Some(owner),
                related: Some(notification.get()),
                notification: Some(kind.as_str()),
                ..row
            },
            EventKind::NotificationDead {
                notification,
                kind,
                owner,
                error,
            } => Self {
                owner: Some(owner),
                reason: Some(error),
                related: Some(notification.get()),
                notification: Some(kind.as_str()),
                ..row
            },
            EventKind::OwnerChanged { owner } => Self {
                owner: Some(owner),
                ..row
            },
            EventKind::Other { token, owner, .. } => Self {
                token: *token,
                owner: owner.as_ref(),
                ..row
            },
            // A kind that is newer than this crate, which is released with `pat-core`.
            _ => row,
        }
    }
}

/// Converts a numbered row; `None` for the empty side of an outer join.
fn event<DB: Dialect>(row: &Row<DB>) -> Result<Option<Event>, Error> {
    let Some(id) = row.optional_int("id")? else {
        return Ok(None);
    };
    let seq = row.count("seq")?;
    let mut event = Event::new(row.timestamp("at")?, event_kind(row)?);
    event.row = Some(EventRow::new(id, seq));
    Ok(Some(event))
}

fn event_kind<DB: Dialect>(row: &Row<DB>) -> Result<EventKind, Error> {
    let token = || row.token_id("token_id");
    let owner = || row.owner("owner");
    let notification = || crate::row::notice_id(row.int("related_id")?);
    let kind = row.text("kind")?;
    // A newer version may write further kinds of both.
    let notification_kind = notification_kind(row)?;
    Ok(match (kind.as_str(), notification_kind) {
        ("created", _) => EventKind::Created {
            token: token()?,
            owner: owner()?,
            expires_at: row.optional_timestamp("expires_at")?,
            parent: row.optional_token_id("related_id")?,
        },
        ("first-used", _) => EventKind::FirstUsed {
            token: token()?,
            owner: owner()?,
        },
        ("refused", _) => EventKind::Refused {
            reason: Cow::Owned(row.text("reason")?),
            token: row.optional_token_id("token_id")?,
            unreported: row.count("number")?.saturating_sub(1),
        },
        ("revoked", _) => EventKind::Revoked {
            tokens: vec![RevokedToken::new(token()?, owner()?)],
            by: row.optional_owner("revoked_by")?,
            reason: row.optional_text("reason")?,
        },
        ("pruned", _) => EventKind::Pruned {
            tokens: vec![PrunedToken::new(token()?, owner()?)],
        },
        ("notified", Some(kind)) => EventKind::Notified {
            notification: notification()?,
            kind,
            owner: owner()?,
            tokens: row.optional_token_id("token_id")?.into_iter().collect(),
        },
        ("notice-dead", Some(kind)) => EventKind::NotificationDead {
            notification: notification()?,
            kind,
            owner: owner()?,
            error: row.text("reason")?,
        },
        ("owner-changed", _) => EventKind::OwnerChanged { owner: owner()? },
        _ => EventKind::Other {
            kind,
            token: row.optional_token_id("token_id")?,
            owner: row.optional_owner("owner")?,
        },
    })
}

fn notification_kind<DB: Dialect>(row: &Row<DB>) -> Result<Option<NotificationKind>, Error> {
    let name = row.optional_text("notice")?;
    let is_named = |kind: &NotificationKind| name.as_deref() == Some(kind.as_str());
    Ok(NotificationKind::ALL.into_iter().find(is_named))
}

impl<DB: Dialect> SqlxStore<DB> {
    async fn try_record(&self, events: &[Event]) -> Result<(), Error> {
        let mut write = Write::begin_timeless(self).await?;
        write.insert_events(events).await?;
        write.commit().await
    }

    async fn try_number(&self, limit: u32) -> Result<u64, Error> {
        // Without events to number, nothing is written.
        if !self.has_unnumbered().await? {
            return Ok(0);
        }
        let mut write = Write::begin_timeless(self).await?;
        let count = write.number_events(limit).await?;
        write.commit().await?;
        Ok(count)
    }

    async fn has_unnumbered(&self) -> Result<bool, Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.pool, {
            Sql::new(format!(
                "SELECT {is_writable} AS is_writable, e.id FROM (SELECT 1 AS one) o \
                 LEFT JOIN (SELECT id FROM pat_event WHERE seq = 0 LIMIT 1) e ON 1 = 1"
            ))
        });
        let rows = rows.await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok(row.optional_int("id")?.is_some())
    }

    async fn try_events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.pool, {
            let mut sql = Sql::new(format!(
                "SELECT {is_writable} AS is_writable, e.* FROM (SELECT 1 AS one) o \
                 LEFT JOIN (SELECT id, at, kind, token_id, owner, revoked_by, reason, related_id, \
                 number, seq, expires_at, notice FROM pat_event WHERE seq > "
            ));
            // Events with the number 0 are not numbered yet.
            sql.bind(i64::try_from(seq).unwrap_or(i64::MAX));
            sql.push(" ORDER BY seq LIMIT ").bind(limit);
            sql.push(") e ON 1 = 1 ORDER BY e.seq");
            sql
        });
        let rows = rows.await?;
        rows.iter()
            .filter_map(|row| event(row).transpose())
            .collect()
    }

    /// Returns the position of a sink; the empty name is for the last assigned number.
    async fn try_position(&self, sink: &str) -> Result<Option<u64>, Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.pool, {
            let mut sql = Sql::new(format!(
                "SELECT {is_writable} AS is_writable, s.seq FROM (SELECT 1 AS one) o \
                 LEFT JOIN pat_sink s ON s.name = "
            ));
            sql.bind(sink);
            sql
        });
        let rows = rows.await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok(row.optional_int("seq")?.map(i64::cast_unsigned))
    }

    async fn try_put_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<Option<()>, Error> {
        let mut write = Write::begin_timeless(self).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        write.put_position(sink, seq).await?;
        write.commit().await.map(Some)
    }
}

/// Keeps audit events in the table `pat_event`, where the prune job deletes them after 396 days.
#[async_trait]
impl<DB: Dialect> AuditStore for SqlxStore<DB> {
    #[instrument(name = "pat.store.record_events", level = "debug", skip_all)]
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError> {
        self.retry(|| self.try_record(events)).await
    }

    #[instrument(name = "pat.store.number_events", level = "debug", skip_all)]
    async fn number_events(&self, limit: u32) -> Result<u64, StoreError> {
        self.retry(|| self.try_number(limit)).await
    }

    #[instrument(name = "pat.store.last_event_number", level = "debug", skip_all)]
    async fn last_event_number(&self) -> Result<u64, StoreError> {
        let last = self.retry(|| self.try_position("")).await?;
        Ok(last.unwrap_or_default())
    }

    #[instrument(name = "pat.store.events_after", level = "debug", skip_all)]
    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.retry(|| self.try_events_after(seq, limit)).await
    }

    #[instrument(name = "pat.store.sink_position", level = "debug", skip_all)]
    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        self.retry(|| self.try_position(sink)).await
    }

    #[instrument(name = "pat.store.put_sink_position", level = "debug", skip_all)]
    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError> {
        let put = self
            .retry(|| self.try_put_position(lease, sink, seq))
            .await?;
        put.ok_or(StoreError::LeaseLost)
    }
}

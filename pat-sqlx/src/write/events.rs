use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use pat_core::event::{Event, EventKind};
use pat_core::notification::{NotificationId, NotificationKind};
use pat_core::store::{Claim, Outcome, Purge, Revocation, RevokedToken};
use pat_core::{Client, Owner, TokenId};
use sqlx::Error;

use super::Write;
use crate::dialect::{Dialect, Value};
use crate::event_row::Columns;
use crate::row;
use crate::sql::{CHUNK, Insert, Sql};

/// How many events one statement numbers: its duration grows with the square of their number.
const NUMBER_CHUNK: i64 = 500;

/// How many bits of an ID are random; the ones above are a counter.
const RANDOM_BITS: u32 = 32;
/// After so many events the counter begins anew: it has 21 bits, so that an ID has 53.
const COUNTED: u64 = 1 << 21;

/// The table of events with its columns, in the order of [`event_row`].
const INTO: &str = "pat_event (id, at, kind, token_id, owner, revoked_by, reason, related_id, number, seq, \
     expires_at, notice, scopes, revocation_id, ends_at, client_address, user_agent, request_id)";

/// Returns what the IDs of so many new events are made of: the first value of the counter, and random bits, which all
/// of them share. Events of one process with the same time are numbered in the order of their IDs, so in the order
/// in which they happened.
fn next_ids(count: usize) -> Result<(i64, i64), Error> {
    static NEXT: OnceLock<AtomicU64> = OnceLock::new();
    let random = getrandom::u64().map_err(|error| Error::Encode(error.into()))?;
    // A random start, so that nodes and restarts of a process have different IDs.
    let next = NEXT.get_or_init(|| AtomicU64::new(random >> RANDOM_BITS));
    let first = next.fetch_add(count as u64, Ordering::Relaxed) % COUNTED;
    let random = random % (1 << RANDOM_BITS);
    Ok((first.cast_signed(), random.cast_signed()))
}

/// Returns the inserts of a row for each token of these events, a [`CHUNK`] of rows in each.
pub(crate) fn event_inserts<DB: Dialect>(events: &[Event]) -> Result<Vec<Insert>, Error> {
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        for kind in event.kind.clone().per_token() {
            rows.push(event_row(event.at, &kind, &event.client)?);
        }
    }
    Ok(Insert::chunks::<DB, _>(INTO, rows))
}

fn event_row(at: Timestamp, kind: &EventKind, client: &Client) -> Result<[Value; 18], Error> {
    let (count, random) = next_ids(1)?;
    let columns = Columns::of(kind);
    let address = client.address().map(|address| address.to_string());
    let number = i64::try_from(columns.others.saturating_add(1)).unwrap_or(i64::MAX);
    Ok([
        ((count << RANDOM_BITS) | random).into(),
        at.into(),
        kind.as_str().into(),
        columns.token.into(),
        columns.owner.into(),
        columns.by.into(),
        columns.reason.as_deref().into(),
        Value::Int(columns.related),
        number.into(),
        0_i64.into(),
        columns.expires_at.into(),
        columns.notification.into(),
        columns.scopes.into(),
        Value::Int(columns.revocation),
        columns.ends_at.into(),
        address.as_deref().into(),
        client.user_agent().into(),
        client.request_id().into(),
    ])
}

impl<DB: Dialect> Write<DB> {
    /// Writes the event of this transaction, which the current client has caused.
    pub(crate) async fn record(&mut self, at: Timestamp, kind: EventKind) -> Result<(), Error> {
        self.insert_events(&[Event::new(at, kind)]).await
    }

    /// Writes a row for each token of these events, many in one statement.
    pub(crate) async fn insert_events(&mut self, events: &[Event]) -> Result<(), Error> {
        self.insert_each(event_inserts::<DB>(events)?).await
    }

    /// Writes the event of a revocation of these tokens, like [`Write::record`], but from the rows of the tokens:
    /// of a revocation's rows, only the ID, the token and the owner differ. A database takes longer to read a
    /// statement with thousands of values than to write them.
    pub(crate) async fn record_revoked(
        &mut self,
        tokens: &[RevokedToken],
        revocation: &Revocation,
    ) -> Result<(), Error> {
        for chunk in tokens.chunks(CHUNK) {
            let (first, random) = next_ids(chunk.len())?;
            let of_first = revocation.event(chunk[..1].to_vec());
            let Event {
                at, kind, client, ..
            } = Event::new(revocation.at, of_first);
            let [_, at, kind, _, _, others @ ..] = event_row(at, &kind, &client)?;
            let mut sql = Sql::new(format!("INSERT INTO {INTO} SELECT ("));
            sql.bind(first - 1).push(format_args!(
                " + ROW_NUMBER() OVER (ORDER BY id)) % {COUNTED} * {} + ",
                1_i64 << RANDOM_BITS
            ));
            sql.bind(random);
            sql.push(", ").bind(at).push(", ").bind(kind);
            sql.push(", id, owner");
            for other in others {
                sql.push(", ").bind(other);
            }
            sql.push(" FROM pat_token WHERE id IN ");
            sql.bind_in(chunk.iter().map(|token| token.id));
            self.execute_on(chunk.len(), sql).await?;
        }
        Ok(())
    }

    /// Writes the event of a notification that was just settled, if the outcome is final.
    pub(crate) async fn record_settled(
        &mut self,
        claim: &Claim,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Result<(), Error> {
        if matches!(outcome, Outcome::Retry { .. } | Outcome::Skipped { .. }) {
            return Ok(());
        }
        let mut sql = Sql::new("SELECT kind, owner FROM pat_notice WHERE id = ");
        sql.bind(claim.id.get());
        let found = self.fetch_one(sql).await?;
        let (notification, kind, owner) = (
            claim.id,
            row::kind(found.int("kind")?)?,
            found.owner("owner")?,
        );
        let event = if let Outcome::Dead { error, .. } = outcome {
            EventKind::NotificationDead {
                notification,
                kind,
                owner,
                error: error.clone(),
            }
        } else {
            let mut sql =
                Sql::new("SELECT token_id AS id FROM pat_notice_token WHERE notice_id = ");
            sql.bind(notification.get()).push(" ORDER BY token_id");
            EventKind::Notified {
                notification,
                kind,
                owner,
                tokens: self.fetch_ids(sql).await?,
            }
        };
        self.record(at, event).await
    }

    /// Writes the events of at most a [`CHUNK`] of notifications that were sent.
    pub(crate) async fn record_sent(
        &mut self,
        sent: Vec<(NotificationId, NotificationKind, Owner)>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let mut tokens: BTreeMap<i64, Vec<TokenId>> = BTreeMap::new();
        let mut sql =
            Sql::new("SELECT notice_id, token_id FROM pat_notice_token WHERE notice_id IN ");
        sql.bind_in(sent.iter().map(|(id, ..)| id.get()));
        sql.push(" ORDER BY token_id");
        for row in self.fetch(sql).await? {
            let tokens = tokens.entry(row.int("notice_id")?).or_default();
            tokens.push(row.token_id("token_id")?);
        }
        let events = sent.into_iter().map(|(notification, kind, owner)| {
            let tokens = tokens.remove(&notification.get()).unwrap_or_default();
            let notified = EventKind::Notified {
                notification,
                kind,
                owner,
                tokens,
            };
            Event::new(at, notified)
        });
        let events: Vec<_> = events.collect();
        self.insert_events(&events).await
    }

    /// Numbers up to `limit` committed events without a number; returns how many there were.
    ///
    /// First it locks the row of the last number until the commit, by a write that changes it: so
    /// numbers become visible in order, whichever nodes assign them.
    pub(crate) async fn number_events(&mut self, limit: u32) -> Result<u64, Error> {
        let mut left = i64::from(limit);
        let mut last = self.move_last_number(left).await? - left;
        while left > 0 {
            let mut sql = Sql::new("SELECT id FROM pat_event WHERE seq = 0 ORDER BY at, id LIMIT ");
            sql.bind(left.min(NUMBER_CHUNK));
            let rows = self.fetch(sql).await?;
            if rows.is_empty() {
                break;
            }
            let ids: Result<Vec<_>, _> = rows.iter().map(|row| row.int("id")).collect();
            let ids = ids?;
            self.put_numbers(&ids, last + 1).await?;
            let count = i64::try_from(ids.len()).unwrap_or(left);
            last += count;
            left -= count;
        }
        if left > 0 {
            self.move_last_number(-left).await?;
        }
        Ok(u64::from(limit) - left.cast_unsigned())
    }

    /// Moves the last assigned number, and returns it.
    async fn move_last_number(&mut self, by: i64) -> Result<i64, Error> {
        let mut sql = Sql::new("UPDATE pat_sink SET seq = seq + ");
        sql.bind(by).push(" WHERE name = ''");
        self.execute(sql).await?;
        let sql = Sql::new("SELECT seq FROM pat_sink WHERE name = ''");
        self.fetch_one(sql).await?.int("seq")
    }

    /// Raises the last assigned number, and the positions of the sinks that have got the event with it.
    pub(crate) async fn raise_event_number(&mut self, seq: u64) -> Result<(), Error> {
        // Locks the row, by a write.
        let last = self.move_last_number(1).await? - 1;
        let raised = i64::try_from(seq).unwrap_or(i64::MAX).max(last);
        let mut sql = Sql::new("UPDATE pat_sink SET seq = ");
        sql.bind(raised)
            .push(" WHERE name = '' OR seq = ")
            .bind(last);
        self.execute(sql).await.map(drop)
    }

    async fn put_numbers(&mut self, ids: &[i64], first: i64) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE pat_event SET seq = CASE id");
        let numbered = (first..).zip(ids);
        // The last one again and again, so that there are few statement texts, as of the list below.
        let again = numbered.clone().last();
        let numbered = numbered.chain(again.into_iter().cycle());
        for (seq, id) in numbered.take(ids.len().next_power_of_two()) {
            sql.push(" WHEN ").bind(*id);
            sql.push(" THEN ").bind(seq);
        }
        sql.push(" ELSE seq END WHERE id IN ");
        sql.bind_in(ids.iter().copied());
        self.execute(sql).await.map(drop)
    }

    pub(crate) async fn put_position(&mut self, sink: &str, seq: u64) -> Result<(), Error> {
        let mut insert = Sql::new("INSERT INTO pat_sink (name, seq) VALUES ");
        insert.bind_row([sink.into(), 0_i64.into()]);
        insert.push(DB::or_ignore("name"));
        self.execute(insert).await?;
        let mut sql = Sql::new("UPDATE pat_sink SET seq = ");
        sql.bind(seq.cast_signed());
        sql.push(" WHERE name = ").bind(sink);
        self.execute(sql).await.map(drop)
    }

    /// Deletes up to `limit` old events; returns how many there were.
    pub(crate) async fn purge_events(&mut self, purge: &Purge, limit: u32) -> Result<u64, Error> {
        let mut sql = Sql::new("SELECT id FROM pat_event WHERE at < ");
        sql.bind(self.cutoff(purge.vouched, purge.events))
            .push(" LIMIT ")
            .bind(limit);
        let rows = self.fetch(sql).await?;
        let ids: Result<Vec<_>, _> = rows.iter().map(|row| row.int("id")).collect();
        let ids = ids?;
        self.delete("pat_event WHERE id", &ids).await?;
        Ok(ids.len() as u64)
    }
}

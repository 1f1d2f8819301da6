use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use async_trait::async_trait;
use jiff::Timestamp;

use super::MemoryStore;
use crate::event::{Event, EventKind, EventRow, HistoryPosition};
use crate::store::{AuditStore, Lease, StoreError};
use crate::token::{TokenId, random_u53};

/// How many events are kept.
const MAX_EVENTS: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Numbered events first, then the others; each oldest first.
    events: VecDeque<Row>,
    last_number: u64,
    /// The positions, by sink name.
    positions: HashMap<String, u64>,
}

#[derive(Debug)]
struct Row {
    id: i64,
    seq: Option<u64>,
    event: Event,
}

impl Tables {
    /// Keeps the event of a change, which the current client makes.
    pub(super) fn record(&mut self, at: Timestamp, kind: EventKind) -> Result<(), StoreError> {
        self.keep(&Event::new(at, kind))
    }

    fn keep(&mut self, event: &Event) -> Result<(), StoreError> {
        for kind in event.kind.clone().per_token() {
            let id = random_u53().map_err(StoreError::backend)?;
            if self.events.len() == MAX_EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(Row {
                id,
                seq: None,
                event: Event {
                    kind: without_name(kind),
                    token_name: None,
                    ..event.clone()
                },
            });
        }
        Ok(())
    }

    /// Deletes up to `limit` events from before this time; returns how many.
    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let len = self.events.len();
        let mut left = limit;
        self.events.retain(|row| {
            let is_old = left > 0 && row.event.at < before;
            left -= usize::from(is_old);
            !is_old
        });
        len - self.events.len()
    }
}

impl super::Tables {
    fn event(&self, row: &Row, seq: u64) -> Event {
        let token = row.event.kind.token().and_then(|id| self.tokens.get(&id));
        Event {
            row: Some(EventRow::new(row.id, seq)),
            token_name: token.map(|token| token.name.as_str().into()),
            ..row.event.clone()
        }
    }
}

/// Stored events have the name beside the kind.
fn without_name(mut kind: EventKind) -> EventKind {
    if let EventKind::Revoked { tokens, .. } = &mut kind {
        for token in tokens {
            token.name = None;
        }
    }
    kind
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        for event in events {
            tables.audit.keep(event)?;
        }
        Ok(())
    }

    async fn number_events(&self, limit: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables()?;
        let audit = &mut tables.audit;
        let before = audit.last_number;
        let new = audit.events.iter_mut().filter(|row| row.seq.is_none());
        for row in new.take(limit as usize) {
            audit.last_number += 1;
            row.seq = Some(audit.last_number);
        }
        Ok(audit.last_number - before)
    }

    async fn last_event_number(&self) -> Result<u64, StoreError> {
        Ok(self.tables()?.audit.last_number)
    }

    async fn raise_event_number(&self, seq: u64) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        let audit = &mut tables.audit;
        let last = audit.last_number;
        let raised = seq.max(last);
        audit.last_number = raised;
        let positions = audit.positions.values_mut();
        positions
            .filter(|position| **position == last)
            .for_each(|position| *position = raised);
        Ok(())
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let tables = self.tables()?;
        let numbered = tables.audit.events.iter().filter_map(|row| {
            let seq = row.seq.filter(|found| *found > seq)?;
            Some(tables.event(row, seq))
        });
        Ok(numbered.take(limit as usize).collect())
    }

    async fn events_about(
        &self,
        token: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let tables = self.tables()?;
        let rows = tables.audit.events.iter();
        let rows = rows.filter(|row| row.event.kind.is_about(token));
        let events = rows.map(|row| tables.event(row, row.seq.unwrap_or_default()));
        let positions = events.filter_map(|event| Some((HistoryPosition::of(&event)?, event)));
        let mut found: Vec<_> = positions
            .filter(|(position, _)| before.is_none_or(|before| *position < before))
            .collect();
        found.sort_by_key(|(position, _)| Reverse(*position));
        let events = found.into_iter().map(|(_, event)| event);
        Ok(events.take(limit as usize).collect())
    }

    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.tables()?.audit.positions.get(sink).copied())
    }

    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        tables.audit.positions.insert(sink.to_owned(), seq);
        Ok(())
    }
}

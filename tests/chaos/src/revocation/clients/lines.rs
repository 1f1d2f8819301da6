//! Tokens that are replaced, disabled and enabled.

use std::time::Duration;

use jiff::Timestamp;
use pat_harness::TOKENS;
use serde_json::{Value, json};

use super::{Clients, token};
use crate::revocation::history::{Entry, Op, Way};
use crate::revocation::nodes::NODES;
use crate::revocation::random::Random;
use crate::revocation::tokens::{Group, Token};

/// For how many seconds a replaced token goes on, if it does at all.
const OVERLAP: u64 = 2;
/// The same, for one that is to be revoked with its successor.
const LONG_OVERLAP: u64 = 3_600;

impl Clients {
    /// Replaces a token, and in one of two cases again, as if the first answer had been lost. The successor is
    /// used, replaced or revoked later.
    pub(super) async fn replace(&self, http: &reqwest::Client, group: &Group, random: &mut Random) {
        let token = &group.tokens[0];
        let overlap = if random.once_in(2) { OVERLAP } else { 0 };
        let rotation = Rotation {
            owner: &group.owner,
            tokens: &[token],
            overlap,
            // Which would have no way back without an overlap.
            is_by_itself: overlap > 0 && random.once_in(2),
            end: None,
        };
        let first = self.rotate(http, self.nodes.pick(random), rotation).await;
        let Some((mut successor, end)) = first else {
            return;
        };
        if overlap > 0 && random.once_in(2) {
            let lost = successor.clone();
            let line = [token, &lost];
            let again = Rotation {
                tokens: &line,
                end: Some(end),
                ..rotation
            };
            let again = self.rotate(http, self.nodes.pick(random), again).await;
            if let Some((newer, _)) = again {
                self.tokens().put_revoked(&[lost]);
                successor = newer;
            }
        }
        let way = if random.once_in(2) {
            Way::ByRotation
        } else {
            Way::ByOwner
        };
        self.tokens().put(Group {
            owner: group.owner.clone(),
            tokens: vec![successor],
            way,
        });
        let left = end.saturating_sub(self.history.now());
        tokio::time::sleep(left.min(Duration::from_secs(OVERLAP))).await;
        self.chase(http, NODES, token).await;
    }

    /// Replaces a token that goes on for long beside its successor, which is returned.
    pub(super) async fn succeed(
        &self,
        http: &reqwest::Client,
        node: usize,
        owner: &str,
        predecessor: &Token,
    ) -> Option<Token> {
        let rotation = Rotation {
            owner,
            tokens: &[predecessor],
            overlap: LONG_OVERLAP,
            is_by_itself: false,
            end: None,
        };
        let rotated = self.rotate(http, node, rotation).await;
        rotated.map(|(successor, _)| successor)
    }

    /// Sends a rotation; returns the successor, and when its predecessor ends.
    async fn rotate(
        &self,
        http: &reqwest::Client,
        node: usize,
        rotation: Rotation<'_>,
    ) -> Option<(Token, Duration)> {
        let Rotation { owner, tokens, .. } = rotation;
        let (base, first) = (self.nodes.base(node), tokens[0]);
        let request = if rotation.is_by_itself {
            let current = http.post(format!("{base}{TOKENS}/current/rotate"));
            current.bearer_auth(&first.raw)
        } else {
            let one = http.post(format!("{base}{TOKENS}/{}/rotate", first.id));
            one.basic_auth(owner, Some(owner))
        };
        let request = request.json(&json!({"overlapSeconds": rotation.overlap}));
        let (mut entry, response) = self.send(Op::Rotate, node, request).await;
        let body = match response {
            Some(response) if response.status() == 201 => response.json::<Value>().await.ok(),
            _ => None,
        };
        let Some(body) = body else {
            // The answer may have been lost on its way.
            entry.status = entry.status.filter(|status| *status != 201);
            let earliest = entry.invoked + Duration::from_secs(rotation.overlap);
            entry.ends = rotation.end.into_iter().chain([earliest]).min();
            for token in tokens {
                self.history.push(Entry {
                    token: token.id,
                    ..entry
                });
            }
            return None;
        };
        let ending = body["ending"].as_array().expect("what ends").iter();
        let ending = ending.map(|ending| Entry {
            token: ending["id"].as_i64().expect("an id"),
            ends: Some(self.history.time_of(date(&ending["at"]))),
            ..entry
        });
        let ending: Vec<_> = ending.collect();
        let end = ending.iter().find(|ending| ending.token == first.id);
        let end = end.and_then(|ending| ending.ends).expect("its end");
        for entry in ending {
            self.history.push(entry);
        }
        let successor = token(&body);
        self.history.push(Entry {
            op: Op::Create,
            token: successor.id,
            ..entry
        });
        self.used
            .send_if_modified(|used| used.insert(Way::ByRotation));
        Some((successor, end))
    }

    /// Disables and enables a token by turns, on any nodes; in the end it is disabled.
    pub(super) async fn disable(&self, http: &reqwest::Client, group: &Group, random: &mut Random) {
        let token = &group.tokens[0];
        let by = if random.once_in(2) {
            "admin"
        } else {
            &group.owner
        };
        for _ in 0..=random.below(2) {
            let node = self.nodes.pick(random);
            if self.switch(http, node, token, by, Op::Disable).await {
                self.chase(http, node, token).await;
            }
            let node = self.nodes.pick(random);
            if self.switch(http, node, token, by, Op::Enable).await {
                self.chase_while(401, http, node, token).await;
            }
        }
        if random.once_in(3) {
            let (node, other) = (self.nodes.pick(random), self.nodes.pick(random));
            tokio::join!(
                self.switch(http, node, token, by, Op::Enable),
                self.switch(http, other, token, by, Op::Disable),
            );
        }
        let node = self.nodes.pick(random);
        if self.switch(http, node, token, by, Op::Disable).await {
            self.chase(http, node, token).await;
        }
    }

    /// Disables or enables a token; whether that was acknowledged.
    async fn switch(
        &self,
        http: &reqwest::Client,
        node: usize,
        token: &Token,
        by: &str,
        op: Op,
    ) -> bool {
        let request = http.patch(format!("{}{TOKENS}/{}", self.nodes.base(node), token.id));
        let request = request
            .basic_auth(by, Some(by))
            .json(&json!({"enabled": op == Op::Enable}));
        let (entry, _) = self.send(op, node, request).await;
        self.history.push(Entry {
            token: token.id,
            ..entry
        });
        let is_acknowledged = entry.status == Some(200);
        if is_acknowledged && op == Op::Disable {
            self.used
                .send_if_modified(|used| used.insert(Way::ByDisabling));
        }
        is_acknowledged
    }
}

/// A request to replace a token.
#[derive(Clone, Copy)]
struct Rotation<'a> {
    owner: &'a str,
    /// The token, and the successors that it has already.
    tokens: &'a [&'a Token],
    /// In seconds.
    overlap: u64,
    is_by_itself: bool,
    /// When the token ends, if it was replaced before.
    end: Option<Duration>,
}

fn date(value: &Value) -> Timestamp {
    let text = value.as_str().expect("a date");
    text.parse().expect("a date")
}

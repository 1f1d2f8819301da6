//! Faults of nodes.

use std::time::Duration;

use super::Faults;
use crate::revocation::nodes::NODES;
use crate::revocation::random::Random;

/// Ten minutes, in seconds.
const STEP: i64 = 600;
/// A node gets a fifth of its time.
const RUNS: Duration = Duration::from_millis(40);
const STANDS: Duration = Duration::from_millis(160);

impl Faults {
    pub(super) async fn freeze_node(&self, random: &mut Random) {
        let node = random.below(NODES);
        let length = random.millis(1_000, 5_000);
        let known = self.fill_cache(node).await;
        let _mark = self.nodes.mark_broken(node);
        let frozen = self.nodes.freeze(node);
        tokio::time::sleep(length).await;
        let wake = async {
            // By then the requests are in its queue.
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(frozen);
        };
        tokio::join!(self.clients.burst(node, &known), wake);
    }

    pub(super) async fn kill_node(&self, random: &mut Random) {
        let node = random.below(NODES);
        let length = random.millis(0, 500);
        // A file has the clock of the machine, and so of all nodes.
        let step = if self.database.is_some() {
            any_step(random)
        } else {
            0
        };
        let known = self.clients.live();
        let _mark = self.nodes.mark_broken(node);
        self.nodes.kill(node);
        tokio::time::sleep(length).await;
        self.nodes.restart(node, step).await;
        self.clients.burst(node, &known).await;
        self.nodes.step_clock(node, 0);
    }

    pub(super) async fn starve_node(&self, random: &mut Random) {
        let node = random.below(NODES);
        let until = self.history.now() + random.millis(1_000, 4_000);
        let known = self.fill_cache(node).await;
        let _mark = self.nodes.mark_broken(node);
        let starve = async {
            while self.history.now() < until {
                let frozen = self.nodes.freeze(node);
                tokio::time::sleep(STANDS).await;
                drop(frozen);
                tokio::time::sleep(RUNS).await;
            }
        };
        tokio::join!(starve, self.clients.burst(node, &known));
        self.clients.burst(node, &known).await;
    }

    pub(super) async fn set_clock(&self, random: &mut Random) {
        let node = random.below(NODES);
        let length = random.millis(1_000, 3_000);
        let known = self.fill_cache(node).await;
        self.nodes.step_clock(node, any_step(random));
        self.try_for(length, node, &known).await;
        self.nodes.step_clock(node, 0);
        self.clients.burst(node, &known).await;
    }
}

fn any_step(random: &mut Random) -> i64 {
    if random.once_in(2) { STEP } else { -STEP }
}

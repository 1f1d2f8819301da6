//! Faults of the way from one node to its database.

use std::time::Duration;

use pat_harness::fault_proxy::{Cut, FaultProxy, Way};

use super::{Fault, Faults};
use crate::revocation::nodes::NODES;
use crate::revocation::packets::Loss;
use crate::revocation::random::Random;

/// The one that has a proxy.
const NODE: usize = NODES - 1;

impl Faults {
    fn proxy(&self) -> &FaultProxy {
        self.proxy.as_ref().expect("a proxy for these faults")
    }

    pub(super) async fn break_way(&self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::NetworkCut => {
                for _ in 0..10 {
                    self.proxy().cut(Cut::Both);
                    tokio::time::sleep(random.millis(10, 300)).await;
                }
            }
            Fault::NetworkDeaf => {
                let known = self.fill_cache(NODE).await;
                self.proxy().cut(Cut::ServerOnly);
                // Not broken any more, but the node has to find that out, connection by connection.
                self.try_for(Duration::from_secs(3), NODE, &known).await;
            }
            Fault::NetworkHoldsQuestions => self.mend_later(Way::HoldsQuestions, random).await,
            Fault::NetworkHoldsAnswers => self.mend_later(Way::HoldsAnswers, random).await,
            _ => {
                let late = random.millis(20, 400);
                self.mend_later(Way::Slow(late), random).await;
            }
        }
    }

    async fn mend_later(&self, way: Way, random: &mut Random) {
        let length = random.millis(1_000, 5_000);
        let known = self.fill_cache(NODE).await;
        let _mark = self.nodes.mark_broken(NODE);
        self.proxy().set(way);
        self.try_for(length, NODE, &known).await;
        self.proxy().set(Way::Open);
    }

    pub(super) async fn lose_packets(&self, loss: Loss, random: &mut Random) {
        let node = random.below(NODES);
        let length = random.millis(1_000, 5_000);
        let known = self.fill_cache(node).await;
        let _mark = self.nodes.mark_broken(node);
        let packets = self.packets.as_ref().expect("networks for these faults");
        packets.lose(node, loss);
        self.try_for(length, node, &known).await;
        packets.lose_none(node);
    }
}

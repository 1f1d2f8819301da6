//! Several versions on one database: tables of older releases, tables of newer ones, and nodes of
//! both.

pub(in crate::stores) mod later;
mod overlap;
pub(in crate::stores) mod privileges;
pub(in crate::stores) mod upgrades;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = later::trials();
    trials.extend(overlap::trials());
    trials.extend(privileges::trials());
    trials.extend(upgrades::trials());
    trials
}

//! Notifications by mail.

pub(crate) mod smtp;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [smtp::trials()].into_iter().flatten().collect()
}

//! Notifications by mail.

mod kinds;
pub(crate) mod revocations;
pub(crate) mod smtp;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [kinds::trials(), revocations::trials(), smtp::trials()]
        .into_iter()
        .flatten()
        .collect()
}

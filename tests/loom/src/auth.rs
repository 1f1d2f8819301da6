//! The modules of pat-core's `auth`.

#[cfg_attr(not(test), expect(dead_code, reason = "the models call a part of it"))]
#[path = "../../../pat-core/src/auth/epochs.rs"]
pub(crate) mod epochs;
#[path = "../../../pat-core/src/auth/single_flight.rs"]
pub(crate) mod single_flight;

pub(crate) use crate::stand_ins::refusal;

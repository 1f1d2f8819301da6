//! What the modules import besides [`sync`](crate::sync), as far as they use it.

pub(crate) mod clock {
    /// A reading of the clocks.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Moment {
        pub(crate) boot: i64,
        #[expect(dead_code, reason = "unit tests set it")]
        pub(crate) wall: i64,
    }
}

pub(crate) mod store {
    pub(crate) use pat_core::store::Change;
}

pub(crate) mod token {
    pub(crate) use pat_core::{Owner, TokenDigest, TokenId};
}

pub(crate) mod error {
    /// Why a load has no result.
    #[derive(Debug)]
    pub(crate) enum AuthError {
        Unavailable(&'static str),
    }
}

pub(crate) mod outage {
    pub(crate) struct Outages;

    impl Outages {
        #[expect(clippy::unused_self, reason = "the signature of the real one")]
        pub(crate) fn task_ended(&self) -> &'static str {
            "the task ended"
        }
    }
}

pub(crate) mod refusal {
    use super::error::AuthError;

    /// The number of the load, or why there is none.
    pub(crate) type Loaded = Result<u32, Refusal>;

    #[derive(Debug, Clone)]
    pub(crate) struct Refusal(#[expect(dead_code, reason = "shown if a model fails")] &'static str);

    impl From<AuthError> for Refusal {
        fn from(error: AuthError) -> Self {
            let AuthError::Unavailable(reason) = error;
            Self(reason)
        }
    }
}

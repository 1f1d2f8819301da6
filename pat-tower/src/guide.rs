#![doc = include_str!("docs/guide.md")]

/// From an empty project to the first request with a token, for whoever tries the crates.
pub mod start {
    #![cfg_attr(
        all(feature = "api", feature = "tower-sessions"),
        doc = include_str!("docs/start.md")
    )]
}
/// Routes that take a token, a token or a session, or an administrator, for whoever writes handlers.
pub mod routes {
    #![cfg_attr(
        all(feature = "axum", feature = "testing"),
        doc = include_str!("docs/routes.md")
    )]
}
/// Tests of handlers: tokens, refusals and a fake clock, for whoever writes handlers.
pub mod testing {
    #![cfg_attr(
        all(feature = "axum", feature = "testing"),
        doc = include_str!("docs/testing.md")
    )]
}
/// Sessions beside tokens, for a host whose users sign in with a cookie.
pub mod sessions {
    #![cfg_attr(
        all(feature = "axum", feature = "testing", feature = "tower-sessions"),
        doc = include_str!("docs/sessions.md")
    )]
}
/// Users of an identity provider, for a host without a user table.
pub mod oidc {
    #![doc = include_str!("docs/oidc.md")]
}
/// Several tenants in one program, for a host that serves several organisations.
pub mod tenants {
    #![cfg_attr(
        all(feature = "axum", feature = "testing"),
        doc = include_str!("docs/tenants.md")
    )]
}
/// systemd, Docker and Kubernetes, for whoever operates the host.
pub mod deploy {
    #![doc = include_str!("docs/deploy.md")]
}
/// A new version of the host or of these crates, for whoever operates the host.
pub mod upgrade {
    #![doc = include_str!("docs/upgrade.md")]
}
/// What to do about a token that leaked, and how to find it first, for administrators.
pub mod leaked_token {
    #![doc = include_str!("docs/leaked_token.md")]
}
/// Disabling and deleting a user, and what remains, for administrators and data protection.
pub mod deleting_users {
    #![doc = include_str!("docs/deleting_users.md")]
}

#![doc = include_str!("docs/guide.md")]

/// For newcomers: from an empty project to the first request with a token.
pub mod start {
    #![cfg_attr(
        all(feature = "api", feature = "tower-sessions"),
        doc = include_str!("docs/start.md")
    )]
}
/// For developers: routes that take a token, a token or a session, or an administrator.
pub mod routes {
    #![cfg_attr(
        all(feature = "axum", feature = "testing"),
        doc = include_str!("docs/routes.md")
    )]
}
/// For developers: scopes, which restrict what a token may do.
pub mod scopes {
    #![cfg_attr(
        all(feature = "api", feature = "testing"),
        doc = include_str!("docs/scopes.md")
    )]
}
/// For developers of clients and hosts: rotation, by which a token is replaced without an interruption.
pub mod rotation {
    #![doc = include_str!("docs/rotation.md")]
}
/// For developers: tests of handlers, with tokens, refusals and a clock.
pub mod testing {
    #![cfg_attr(
        all(feature = "axum", feature = "testing"),
        doc = include_str!("docs/testing.md")
    )]
}
/// For developers of a host whose users sign in with a cookie: sessions beside tokens.
pub mod sessions {
    #![cfg_attr(
        all(feature = "axum", feature = "testing", feature = "tower-sessions"),
        doc = include_str!("docs/sessions.md")
    )]
}
/// For developers of a host with a table of users: the user directory.
pub mod directory {
    #![cfg_attr(feature = "testing", doc = include_str!("docs/directory.md"))]
}
/// For developers of a host with a table of API keys: the import of the keys.
pub mod import {
    #![cfg_attr(feature = "testing", doc = include_str!("docs/import.md"))]
}
/// For developers of a host without a user table: users of an identity provider.
pub mod oidc {
    #![doc = include_str!("docs/oidc.md")]
}
/// For developers of a host that serves several organisations: tenants.
pub mod tenants {
    #![cfg_attr(
        all(feature = "axum", feature = "testing"),
        doc = include_str!("docs/tenants.md")
    )]
}
/// For operators: systemd, Docker and Kubernetes.
pub mod deploy {
    #![doc = include_str!("docs/deploy.md")]
}
/// For operators: a new version of the host or of these crates.
pub mod upgrade {
    #![doc = include_str!("docs/upgrade.md")]
}
/// For operators: reminders, unused tokens, and owners whom the host does not see.
pub mod life {
    #![doc = include_str!("docs/life.md")]
}
/// For administrators: what to do about a leaked token, and how to find one early.
pub mod leaked_token {
    #![doc = include_str!("docs/leaked_token.md")]
}
/// For administrators and data protection officers: disabling and deleting a user, and what remains.
pub mod deleting_users {
    #![doc = include_str!("docs/deleting_users.md")]
}

//! Writes the mails of every kind as HTML and text into a folder, to look at them in a browser:
//! `cargo run -p pat-mail --example preview -- FOLDER [TEMPLATES]`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use jiff::{SignedDuration, Timestamp};
use pat_core::TokenId;
use pat_core::notification::{Notification, NotificationKind};
use pat_core::notification::{NotificationId, NotificationToken, Recipient};
use pat_mail::Composer;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("the folder is missing")?;
    let mut composer = Composer::builder("Example <noreply@example.com>")
        .token_page("/profile/tokens")
        .replacement_page("/profile/tokens/{id}/replace");
    if let Some(templates) = arguments.next() {
        composer = composer.templates_from(templates);
    }
    let composer = composer.build()?;

    fs::create_dir_all(&folder)?;
    for kind in NotificationKind::ALL {
        for (names, scopes) in [
            (&["ci"][..], None),
            (&["ci"], Some("read tokens:read")),
            (
                &["ci", "backup of the wiki", "🎉 <release> \u{202e}bot"],
                Some("read"),
            ),
        ] {
            let mut notification = notification(kind, names)?;
            notification.tokens[0].scopes = scopes.map(str::parse).transpose()?;
            let message = composer.compose(&notification)?.formatted();
            let mail = mailparse::parse_mail(&message)?;
            let restricted = scopes.map_or("", |_| "-restricted");
            let file = folder.join(format!("{kind}-{}{restricted}", names.len()));
            fs::write(file.with_extension("txt"), mail.subparts[0].get_body()?)?;
            fs::write(file.with_extension("html"), mail.subparts[1].get_body()?)?;
            fs::write(file.with_extension("eml"), message)?;
        }
    }
    println!("The mails are in {}", folder.display());
    Ok(())
}

fn notification(kind: NotificationKind, names: &[&str]) -> Result<Notification, Box<dyn Error>> {
    let queued_at: Timestamp = "2026-05-20T09:15:00Z".parse()?;
    let days = |days| SignedDuration::from_hours(24 * days);
    let (created_at, expires_at) = match kind {
        NotificationKind::Created | NotificationKind::RotatedAgain => {
            (queued_at, queued_at + days(90))
        }
        NotificationKind::Expired => (queued_at - days(90), queued_at - days(2)),
        NotificationKind::Pruned => (queued_at - days(120), queued_at - days(30)),
        _ => (queued_at - days(83), queued_at + days(7)),
    };
    let last_used_at = queued_at.min(expires_at) - SignedDuration::from_mins(7);
    let tokens = names.iter().zip(0_u8..).map(|(name, index)| {
        let id = TokenId::new(i64::from(index)).expect("small numbers are ids");
        let mut token = NotificationToken::new(id, *name, created_at);
        token.expires_at = Some(expires_at + days(i64::from(index)));
        token.last_used_at = (index != 1).then_some(last_used_at);
        token
    });
    let by_admin = kind == NotificationKind::RevokedByAdmin;
    let mut notification = Notification::new(
        NotificationId::new(7).expect("small numbers are ids"),
        kind,
        Recipient::new("Ada Lovelace", "ada@example.com"),
        tokens.collect(),
        queued_at,
    );
    notification.by = by_admin.then(|| "Grace Hopper".to_owned());
    notification.reason = by_admin.then(|| {
        "The token was found in a public repository.\nPlease keep tokens in the secret store."
            .to_owned()
    });
    notification.live_children = if by_admin { names.len() as u64 } else { 0 };
    if kind == NotificationKind::UnusedRevoked {
        notification.reason = Some("not used for 90 days".to_owned());
    }
    notification.base_url = Some("https://example.com".to_owned());
    Ok(notification)
}

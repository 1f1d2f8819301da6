//! Writes the mails of every kind as HTML and text into a folder, to look at them in a browser:
//! `cargo run -p pat-mail --example preview -- FOLDER [TEMPLATES]`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use pat_core::notification::NotificationKind;
use pat_core::testing::example_notification;
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
            let mut notification = example_notification(kind, names);
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

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::event::{Event, EventSink};
use crate::format::TokenFormat;
use crate::notification::{Notification, NotificationId, NotificationKind, Notifier, NotifyError};
use crate::scope::{AllowedScopes, ScopeCatalog, Scopes};
use crate::{BoxError, Owner, User, UserDirectory};

use super::notification::example_notification;

/// A process sink ([`EventSink`]) that keeps every event. Clones share the events.
#[derive(Debug, Clone, Default)]
pub struct RecordingSink(Arc<Mutex<Vec<Event>>>);

impl RecordingSink {
    /// Returns the events that the sink has received so far, in the order in which it received them.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        lock(&self.0).clone()
    }
}

#[async_trait]
impl EventSink for RecordingSink {
    async fn record(&self, event: &Event) -> Result<(), BoxError> {
        lock(&self.0).push(event.clone());
        Ok(())
    }
}

/// A notifier that keeps every notification instead of sending it, and fails on demand. Clones share the
/// notifications.
#[derive(Debug, Clone, Default)]
pub struct RecordingNotifier(Arc<Mutex<Letters>>);

#[derive(Debug, Default)]
struct Letters {
    sent: Vec<Notification>,
    failures: Option<Failures>,
}

#[derive(Debug, Clone, Copy)]
enum Failures {
    Temporary,
    Permanent,
}

impl RecordingNotifier {
    /// Returns the notifications that the notifier has accepted so far, in the order in which it received
    /// them.
    #[must_use]
    pub fn sent(&self) -> Vec<Notification> {
        lock(&self.0).sent.clone()
    }

    /// Makes the notifier accept all later notifications, as a new notifier does. Ends
    /// [`RecordingNotifier::fail_for_now`] and [`RecordingNotifier::fail_for_good`].
    pub fn succeed(&self) {
        lock(&self.0).failures = None;
    }

    /// Makes every later [`Notifier::send`] fail with [`NotifyError::Temporary`], until
    /// [`RecordingNotifier::succeed`] is called. [`RecordingNotifier::sent`] does not return notifications whose
    /// sending failed.
    pub fn fail_for_now(&self) {
        lock(&self.0).failures = Some(Failures::Temporary);
    }

    /// Makes every later [`Notifier::send`] fail with [`NotifyError::Permanent`], until
    /// [`RecordingNotifier::succeed`] is called. [`RecordingNotifier::sent`] does not return notifications whose
    /// sending failed.
    pub fn fail_for_good(&self) {
        lock(&self.0).failures = Some(Failures::Permanent);
    }
}

#[async_trait]
impl Notifier for RecordingNotifier {
    fn name(&self) -> &'static str {
        "recording"
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        let mut letters = lock(&self.0);
        match letters.failures {
            None => letters.sent.push(notification.clone()),
            Some(Failures::Temporary) => return Err(NotifyError::Temporary("try later".into())),
            Some(Failures::Permanent) => return Err(NotifyError::Permanent("no such box".into())),
        }
        Ok(())
    }
}

/// A user directory that a test fills with users. Clones share the users.
#[derive(Debug, Clone, Default)]
pub struct TestDirectory(Arc<Mutex<Users>>);

#[derive(Debug, Default)]
struct Users {
    by_owner: BTreeMap<Owner, User>,
    administrators: Vec<Owner>,
    state: State,
}

/// How calls are answered.
#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Up,
    Down,
    Silent,
}

impl TestDirectory {
    /// Adds an active user, and returns the user's key, which is also the user name. The full name is
    /// `{key} the tester`, and the mail address `{key}@example.com`. Replaces a user with the same key.
    ///
    /// # Panics
    /// If `key` is not a valid [`Owner`].
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn add(&self, key: &str) -> Owner {
        let owner = Owner::new(key).expect("an owner's key");
        let user = User {
            owner: owner.clone(),
            username: key.into(),
            full_name: format!("{key} the tester"),
            email: Some(format!("{key}@example.com")),
            is_active: true,
            language: None,
        };
        lock(&self.0).by_owner.insert(owner.clone(), user);
        owner
    }

    /// Adds an active user who is an administrator, like [`TestDirectory::add`], and returns the key.
    ///
    /// # Panics
    /// If `key` is not a valid [`Owner`].
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn add_administrator(&self, key: &str) -> Owner {
        let owner = self.add(key);
        lock(&self.0).administrators.push(owner.clone());
        owner
    }

    /// Enables (`true`) or disables (`false`) the user with this key. Does nothing if there is none.
    pub fn set_active(&self, owner: &Owner, is_active: bool) {
        if let Some(user) = lock(&self.0).by_owner.get_mut(owner) {
            user.is_active = is_active;
        }
    }

    /// Sets the mail address of the user with this key; `None` removes it. Does nothing if there is no such
    /// user.
    pub fn set_email(&self, owner: &Owner, email: Option<&str>) {
        if let Some(user) = lock(&self.0).by_owner.get_mut(owner) {
            user.email = email.map(str::to_owned);
        }
    }

    /// Deletes the user with this key. Does nothing if there is none.
    pub fn remove(&self, owner: &Owner) {
        lock(&self.0).by_owner.remove(owner);
    }

    /// Makes every call of the directory fail (`true`), or work again (`false`).
    pub fn set_down(&self, is_down: bool) {
        lock(&self.0).state = if is_down { State::Down } else { State::Up };
    }

    /// Makes every new call of the directory wait forever (`true`), or work again (`false`).
    pub fn set_silent(&self, is_silent: bool) {
        lock(&self.0).state = if is_silent { State::Silent } else { State::Up };
    }

    /// Answers a call from the users.
    async fn answer<T>(&self, answer: impl FnOnce(&Users) -> T) -> Result<T, BoxError> {
        let state = lock(&self.0).state;
        match state {
            State::Up => Ok(answer(&lock(&self.0))),
            State::Down => Err("the directory is down".into()),
            State::Silent => std::future::pending().await,
        }
    }
}

#[async_trait]
impl UserDirectory for TestDirectory {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        self.answer(|users| users.by_owner.get(owner).cloned())
            .await
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        self.answer(|users| {
            let user = users.by_owner.get(owner);
            user.is_some_and(|user| user.is_active) && users.administrators.contains(owner)
        })
        .await
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        self.answer(|users| {
            let users = users.by_owner.values();
            let found = users.filter(|user| user.matches(contains));
            found.take(limit).cloned().collect()
        })
        .await
    }

    async fn allowed_scopes(&self, _: &Owner, _: &ScopeCatalog) -> Result<AllowedScopes, BoxError> {
        self.answer(|_| AllowedScopes::all()).await
    }
}

/// Checks a notifier against the contract of [`Notifier`]: it must send a notification of every kind,
/// about one token and about several tokens, whose names may have any characters. Returns the notifications
/// that the notifier has sent.
///
/// # Panics
/// If the notifier breaks the contract. The message names the failed check.
pub async fn check_notifier(notifier: &dyn Notifier) -> Vec<Notification> {
    let name = notifier.name();
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    assert!(
        (1..=32).contains(&name.len()) && name.bytes().all(is_word),
        "a notifier's name is 1 to 32 lower-case letters, digits and hyphens: {name:?}"
    );
    let names = [
        "ci",
        ".",
        "jira-cli / work",
        "<b>\u{202e}🎉\"'&",
        "=?utf-8?q?x?=",
    ];
    let mut sent = Vec::new();
    for kind in NotificationKind::ALL {
        for count in [1, names.len()] {
            let mut notification = example_notification(kind, &names[..count]);
            notification.id = NotificationId::random().expect("randomness");
            notification.recipient.full_name = "Älice \"of\" <Wonderland>".into();
            if kind == NotificationKind::RevokedByAdmin {
                notification.reason = Some("found\nin a paste".into());
            }
            if let [_, _, scoped, unending, ..] = &mut notification.tokens[..] {
                scoped.scopes = Some(Scopes::none());
                unending.expires_at = None;
            } else {
                notification.base_url = None;
            }
            if let Err(error) = notifier.send(&notification).await {
                panic!("a notification of {kind} about {count} tokens was not sent: {error:?}");
            }
            sent.push(notification);
        }
    }
    sent
}

/// Checks a format against the contract of [`TokenFormat`]: it must recognise the tokens that it generates,
/// and no other spelling of them.
///
/// # Panics
/// If the format breaks the contract. The message names the failed check.
pub fn check_format(format: &dyn TokenFormat) {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let token = format.generate().expect("randomness");
        let text = token.expose();
        assert!(
            text.len() <= crate::auth::MAX_TOKEN_LEN,
            "a token is at most 256 bytes"
        );
        let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        assert!(text.bytes().all(is_token68), "a token is a token68");
        assert!(
            format.recognizes(text.as_bytes()),
            "a format recognises its own tokens"
        );
        assert!(seen.insert(text.to_owned()), "no two tokens are the same");
        for end in 0..text.len() {
            assert!(
                !format.recognizes(&text.as_bytes()[..end]),
                "a truncated token is refused"
            );
        }
        for affix in ["=", " ", "a", "0", "\n"] {
            assert!(
                !format.recognizes(format!("{text}{affix}").as_bytes()),
                "a longer one too"
            );
            assert!(
                !format.recognizes(format!("{affix}{text}").as_bytes()),
                "a longer one too"
            );
        }
    }
    assert!(!format.recognizes(b""), "an empty string is refused");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Directories of which each breaks one promise, and the suite's messages about them.

use std::sync::Mutex;

use async_trait::async_trait;

use super::{DirectoryUsers, check_allowed_scopes, check_directory, flaws, flaws_of_scopes};
use crate::directory::{User, UserDirectory};
use crate::error::BoxError;
use crate::scope::{AllowedScopes, ScopeCatalog, TOKENS_ADMIN};
use crate::text::{escape_like, fold_case};
use crate::token::Owner;

/// How a directory breaks its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    // Users and keys.
    DisabledIsMissing,
    EmptyMailAddress,
    AlwaysActive,
    OwnerOfTheRow,
    UnknownIsAUser,
    StrangeKeyFails,
    LeadingZero,
    LetterCaseOfKeys,
    TrailingSpace,
    TextAfterTheKey,
    PatternOfKeys,
    // Administrators.
    UnknownIsAdministrator,
    EveryoneIsAdministrator,
    NobodyIsAdministrator,
    DisabledIsAdministrator,
    StrangeAdministratorFails,
    AdministratorByNumber,
    // What is searched.
    NoKey,
    NoUserName,
    NoFullName,
    NoMailAddress,
    Prefixes,
    Words,
    CaseSensitive,
    AsciiCase,
    WithoutEscapeClause,
    // What is found too much.
    Percent,
    Underscore,
    EscapeCharacter,
    Backslash,
    QuoteFails,
    DotOfRegex,
    // The result.
    OnlyActive,
    Partial,
    Twice,
    NoLimit,
    OneTooMany,
    LimitOfLookedAt,
    EmptyTextFindsNone,
    // Profiles.
    ProfilesOfUnknown,
    ProfilesOnlyActive,
    ProfilesPartial,
    ProfilesTwice,
    ProfilesOfOthers,
    ProfilesAtMost100,
    ProfilesOfStrangeKeyFail,
    // Allowed scopes.
    AllowedUndeclared,
    AllowedOfOtherCatalog,
    AllowedForActiveOnly,
    AllowedForKnownOnly,
    AllowedOfStrangeKeyFail,
    AllowedOnlyOnce,
    AllowedToOthersToo,
    AllowedAsInLatestCall,
}

#[derive(Debug)]
struct Staff {
    users: Vec<User>,
    flaw: Flaw,
    /// The keys for which the allowed scopes were asked.
    asked: Mutex<Vec<Owner>>,
}

const USERS: DirectoryUsers<'static> = DirectoryUsers {
    active: "u-7",
    administrator: Some("u-8"),
    disabled: Some("u-9"),
    unknown: "u-999",
};

fn staff(flaw: Flaw) -> Staff {
    let users = [
        // The suite is not told of this user, who is the first.
        ("u-1", "adam", "Adam Adamson", true),
        ("u-7", "zoe_a", "Zoë Ångström-O'Neil", true),
        ("u-8", "root", "Ruth Root", true),
        ("u-9", "boss", "Bob Boss", false),
    ];
    let users = users.map(|(key, username, full_name, is_active)| {
        let owner = Owner::new(key).expect("a key");
        let mut user = User::new(owner, username, full_name, is_active);
        user.email = Some(format!("{}@example.com", username.replace('_', "")));
        if flaw == Flaw::EmptyMailAddress {
            user.email = Some(String::new());
        }
        user
    });
    Staff {
        users: users.into(),
        flaw,
        asked: Mutex::default(),
    }
}

fn catalog() -> ScopeCatalog {
    let builder = ScopeCatalog::builder().scope("read", "Read reports");
    builder.build().expect("a catalog")
}

/// SQL's LIKE, with this escape character.
fn is_like(text: &[char], pattern: &[char], escape: Option<char>) -> bool {
    match pattern {
        [] => text.is_empty(),
        [sign, literal, rest @ ..] if Some(*sign) == escape => {
            text.first() == Some(literal) && is_like(&text[1..], rest, escape)
        }
        ['%', rest @ ..] => (0..=text.len()).any(|at| is_like(&text[at..], rest, escape)),
        ['_', rest @ ..] => !text.is_empty() && is_like(&text[1..], rest, escape),
        [letter, rest @ ..] => text.first() == Some(letter) && is_like(&text[1..], rest, escape),
    }
}

fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let [text, pattern] = [text, pattern].map(|text| text.chars().collect::<Vec<_>>());
    is_like(&text, &pattern, escape)
}

impl Staff {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn is_key_of(&self, key: &str, user: &User) -> bool {
        let own = user.owner.as_str();
        match self.flaw {
            Flaw::LeadingZero => key.trim_start_matches('0') == own,
            Flaw::LetterCaseOfKeys => key.eq_ignore_ascii_case(own),
            Flaw::TrailingSpace => key.trim_end() == own,
            Flaw::TextAfterTheKey => key.split('.').next() == Some(own),
            Flaw::PatternOfKeys => like(own, key, None),
            _ => key == own,
        }
    }

    fn get(&self, key: &str) -> Option<User> {
        let mut users = self.users.iter();
        let found = users.find(|user| self.is_key_of(key, user))?;
        let mut user = found.clone();
        // As of the call, so that nothing but the second key tells.
        user.owner = Owner::new(key).expect("a key");
        user.is_active |= self.is(Flaw::AlwaysActive);
        if self.is(Flaw::OwnerOfTheRow) {
            user.owner = Owner::new(user.username.as_str()).expect("a key");
        }
        Some(user)
    }

    fn is_found(&self, user: &User, contains: &str) -> bool {
        let texts = [
            (Flaw::NoKey, user.owner.as_str()),
            (Flaw::NoUserName, &user.username),
            (Flaw::NoFullName, &user.full_name),
            (
                Flaw::NoMailAddress,
                user.email.as_deref().unwrap_or_default(),
            ),
        ];
        let mut texts = texts.iter().filter(|(flaw, _)| !self.is(*flaw));
        texts.any(|(_, text)| self.has(text, contains))
    }

    fn has(&self, text: &str, contains: &str) -> bool {
        let (folded, needle) = (fold_case(text), fold_case(contains));
        let escaped = escape_like(&needle);
        let is_like = |pattern: &str, escape| like(&folded, &format!("%{pattern}%"), escape);
        match self.flaw {
            Flaw::Prefixes => folded.starts_with(&needle),
            Flaw::Words => folded.split(' ').any(|word| word.contains(&needle)),
            Flaw::CaseSensitive => text.contains(contains),
            Flaw::AsciiCase => {
                let [text, contains] = [text, contains].map(str::to_ascii_lowercase);
                text.contains(&contains)
            }
            Flaw::WithoutEscapeClause => is_like(&escaped, None),
            Flaw::Percent => is_like(&escaped.replace("!%", "%"), Some('!')),
            Flaw::Underscore => is_like(&escaped.replace("!_", "_"), Some('!')),
            Flaw::EscapeCharacter => is_like(&escaped.replace("!!", "!"), Some('!')),
            Flaw::Backslash => is_like(&escaped.replace('\\', ""), Some('!')),
            Flaw::DotOfRegex => is_like(&escaped.replace('.', "_"), Some('!')),
            _ => is_like(&escaped, Some('!')),
        }
    }
}

#[async_trait]
impl UserDirectory for Staff {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        let key = owner.as_str();
        if self.is(Flaw::StrangeKeyFails) && !key.is_ascii() {
            return Err("no key".into());
        }
        if self.is(Flaw::UnknownIsAUser) && key == "u-999" {
            return Ok(Some(User::new(owner.clone(), "nobody", "", false)));
        }
        let hides = |user: &User| self.is(Flaw::DisabledIsMissing) && !user.is_active;
        Ok(self.get(key).filter(|user| !hides(user)))
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        let key = owner.as_str();
        Ok(match self.flaw {
            Flaw::StrangeAdministratorFails if !key.is_ascii() => return Err("no key".into()),
            Flaw::UnknownIsAdministrator => !["u-7", "u-9"].contains(&key),
            Flaw::EveryoneIsAdministrator => ["u-1", "u-7", "u-8"].contains(&key),
            Flaw::NobodyIsAdministrator => false,
            Flaw::DisabledIsAdministrator => ["u-8", "u-9"].contains(&key),
            Flaw::AdministratorByNumber => key.trim_start_matches('0').trim() == "u-8",
            _ => key == "u-8",
        })
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        if self.is(Flaw::QuoteFails) && contains.contains('\'') {
            return Err("syntax error".into());
        }
        if self.is(Flaw::EmptyTextFindsNone) && contains.is_empty() {
            return Ok(Vec::new());
        }
        let looked_at = match self.flaw {
            Flaw::LimitOfLookedAt => limit,
            _ => usize::MAX,
        };
        let limit = match self.flaw {
            Flaw::NoLimit => usize::MAX,
            Flaw::OneTooMany if limit > 0 => limit + 1,
            _ => limit,
        };
        let users = self.users.iter().take(looked_at);
        let users = users.filter(|user| user.is_active || !self.is(Flaw::OnlyActive));
        let found = users.filter(|user| self.is_found(user, contains));
        let times = if self.is(Flaw::Twice) && limit > 1 {
            2
        } else {
            1
        };
        let found = found.flat_map(|user| vec![user.clone(); times]);
        let mut found: Vec<_> = found.take(limit).collect();
        for user in found.iter_mut().filter(|_| self.is(Flaw::Partial)) {
            user.email = None;
        }
        Ok(found)
    }

    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        if self.is(Flaw::ProfilesAtMost100) && owners.len() > 100 {
            return Err("too many parameters".into());
        }
        let is_strange = |owner: &Owner| !owner.as_str().is_ascii();
        if self.is(Flaw::ProfilesOfStrangeKeyFail) && owners.iter().any(is_strange) {
            return Err("no key".into());
        }
        let mut users = Vec::new();
        for owner in owners {
            users.extend(self.find(owner).await?);
            if self.is(Flaw::ProfilesOfUnknown) && owner.as_str() == "u-999" {
                users.push(User::new(owner.clone(), "?", "", false));
            }
        }
        match self.flaw {
            Flaw::ProfilesOnlyActive => users.retain(|user| user.is_active),
            Flaw::ProfilesPartial => users[0].full_name = String::new(),
            Flaw::ProfilesTwice => users.push(users[0].clone()),
            Flaw::ProfilesOfOthers => users.push(self.users[0].clone()),
            _ => {}
        }
        Ok(users)
    }

    /// Administrators are allowed everything, and others to read.
    async fn allowed_scopes(
        &self,
        owner: &Owner,
        catalog: &ScopeCatalog,
    ) -> Result<AllowedScopes, BoxError> {
        let mut asked = self.asked.lock().expect("no panic").clone();
        self.asked.lock().expect("no panic").push(owner.clone());
        // Other calls come between.
        tokio::task::yield_now().await;
        let all = Ok(AllowedScopes::all());
        let key = owner.as_str();
        let known = self.users.iter().find(|user| user.owner == *owner);
        let names: &[&str] = match self.flaw {
            Flaw::AllowedUndeclared if key == "u-8" => &["read", "delete"],
            Flaw::AllowedForKnownOnly if known.is_none() => return Err("no user".into()),
            Flaw::AllowedForActiveOnly if known.is_some_and(|user| !user.is_active) => {
                return Err("disabled".into());
            }
            Flaw::AllowedOfStrangeKeyFail if !key.is_ascii() => return Err("no key".into()),
            Flaw::AllowedOfOtherCatalog => {
                let other = ScopeCatalog::builder()
                    .scope("read", "Read reports")
                    .scope("write", "Write reports");
                return Ok(AllowedScopes::only(other.build()?.set([TOKENS_ADMIN])?));
            }
            Flaw::AllowedOnlyOnce if asked.contains(owner) => &[],
            Flaw::AllowedToOthersToo if asked.iter().any(|key| key.as_str() == "u-8") => {
                return all;
            }
            Flaw::AllowedAsInLatestCall => {
                asked.clone_from(&self.asked.lock().expect("no panic"));
                if asked.last().is_some_and(|key| key.as_str() == "u-8") {
                    return all;
                }
                &["read"]
            }
            _ if key == "u-8" => return all,
            _ => &["read"],
        };
        Ok(AllowedScopes::only(catalog.set(names)?))
    }
}

/// Each flaw, with what the messages about it say.
const FLAWS: &[(Flaw, &str)] = &[
    (
        Flaw::DisabledIsMissing,
        "returned None for the user `disabled`",
    ),
    (Flaw::EmptyMailAddress, "with an empty mail address"),
    (
        Flaw::AlwaysActive,
        "returned the user \"u-9\" (boss) with `is_active: true`",
    ),
    (Flaw::OwnerOfTheRow, "must be the key of the call"),
    (Flaw::UnknownIsAUser, "find(\"u-999\") returned the user"),
    (Flaw::StrangeKeyFails, "failed with \"no key\""),
    (Flaw::LeadingZero, "find(\"0u-7\") returned the user"),
    (Flaw::LetterCaseOfKeys, "find(\"U-7\") returned the user"),
    (Flaw::TrailingSpace, "find(\"u-7 \") returned the user"),
    (Flaw::TextAfterTheKey, "find(\"u-7.0\") returned the user"),
    (Flaw::PatternOfKeys, "find(\"%\") returned the user"),
    (
        Flaw::UnknownIsAdministrator,
        "is_administrator(\"u-999\") returned true",
    ),
    (Flaw::EveryoneIsAdministrator, "true for the user `active`"),
    (
        Flaw::NobodyIsAdministrator,
        "false for the user `administrator`",
    ),
    (
        Flaw::DisabledIsAdministrator,
        "true for the user `disabled`",
    ),
    (
        Flaw::StrangeAdministratorFails,
        "is_administrator(\"ключ\") failed",
    ),
    (
        Flaw::AdministratorByNumber,
        "is_administrator(\" u-8\") returned true",
    ),
    (Flaw::NoKey, "search anywhere in the key"),
    (Flaw::NoUserName, "search anywhere in the user name"),
    (Flaw::NoFullName, "search anywhere in the full name"),
    (Flaw::NoMailAddress, "search anywhere in the mail address"),
    (Flaw::Prefixes, "search anywhere in the key"),
    (Flaw::Words, "also for the whole"),
    (Flaw::CaseSensitive, "ignore letter case in the user name"),
    (
        Flaw::AsciiCase,
        "ignore letter case beyond ASCII in the full name",
    ),
    (Flaw::WithoutEscapeClause, "and the condition ESCAPE '!'"),
    (Flaw::Percent, "search(\"zo%e\""),
    (Flaw::Underscore, "search(\"z_e\""),
    (Flaw::EscapeCharacter, "search(\"zo!e\""),
    (Flaw::Backslash, r#"search("zo\\e""#),
    (Flaw::QuoteFails, "bind it as a parameter"),
    (Flaw::DotOfRegex, "search(\"z.e\""),
    (Flaw::OnlyActive, "including those who are not active"),
    (Flaw::Partial, "otherwise than `find` returns the user"),
    (Flaw::Twice, "twice: return each user once"),
    (Flaw::NoLimit, "at most as many as the limit"),
    (Flaw::OneTooMany, "search(\"\", 1) returned 2 users"),
    (Flaw::LimitOfLookedAt, "not for those who are looked at"),
    (Flaw::EmptyTextFindsNone, "the empty text is in every text"),
    (Flaw::ProfilesOfUnknown, "skip unknown keys"),
    (
        Flaw::ProfilesOnlyActive,
        "profiles of 4 keys did not return the user \"u-9\"",
    ),
    (
        Flaw::ProfilesPartial,
        "otherwise than `find` returns the user",
    ),
    (
        Flaw::ProfilesTwice,
        "returned the user \"u-7\" (zoe_a) twice",
    ),
    (Flaw::ProfilesOfOthers, "skip unknown keys"),
    (Flaw::ProfilesAtMost100, "profiles of 500 keys failed"),
    (
        Flaw::ProfilesOfStrangeKeyFail,
        "profiles of 500 keys failed",
    ),
    (
        Flaw::AllowedUndeclared,
        "allowed_scopes(\"u-8\") failed with UndeclaredScope { name: \"delete\" }",
    ),
    (
        Flaw::AllowedOfOtherCatalog,
        "returned a set of another catalog",
    ),
    (
        Flaw::AllowedForActiveOnly,
        "allowed_scopes(\"u-9\") failed with \"disabled\": answer for each user, active or not",
    ),
    (
        Flaw::AllowedForKnownOnly,
        "allowed_scopes(\"u-999\") failed with \"no user\": return any scopes",
    ),
    (
        Flaw::AllowedOfStrangeKeyFail,
        "allowed_scopes(\"ключ\") failed with \"no key\": return any scopes",
    ),
    (
        Flaw::AllowedOnlyOnce,
        "allowed_scopes(\"u-7\") returned the scopes [\"read\"] without unrestricted tokens, and in the next \
         call the scopes []",
    ),
    (Flaw::AllowedToOthersToo, "and after calls for others"),
    (Flaw::AllowedAsInLatestCall, "and in calls at the same time"),
];

#[tokio::test]
async fn a_directory_that_keeps_the_contract_passes() {
    check_directory(&staff(Flaw::None), USERS).await;
    let users = DirectoryUsers {
        administrator: None,
        disabled: None,
        ..USERS
    };
    check_directory(&staff(Flaw::NobodyIsAdministrator), users).await;
    check_allowed_scopes(&staff(Flaw::None), USERS, &catalog()).await;
    check_allowed_scopes(&staff(Flaw::None), users, &catalog()).await;
}

/// Users with whom a check could not fail are refused.
#[tokio::test]
async fn the_active_user_has_the_texts_that_the_checks_need() {
    for (username, full_name, expected) in [
        ("zoe", "Zoë Ångström", "has no `_` in its names"),
        ("zoe_a", "Zoe Angstrom", "has no letter beyond ASCII"),
        // Letters that are no pair of one lower-case and one upper-case letter.
        ("zoe_a", "Weiß İ", "has no letter beyond ASCII"),
        ("z_a", "Zë", "has no word of three letters"),
        (
            "zoe_a",
            "Mrs. Zoe_A Ångström",
            "the user name \"zoe_a\" of `active` is a part of",
        ),
    ] {
        let mut staff = staff(Flaw::None);
        let user = &mut staff.users[1];
        (user.username, user.full_name) = (username.into(), full_name.into());
        user.email = None;
        let found = flaws(&staff, USERS).await;
        assert!(found[0].contains(expected), "{username}: {found:#?}");
    }
}

#[tokio::test]
#[should_panic(
    expected = "a flaw in the user directory:\n- search(\"ngstr\", 1000) returned no user, and not \
                           the user \"u-7\" (zoe_a): search anywhere in the full name"
)]
async fn the_suite_panics_with_the_call_the_answer_and_the_remedy() {
    check_directory(&staff(Flaw::NoFullName), USERS).await;
}

#[tokio::test]
async fn each_flaw_is_found_and_nothing_else() {
    for (flaw, expected) in FLAWS {
        let staff = staff(*flaw);
        let mut found = flaws(&staff, USERS).await;
        found.extend(flaws_of_scopes(&staff, USERS, &catalog()).await);
        let is_expected = |message: &String| message.contains(expected);
        assert!(!found.is_empty(), "{flaw:?}");
        assert!(found.iter().all(is_expected), "{flaw:?}: {found:#?}");
    }
}

use jiff::Timestamp;
use pat_core::store::{Change, LastUse, NewToken, Revocation};
use pat_core::{BoxError, Owner, TokenDigest, TokenId};
use serde::{Deserialize, Serialize};

/// Something that happened: one line of the log.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Created(NewToken),
    Revoked {
        generation: u64,
        tokens: Vec<TokenId>,
        revocation: Revocation,
    },
    Changed {
        generation: u64,
        change: Change,
        at: Timestamp,
    },
    Used(LastUse),
    /// Versions before this one may not read the log.
    ReadableFrom(u64),
}

/// An entry as it is written. Times are microseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Created {
        id: i64,
        digest: String,
        owner: String,
        name: String,
        created_at: i64,
        expires_at: Option<i64>,
        parent: Option<i64>,
    },
    Revoked {
        generation: u64,
        tokens: Vec<i64>,
        at: i64,
        by: Option<String>,
        reason: Option<String>,
    },
    TokenChanged {
        generation: u64,
        id: i64,
        at: i64,
    },
    OwnerChanged {
        generation: u64,
        owner: String,
        at: i64,
    },
    EverythingChanged {
        generation: u64,
        at: i64,
    },
    Used {
        id: i64,
        at: i64,
    },
    ReadableFrom {
        version: u64,
    },
}

impl Entry {
    /// The entry as a line of JSON, with its line feed.
    pub(super) fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(&Line::from(self))?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a line back.
    pub(super) fn from_line(line: &[u8]) -> Result<Self, BoxError> {
        serde_json::from_slice::<Line>(line)?.try_into()
    }
}

impl From<&Entry> for Line {
    fn from(entry: &Entry) -> Self {
        match entry {
            Entry::Created(token) => Self::Created {
                id: token.id.get(),
                digest: hex(token.digest.as_bytes()),
                owner: token.owner.to_string(),
                name: token.name.clone(),
                created_at: token.created_at.as_microsecond(),
                expires_at: token.expires_at.map(Timestamp::as_microsecond),
                parent: token.parent.map(TokenId::get),
            },
            Entry::Revoked {
                generation,
                tokens,
                revocation,
            } => Self::Revoked {
                generation: *generation,
                tokens: tokens.iter().copied().map(TokenId::get).collect(),
                at: revocation.at.as_microsecond(),
                by: revocation.by.as_ref().map(Owner::to_string),
                reason: revocation.reason.clone(),
            },
            Entry::Changed {
                generation,
                change: Change::TokenRevoked(id),
                at,
            } => Self::TokenChanged {
                generation: *generation,
                id: id.get(),
                at: at.as_microsecond(),
            },
            Entry::Changed {
                generation,
                change: Change::OwnerChanged(owner),
                at,
            } => Self::OwnerChanged {
                generation: *generation,
                owner: owner.to_string(),
                at: at.as_microsecond(),
            },
            Entry::Changed {
                generation,
                change: Change::Everything,
                at,
            } => Self::EverythingChanged {
                generation: *generation,
                at: at.as_microsecond(),
            },
            Entry::Used(last_use) => Self::Used {
                id: last_use.id.get(),
                at: last_use.at.as_microsecond(),
            },
            Entry::ReadableFrom(version) => Self::ReadableFrom { version: *version },
        }
    }
}

impl TryFrom<Line> for Entry {
    type Error = BoxError;

    fn try_from(line: Line) -> Result<Self, BoxError> {
        Ok(match line {
            Line::Created {
                id,
                digest,
                owner,
                name,
                created_at,
                expires_at,
                parent,
            } => {
                let mut token = NewToken::new(
                    token_id(id)?,
                    TokenDigest::from_bytes(unhex(&digest).ok_or("not a digest")?),
                    Owner::new(owner)?,
                    name,
                    Timestamp::from_microsecond(created_at)?,
                );
                token.expires_at = expires_at.map(Timestamp::from_microsecond).transpose()?;
                token.parent = parent.map(token_id).transpose()?;
                Self::Created(token)
            }
            Line::Revoked {
                generation,
                tokens,
                at,
                by,
                reason,
            } => {
                let mut revocation = Revocation::new(Timestamp::from_microsecond(at)?);
                revocation.by = by.map(Owner::new).transpose()?;
                revocation.reason = reason;
                Self::Revoked {
                    generation,
                    tokens: tokens.into_iter().map(token_id).collect::<Result<_, _>>()?,
                    revocation,
                }
            }
            Line::TokenChanged { generation, id, at } => Self::Changed {
                generation,
                change: Change::TokenRevoked(token_id(id)?),
                at: Timestamp::from_microsecond(at)?,
            },
            Line::OwnerChanged {
                generation,
                owner,
                at,
            } => Self::Changed {
                generation,
                change: Change::OwnerChanged(Owner::new(owner)?),
                at: Timestamp::from_microsecond(at)?,
            },
            Line::EverythingChanged { generation, at } => Self::Changed {
                generation,
                change: Change::Everything,
                at: Timestamp::from_microsecond(at)?,
            },
            Line::Used { id, at } => Self::Used(LastUse::new(
                token_id(id)?,
                Timestamp::from_microsecond(at)?,
            )),
            Line::ReadableFrom { version } => Self::ReadableFrom(version),
        })
    }
}

fn token_id(number: i64) -> Result<TokenId, BoxError> {
    Ok(TokenId::new(number).ok_or("not a token id")?)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    digits.collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

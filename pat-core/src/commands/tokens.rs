//! `tokens list`, `revoke` and `identify`.

use std::io::Write as _;

use super::arguments::RevokeArguments;
use super::filter::FilterArguments;
use super::show::{self, Format, HEADER, ListArguments, TokenJson};
use super::{Exit, Failure, Terminal};
use crate::search::{Filter, RevokedTokens, Search, Sort, SortKey, Start};
use crate::service::{Administration, Family, Pats};
use crate::settings::RevocationWait;
use crate::token::{Owner, Token, TokenId};

/// How many tokens a search reads at a time.
const PAGE: u32 = 500;
/// How many tokens are shown before they are revoked.
const SHOWN: u32 = 10;

fn administration(pats: &Pats, by: &str) -> Result<Administration<'static>, Failure> {
    let by = Owner::new(by).map_err(|error| Failure::of(&error))?;
    Ok(Administration::of_operator(pats.clone(), by))
}

pub(super) async fn list(
    pats: &Pats,
    arguments: &ListArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut filter = arguments.filter.filter(pats).map_err(Failure::because)?;
    if arguments.include_revoked {
        filter.revoked = RevokedTokens::Included;
    }
    let administration = administration(pats, "command:list")?;
    let mut search = Search::new(filter, arguments.order(), Start::Offset(0), PAGE);
    let (mut left, mut is_first) = (arguments.limit.unwrap_or(u32::MAX), true);
    loop {
        search.limit = left.min(PAGE);
        let page = administration.search(&search).await;
        let page = page.map_err(|error| Failure::of(&error))?;
        write_page(pats, &page.tokens, arguments.format, is_first, terminal)?;
        left -= u32::try_from(page.tokens.len()).unwrap_or(left);
        is_first = false;
        match page.next {
            Some(next) if left > 0 => search.start = Start::After(next),
            _ => break,
        }
    }
    if arguments.format == Format::Json {
        writeln!(terminal.out, "\n]")?;
    }
    terminal.out.flush()?;
    Ok(Exit::Done)
}

fn write_page(
    pats: &Pats,
    tokens: &[Token],
    format: Format,
    is_first: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    match format {
        Format::Table => {
            let header = is_first.then(|| HEADER.map(str::to_owned));
            let rows = tokens.iter().map(|token| show::cells(pats, token));
            let rows: Vec<_> = header.into_iter().chain(rows).collect();
            show::write_table(&mut *terminal.out, &rows)?;
        }
        Format::Json => {
            let mut separator = if is_first { "[\n" } else { ",\n" };
            if tokens.is_empty() && is_first {
                write!(terminal.out, "[")?;
            }
            for token in tokens {
                write!(terminal.out, "{separator}{}", json(pats, token)?)?;
                separator = ",\n";
            }
            if is_first || !tokens.is_empty() {
                terminal.out.flush()?;
            }
        }
    }
    Ok(())
}

fn json(pats: &Pats, token: &Token) -> Result<String, Failure> {
    serde_json::to_string(&TokenJson::new(pats, token)).map_err(|error| Failure::of(&error))
}

pub(super) async fn identify(
    pats: &Pats,
    secret: &str,
    format: Format,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let administration = administration(pats, "command:identify")?;
    let found = administration.identify(secret.as_bytes()).await;
    let Some(token) = found.map_err(|error| Failure::of(&error))? else {
        terminal.note("No token has this secret.");
        return Ok(Exit::LookAfter);
    };
    match format {
        Format::Table => show::write_table(&mut *terminal.out, &show::facts(pats, &token))?,
        Format::Json => writeln!(terminal.out, "{}", json(pats, &token)?)?,
    }
    terminal.out.flush()?;
    Ok(Exit::Done)
}

pub(super) async fn revoke(
    pats: &Pats,
    arguments: &RevokeArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let by = arguments.actor().map_err(Failure::because)?;
    let administration = Administration::of_operator(pats.clone(), by);
    let filter = arguments.filter.filter(pats).map_err(Failure::because)?;
    let (tokens, count) = match (arguments.ids.is_empty(), filter.is_effective()) {
        (false, true) => return Err(Failure::because("give IDs or a filter, not both")),
        (true, false) => {
            return Err(Failure::because(
                "give the IDs of the tokens, or a filter, such as --owner alice",
            ));
        }
        (false, false) => by_id(&administration, &arguments.ids).await?,
        (true, true) if FilterArguments::is_for_revoked(&filter) => {
            return Err(Failure::because("these tokens are revoked already"));
        }
        (true, true) => matching(&administration, &filter).await?,
    };
    if count == 0 {
        terminal.note("No token matches that is not revoked.");
        return Ok(Exit::Done);
    }
    preview(pats, &tokens, count, terminal)?;
    if !arguments.yes && !is_confirmed(count, terminal)? {
        terminal.note("Nothing was revoked.");
        return Ok(Exit::LookAfter);
    }
    let family = if arguments.family {
        Family::Included
    } else {
        Family::Configured
    };
    let reason = arguments.reason.clone();
    let revoked = if arguments.ids.is_empty() {
        let revoked = administration.revoke_matching_with(&filter, count, reason, family);
        revoked.await
    } else {
        let ids = tokens.iter().map(|token| token.id).collect();
        administration.revoke_with(ids, reason, family).await
    };
    let revoked = revoked.map_err(|error| Failure::of(&error))?;
    writeln!(terminal.out, "Revoked {}.", tokens_text(revoked.revoked))?;
    if revoked.live_children > 0 {
        terminal.note(&format!(
            "{} that were created with them stay valid; --family revokes these too.",
            tokens_text(revoked.live_children)
        ));
    }
    terminal.note(&bound(pats));
    terminal.out.flush()?;
    Ok(Exit::Done)
}

/// Returns the unrevoked tokens with these IDs, each of which must exist.
async fn by_id(
    administration: &Administration<'_>,
    ids: &[TokenId],
) -> Result<(Vec<Token>, u64), Failure> {
    let found = administration.find(ids).await;
    let mut found = found.map_err(|error| Failure::of(&error))?;
    let is_known = |id: &TokenId| found.iter().any(|token| token.id == *id);
    if let Some(unknown) = ids.iter().find(|id| !is_known(id)) {
        let line = format!("no token has the ID {unknown}; nothing was revoked");
        return Err(Failure::because(line));
    }
    found.retain(|token| token.revoked_at.is_none());
    let count = found.len() as u64;
    Ok((found, count))
}

/// Returns the first tokens that match, and how many do.
async fn matching(
    administration: &Administration<'_>,
    filter: &Filter,
) -> Result<(Vec<Token>, u64), Failure> {
    let count = administration.count_revocable(filter).await;
    let count = count.map_err(|error| Failure::of(&error))?;
    let sort = Sort {
        key: SortKey::CreatedAt,
        is_descending: true,
    };
    let search = Search::new(filter.clone(), sort, Start::Offset(0), SHOWN);
    let page = administration.search(&search).await;
    Ok((page.map_err(|error| Failure::of(&error))?.tokens, count))
}

fn preview(
    pats: &Pats,
    tokens: &[Token],
    count: u64,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let shown = tokens.iter().take(SHOWN as usize);
    let header = [HEADER.map(str::to_owned)];
    let rows: Vec<_> = header
        .into_iter()
        .chain(shown.map(|token| show::cells(pats, token)))
        .collect();
    show::write_table(&mut *terminal.err, &rows)?;
    let more = count.saturating_sub(rows.len() as u64 - 1);
    if more > 0 {
        terminal.note(&format!("and {more} more"));
    }
    Ok(())
}

fn is_confirmed(count: u64, terminal: &mut Terminal) -> Result<bool, Failure> {
    let question = format!("Revoke {}? Type {count} to confirm:", tokens_text(count));
    match terminal.ask(&question)? {
        Some(answer) => Ok(answer == count.to_string()),
        None => Err(Failure::because(format!(
            "{} would be revoked; the standard input is no terminal, so give --yes",
            tokens_text(count)
        ))),
    }
}

fn tokens_text(count: u64) -> String {
    match count {
        1 => "1 token".to_owned(),
        count => format!("{count} tokens"),
    }
}

/// Says when no node accepts the revoked tokens.
fn bound(pats: &Pats) -> String {
    let settings = pats.settings();
    match settings.revocation_wait() {
        RevocationWait::Cluster => "No server accepts them any more.".to_owned(),
        RevocationWait::None => format!(
            "A server that runs accepts them for at most {} ms more (pat.auth.max.staleness.ms).",
            settings.auth_max_staleness().as_millis()
        ),
    }
}

//! Text from users, made safe for mail: names cannot break lines, forge headers or change the reading
//! direction of the text around them.

use pat_core::text::{breaks_line, is_bidi_control};

/// The length above which lines are wrapped at spaces. RFC 5322 recommends at most 78.
const WIDTH: usize = 76;

/// Puts a name on one line: control characters and line separators become spaces, and characters that
/// change the reading direction are removed.
pub(crate) fn one_line(name: &str) -> String {
    name.chars()
        .filter(|c| !is_bidi_control(*c))
        .map(|c| if breaks_line(c) { ' ' } else { c })
        .collect()
}

/// Puts a rendered subject on one line, and removes the isolates around names: mail programs show them as boxes.
pub(crate) fn subject(line: &str) -> String {
    let shown = line
        .trim()
        .chars()
        .filter(|c| !matches!(c, '\u{2066}'..='\u{2069}'));
    shown
        .map(|c| if breaks_line(c) { ' ' } else { c })
        .collect()
}

/// Puts a person's name on one line like [`one_line`], and removes needless spaces.
pub(crate) fn person(name: &str) -> String {
    let name = one_line(name);
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the lines of a longer text, each like [`one_line`], without empty ones at either end.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.trim()
        .lines()
        .map(|line| one_line(line).trim_end().to_owned())
        .collect()
}

/// Tidies a rendered text body: at most one empty line in a row, and long lines wrapped.
pub(crate) fn tidy(body: &str) -> String {
    let mut tidied = String::with_capacity(body.len());
    let mut empty_before = true;
    for line in body.lines() {
        let empty = line.trim().is_empty();
        if !(empty && empty_before) {
            wrap_into(&mut tidied, if empty { "" } else { line });
        }
        empty_before = empty;
    }
    tidied.truncate(tidied.trim_end().len());
    tidied.push('\n');
    tidied
}

/// Appends a line, wrapped if it is long; continuation lines keep the indent and the quote marks.
fn wrap_into(out: &mut String, line: &str) {
    let start = line.find(|c| !matches!(c, ' ' | '>')).unwrap_or(0);
    let (lead, rest) = line.split_at(start);
    if width(line) <= WIDTH {
        out.push_str(line);
        out.push('\n');
        return;
    }
    let mut column = width(lead);
    out.push_str(lead);
    for (index, word) in rest.split(' ').enumerate() {
        let needed = width(word) + 1;
        if index > 0 && column + needed > WIDTH {
            out.push('\n');
            out.push_str(lead);
            column = width(lead);
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width(word);
    }
    out.push('\n');
}

/// Counts the visible characters.
fn width(text: &str) -> usize {
    text.chars().filter(|c| !is_bidi_control(*c)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_on_one_line_in_one_direction() {
        assert_eq!(one_line("a\r\nBcc: x\u{85}\t\0"), "a  Bcc: x   ");
        assert_eq!(one_line("\u{202E}gnp.exe\u{2069}"), "gnp.exe");
        assert_eq!(person("  Ada \n Lovelace "), "Ada Lovelace");
        assert_eq!(lines("one\r\n\r\n.\rfour\n\n"), ["one", "", ".", "four"]);
    }

    #[test]
    fn long_lines_are_wrapped_as_they_began() {
        let tidied = tidy(&format!("> {}", "word ".repeat(40).trim()));
        assert!(
            tidied
                .lines()
                .all(|line| line.starts_with("> word") && line.len() <= WIDTH)
        );
        assert_eq!(tidied.matches("word").count(), 40);
    }

    #[test]
    fn a_word_is_never_broken() {
        let long = "é".repeat(255);
        assert_eq!(tidy(&format!("  {long}")), format!("  {long}\n"));
        assert!(tidy(&format!("Your tokens: {long}")).contains(&long));
    }

    #[test]
    fn empty_lines_do_not_pile_up() {
        assert_eq!(tidy("\n\na\n\n  \n\nb\n-- \nc\n\n"), "a\n\nb\n-- \nc\n");
    }
}

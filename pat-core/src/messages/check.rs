//! What a file of messages has, and the comparison of a translation with the English file.

use std::collections::{BTreeMap, BTreeSet};

use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
};
use fluent_syntax::parser;

/// The plural categories of Unicode, by which a message can select.
const PLURALS: [&str; 6] = ["zero", "one", "two", "few", "many", "other"];
/// Of a message whose variants are named by the host: its scopes.
const OPEN: &str = "scope-description";

/// The messages of a file, with what they use.
#[derive(Debug)]
pub(super) struct Catalog<'s> {
    messages: BTreeMap<&'s str, Message<'s>>,
    terms: BTreeSet<&'s str>,
}

#[derive(Debug, Default)]
struct Message<'s> {
    line: usize,
    /// What it and the messages that it refers to need.
    arguments: BTreeSet<&'s str>,
    /// The names of variants, with the arguments that they are selected by.
    variants: BTreeSet<(&'s str, &'s str)>,
    references: BTreeSet<Reference<'s>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reference<'s> {
    Message(&'s str),
    Term(&'s str),
    Function(&'s str),
    /// An attribute, which no message here has.
    Attribute(&'s str),
}

impl<'s> Catalog<'s> {
    /// Reads a file.
    ///
    /// # Errors
    /// The syntax errors and messages that occur twice.
    pub(super) fn parse(source: &'s str) -> Result<Self, Vec<String>> {
        let (resource, errors) = match parser::parse_runtime(source) {
            Ok(resource) => (resource, Vec::new()),
            Err((resource, errors)) => (resource, errors),
        };
        let mut problems: Vec<_> = errors
            .iter()
            .map(|error| {
                let before = source.get(..error.pos.start).unwrap_or(source);
                let line = before.matches('\n').count() + 1;
                format!("line {line}: {}", error.kind)
            })
            .collect();
        let mut catalog = Self {
            messages: BTreeMap::new(),
            terms: BTreeSet::new(),
        };
        for entry in &resource.body {
            match entry {
                Entry::Message(message) => {
                    let id = message.id.name;
                    let mut found = Message {
                        line: line_of(source, id),
                        ..Message::default()
                    };
                    match &message.value {
                        Some(pattern) if message.attributes.is_empty() => found.read(pattern),
                        _ => problems.push(format!(
                            "line {}: the message {id} must have a text and no attributes",
                            found.line
                        )),
                    }
                    if catalog.messages.insert(id, found).is_some() {
                        problems.push(format!(
                            "line {}: the message {id} occurs twice",
                            last_line_of(source, id)
                        ));
                    }
                }
                Entry::Term(term) => {
                    catalog.terms.insert(term.id.name);
                }
                _ => {}
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        catalog.add_what_references_need();
        Ok(catalog)
    }

    /// Adds the arguments of a message to those that refer to it.
    fn add_what_references_need(&mut self) {
        loop {
            let needed: Vec<_> = self
                .messages
                .iter()
                .flat_map(|(id, message)| {
                    let references =
                        message
                            .references
                            .iter()
                            .filter_map(|reference| match reference {
                                Reference::Message(other) => self.messages.get(other),
                                _ => None,
                            });
                    let arguments = references.flat_map(|other| other.arguments.iter().copied());
                    let new = arguments.filter(|argument| !message.arguments.contains(argument));
                    new.map(|argument| (*id, argument)).collect::<Vec<_>>()
                })
                .collect();
            if needed.is_empty() {
                return;
            }
            for (id, argument) in needed {
                self.messages
                    .entry(id)
                    .or_default()
                    .arguments
                    .insert(argument);
            }
        }
    }

    /// Returns whether a message is another one, or refers to it, perhaps through others.
    fn leads_to(&self, from: &'s str, to: &str) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(id) = next.pop() {
            if id == to {
                return true;
            }
            if let Some(message) = self.messages.get(id).filter(|_| seen.insert(id)) {
                next.extend(
                    message
                        .references
                        .iter()
                        .filter_map(|reference| match reference {
                            Reference::Message(other) => Some(*other),
                            _ => None,
                        }),
                );
            }
        }
        false
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.messages.contains_key(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &'s str> {
        self.messages.keys().copied()
    }

    pub(super) fn arguments(&self, id: &str) -> Option<&BTreeSet<&'s str>> {
        self.messages.get(id).map(|message| &message.arguments)
    }
}

impl<'s> Message<'s> {
    fn read(&mut self, pattern: &Pattern<&'s str>) {
        for element in &pattern.elements {
            if let PatternElement::Placeable { expression } = element {
                self.read_expression(expression);
            }
        }
    }

    fn read_expression(&mut self, expression: &Expression<&'s str>) {
        let (selector, variants) = match expression {
            Expression::Inline(inline) => return self.read_inline(inline),
            Expression::Select { selector, variants } => (selector, variants),
        };
        self.read_inline(selector);
        for variant in variants {
            if let (InlineExpression::VariableReference { id }, VariantKey::Identifier { name }) =
                (selector, &variant.key)
            {
                self.variants.insert((id.name, name));
            }
            self.read(&variant.value);
        }
    }

    fn read_inline(&mut self, inline: &InlineExpression<&'s str>) {
        match inline {
            InlineExpression::VariableReference { id } => {
                self.arguments.insert(id.name);
            }
            InlineExpression::MessageReference { id, attribute } => {
                self.references.insert(match attribute {
                    Some(_) => Reference::Attribute(id.name),
                    None => Reference::Message(id.name),
                });
            }
            InlineExpression::TermReference { id, .. } => {
                self.references.insert(Reference::Term(id.name));
            }
            InlineExpression::FunctionReference { id, .. } => {
                self.references.insert(Reference::Function(id.name));
            }
            InlineExpression::Placeable { expression } => self.read_expression(expression),
            InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
        }
    }
}

/// Compares a translation with the English file, and returns what is wrong in it.
pub(super) fn check(translation: &Catalog<'_>, english: &Catalog<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for (id, message) in &translation.messages {
        let mut add = |problem: String| problems.push((message.line, problem));
        let Some(model) = english.messages.get(id) else {
            let similar = similar(id, english).map(|other| format!("; did you mean {other}?"));
            add(format!(
                "there is no message {id}{}",
                similar.unwrap_or_default()
            ));
            continue;
        };
        for argument in message.arguments.difference(&model.arguments) {
            add(format!("{id} has no argument ${argument}"));
        }
        for argument in model.arguments.difference(&message.arguments) {
            add(format!("{id} lacks the argument ${argument}"));
        }
        for (argument, name) in message.variants.difference(&model.variants) {
            if *id != OPEN && !PLURALS.contains(name) {
                add(format!("${argument} in {id} is never {name}"));
            }
        }
        for reference in &message.references {
            match *reference {
                Reference::Message(other) if translation.leads_to(other, id) => {
                    add(format!("{id} refers to itself"));
                }
                Reference::Message(other) if !translation.contains(other) => {
                    add(format!("{id} refers to {other}, which the file lacks"));
                }
                Reference::Term(term) if !translation.terms.contains(term) => {
                    add(format!("{id} refers to -{term}, which the file lacks"));
                }
                Reference::Function(name) => {
                    add(format!("{id} calls {name}, which does not exist"));
                }
                Reference::Attribute(other) => {
                    add(format!(
                        "{id} refers to an attribute of {other}, which has none"
                    ));
                }
                Reference::Message(_) | Reference::Term(_) => {}
            }
        }
    }
    problems.sort();
    let problems = problems.into_iter();
    problems
        .map(|(line, problem)| format!("line {line}: {problem}"))
        .collect()
}

/// Returns the message with the most similar ID, if it is as similar as a misspelt one.
fn similar<'e>(id: &str, english: &Catalog<'e>) -> Option<&'e str> {
    let ids = english
        .ids()
        .map(|other| (strsim::osa_distance(id, other), other));
    let (distance, other) = ids.min()?;
    (distance <= 3.min(id.len() / 2)).then_some(other)
}

/// The parser tells no lines. A message begins at the start of one.
fn line_of(source: &str, id: &str) -> usize {
    lines_of(source, id).next().unwrap_or(1)
}

fn last_line_of(source: &str, id: &str) -> usize {
    lines_of(source, id).last().unwrap_or(1)
}

fn lines_of(source: &str, id: &str) -> impl Iterator<Item = usize> {
    let lines = source.lines().zip(1..);
    lines.filter_map(move |(line, number)| {
        let after = line.strip_prefix(id)?.trim_start();
        after.starts_with('=').then_some(number)
    })
}

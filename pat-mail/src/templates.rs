//! The shipped templates, the ones with which a host replaces them, and the check of all of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use pat_core::messages::Languages;
use pat_core::notification::NotificationKind;

use crate::error::ComposerError;
use crate::translate;

/// The files of each notification.
const FILES: [&str; 3] = ["subject.txt", "body.txt", "body.html"];

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../templates/", $name)))),*]
    };
}

const SHIPPED: [(&str, &str); 32] = shipped![
    "layout.txt",
    "layout.html",
    "parts.html",
    "tokens.txt",
    "tokens.html",
    "created/subject.txt",
    "created/body.txt",
    "created/body.html",
    "expires-soon/subject.txt",
    "expires-soon/body.txt",
    "expires-soon/body.html",
    "expired/subject.txt",
    "expired/body.txt",
    "expired/body.html",
    "pruned/subject.txt",
    "pruned/body.txt",
    "pruned/body.html",
    "revoked-by-admin/subject.txt",
    "revoked-by-admin/body.txt",
    "revoked-by-admin/body.html",
    "rotated-again/subject.txt",
    "rotated-again/body.txt",
    "rotated-again/body.html",
    "replaced-in-use/subject.txt",
    "replaced-in-use/body.txt",
    "replaced-in-use/body.html",
    "unused-warning/subject.txt",
    "unused-warning/body.txt",
    "unused-warning/body.html",
    "unused-revoked/subject.txt",
    "unused-revoked/body.txt",
    "unused-revoked/body.html",
];

/// The sources by name, with the files of those that were read from a folder.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    by_name: BTreeMap<String, Source>,
}

#[derive(Debug, Clone)]
struct Source {
    text: String,
    path: Option<PathBuf>,
}

impl Sources {
    pub(crate) fn shipped() -> Self {
        let mut sources = Self {
            by_name: BTreeMap::new(),
        };
        for (name, text) in SHIPPED {
            sources.insert(name.to_owned(), text.to_owned(), None);
        }
        sources
    }

    /// Adds a template, or replaces the one with the same name.
    pub(crate) fn set(&mut self, name: &str, text: String) -> Result<(), ComposerError> {
        if !is_known_name(name) {
            return Err(ComposerError::UnknownTemplate {
                name: name.to_owned(),
            });
        }
        self.insert(name.to_owned(), text, None);
        Ok(())
    }

    /// Adds every template in the folder and its subfolders.
    pub(crate) fn read(&mut self, folder: &Path) -> Result<(), ComposerError> {
        for path in entries(folder)? {
            let inner = if path.is_dir() {
                entries(&path)?
            } else {
                vec![path]
            };
            for path in inner.into_iter().filter(|path| is_template(path)) {
                let name = path.strip_prefix(folder).unwrap_or(&path);
                let name = name.to_string_lossy().replace('\\', "/");
                if !is_known_name(&name) {
                    let name = path.display().to_string();
                    return Err(ComposerError::UnknownTemplate { name });
                }
                let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
                self.insert(name, text, Some(path));
            }
        }
        Ok(())
    }

    fn insert(&mut self, name: String, text: String, path: Option<PathBuf>) {
        self.by_name.insert(name, Source { text, path });
    }
}

/// Whether a template may have this name: layouts and other shared files are beside the folders of the
/// kinds.
fn is_known_name(name: &str) -> bool {
    match name.split_once('/') {
        None => is_template(Path::new(name)),
        Some((folder, file)) => {
            FILES.contains(&file)
                && NotificationKind::ALL
                    .iter()
                    .any(|kind| kind.as_str() == folder)
        }
    }
}

fn is_template(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("txt" | "html"))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ComposerError> {
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
    let paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, _>>();
    paths.map_err(|error| unreadable(folder, error))
}

fn unreadable(path: &Path, source: std::io::Error) -> ComposerError {
    ComposerError::UnreadableTemplate {
        path: path.to_owned(),
        source,
    }
}

/// The parsed templates.
#[derive(Debug)]
pub(crate) struct Templates {
    environment: Environment<'static>,
    paths: BTreeMap<String, PathBuf>,
}

/// The error of a template, with its place.
#[derive(Debug)]
pub(crate) struct TemplateFailure {
    pub(crate) template: String,
    pub(crate) line: usize,
    pub(crate) source: minijinja::Error,
}

impl Templates {
    pub(crate) fn parse(sources: Sources, languages: Languages) -> Result<Self, TemplateFailure> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.expect("the usual delimiters do not clash"));
        // A misspelt field is an error at the start; it would otherwise be empty in mails.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_function("t", translate::function(languages));
        environment.add_filter("pad", translate::pad);
        let mut templates = Self {
            environment,
            paths: BTreeMap::new(),
        };
        for (name, source) in sources.by_name {
            if let Some(path) = source.path {
                templates.paths.insert(name.clone(), path);
            }
            let added = templates
                .environment
                .add_template_owned(name.clone(), source.text);
            added.map_err(|error| templates.failure(&name, error))?;
        }
        Ok(templates)
    }

    /// Renders one file of a notification: `file` is `subject.txt`, `body.txt` or `body.html`.
    pub(crate) fn render(
        &self,
        kind: NotificationKind,
        file: &str,
        context: &impl serde::Serialize,
    ) -> Result<String, TemplateFailure> {
        let name = format!("{kind}/{file}");
        let template = self.environment.get_template(&name);
        template
            .and_then(|template| template.render(Serde(context)))
            .map_err(|error| self.failure(&name, error))
    }

    /// The engine names the template that fails, which may be one that `name` includes.
    fn failure(&self, name: &str, error: minijinja::Error) -> TemplateFailure {
        let name = error.name().unwrap_or(name);
        let path = self.paths.get(name).map(|path| path.display().to_string());
        TemplateFailure {
            template: path.unwrap_or_else(|| name.to_owned()),
            line: error.line().unwrap_or(1),
            source: error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_every_notice_is_shipped() {
        let sources = Sources::shipped();
        for kind in NotificationKind::ALL {
            for file in FILES {
                assert!(
                    sources.by_name.contains_key(&format!("{kind}/{file}")),
                    "{kind}/{file}"
                );
            }
        }
        assert!(sources.by_name.keys().all(|name| is_known_name(name)));
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "soon/body.txt",
            "expired/body.md",
            "expired/a.txt",
            "../x.txt/y",
            "layout",
        ] {
            assert!(
                Sources::shipped().set(name, String::new()).is_err(),
                "{name}"
            );
        }
        assert!(Sources::shipped().set("footer.html", String::new()).is_ok());
    }
}

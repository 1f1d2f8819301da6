//! Which scopes a new token shall have, as a person chooses them.

use pat_core::scope::{Scope, ScopeChoices, Scopes, WithoutScopes};

use crate::pages::fields::Fields;
use crate::pages::page::{MANY_SCOPES, Page, ScopeList};
use crate::pages::text::Text;

/// The name of the field that says how the scopes are chosen.
pub(super) const ACCESS: &str = "access";
/// The name of the boxes for the scopes.
pub(super) const SCOPE: &str = "scope";

/// The value of [`ACCESS`] for the scopes whose boxes are checked.
const CHOSEN: &str = "scopes";
const UNRESTRICTED: &str = "unrestricted";
const DEFAULT: &str = "default";
/// The value of [`ACCESS`] for the scope of this name alone.
const READ: &str = "read";

/// What a form or a link says about the scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ScopeSelection {
    /// The value of [`ACCESS`]; empty if nothing is said.
    access: String,
    /// The names whose boxes are checked.
    names: Vec<String>,
}

impl ScopeSelection {
    /// As a form says it.
    pub(super) fn of_form(fields: &Fields) -> Self {
        Self {
            access: fields.get(ACCESS).to_owned(),
            names: fields.all(SCOPE).map(str::to_owned).collect(),
        }
    }

    /// As a link says it, in `scopes`: names with spaces between them. A link with names that cannot be
    /// chosen asks for a restricted token, so none of the boxes is checked instead.
    pub(super) fn of_link(fields: &Fields, choices: &ScopeChoices<'_>) -> Self {
        let mut names: Vec<_> = fields
            .all("scopes")
            .flat_map(str::split_ascii_whitespace)
            .collect();
        let is_restricted = !names.is_empty();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| find(choices, name).is_some());
        if names == [READ] && preset(choices).is_some() {
            return Self {
                access: READ.to_owned(),
                names: Vec::new(),
            };
        }
        let access = if is_restricted { CHOSEN } else { "" };
        Self {
            access: access.to_owned(),
            names: names.into_iter().map(str::to_owned).collect(),
        }
    }

    /// What a link would say, to have a form filled in like this.
    pub(super) fn as_link(&self) -> String {
        if self.access == READ {
            READ.to_owned()
        } else {
            self.names.join(" ")
        }
    }

    /// The names to request; `None` for what a token without any gets. Which scopes there are, and who may
    /// give them, is for the policy to say.
    pub(super) fn requested(
        &self,
        choices: &ScopeChoices<'_>,
    ) -> Result<Option<Vec<String>>, Text<'static>> {
        let is_unrestricted = choices.without_scopes == WithoutScopes::Unrestricted;
        let is_default = matches!(choices.without_scopes, WithoutScopes::Restricted(_));
        match (self.access.as_str(), self.names.is_empty()) {
            ("", true) => Ok(None),
            ("" | CHOSEN, false) => Ok(Some(self.names.clone())),
            (_, false) => Err(Text::ScopesAmbiguous),
            (UNRESTRICTED, true) if is_unrestricted => Ok(None),
            (DEFAULT, true) if is_default => Ok(None),
            (READ, true) if preset(choices).is_some() => Ok(Some(vec![READ.to_owned()])),
            (_, true) => Err(Text::ScopesMissing),
        }
    }
}

/// Returns the scope that is offered as "read only", if it may be chosen.
fn preset<'c>(choices: &ScopeChoices<'c>) -> Option<Scope<'c>> {
    let is_default = match &choices.without_scopes {
        WithoutScopes::Restricted(scopes) => scopes.iter().eq([READ]),
        WithoutScopes::Unrestricted | WithoutScopes::Refused | _ => false,
    };
    find(choices, READ).filter(|_| !is_default)
}

fn find<'c>(choices: &ScopeChoices<'c>, name: &str) -> Option<Scope<'c>> {
    let mut scopes = choices.scopes.iter();
    scopes.find(|scope| scope.name() == name).copied()
}

/// The part of the form with the scopes.
pub(super) struct ScopesField {
    /// The ways to choose.
    pub(super) options: Vec<AccessOption>,
    pub(super) boxes: Vec<ScopeBox>,
}

/// A way to choose the scopes.
pub(super) struct AccessOption {
    pub(super) value: &'static str,
    pub(super) label: String,
    pub(super) hint: Option<String>,
    /// The scopes that the token gets by it, if the label does not say that.
    pub(super) scopes: Option<ScopeList>,
    pub(super) is_chosen: bool,
}

impl AccessOption {
    /// Whether the boxes belong to it.
    pub(super) fn has_boxes(&self) -> bool {
        self.value == CHOSEN
    }
}

pub(super) struct ScopeBox {
    pub(super) name: String,
    pub(super) description: String,
    /// The names of the scopes that it includes, with spaces between them.
    pub(super) includes: String,
    /// The same as a sentence.
    pub(super) includes_hint: Option<String>,
    pub(super) is_checked: bool,
}

impl ScopesField {
    /// `None` for a host without scopes.
    pub(super) fn new(
        page: &Page,
        choices: &ScopeChoices<'_>,
        selection: &ScopeSelection,
    ) -> Option<Self> {
        if page.pats().scope_catalog().is_empty() {
            return None;
        }
        let mut options = options(page, choices);
        // What is checked is shown, also if something else was chosen.
        let wanted = if selection.names.is_empty() {
            selection.access.as_str()
        } else {
            CHOSEN
        };
        let has_to_choose = !wanted.is_empty() || choices.without_scopes == WithoutScopes::Refused;
        let index = |value| options.iter().position(|option| option.value == value);
        let chosen = index(wanted).or_else(|| index(CHOSEN).filter(|_| has_to_choose));
        if let Some(option) = options.get_mut(chosen.unwrap_or_default()) {
            option.is_chosen = true;
        }
        let boxes = choices.scopes.iter().map(|scope| ScopeBox {
            is_checked: selection.names.iter().any(|name| name == scope.name()),
            ..scope_box(page, *scope)
        });
        Some(Self {
            boxes: boxes.collect(),
            options,
        })
    }

    /// Whether the user may choose nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.options.is_empty()
    }
}

fn options(page: &Page, choices: &ScopeChoices<'_>) -> Vec<AccessOption> {
    let option = |value, label: Text<'_>, hint: Option<Text<'_>>| AccessOption {
        value,
        label: page.t(label).into_owned(),
        hint: hint.map(|hint| page.t(hint).into_owned()),
        scopes: None,
        is_chosen: false,
    };
    let mut options = Vec::new();
    match &choices.without_scopes {
        WithoutScopes::Unrestricted => {
            let hint = Some(Text::UnrestrictedHint);
            options.push(option(UNRESTRICTED, Text::Unrestricted, hint));
        }
        WithoutScopes::Restricted(scopes) => options.push(AccessOption {
            scopes: Some(page.scopes(Some(scopes), MANY_SCOPES)),
            ..option(DEFAULT, Text::DefaultScopes, None)
        }),
        WithoutScopes::Refused | _ => {}
    }
    if let Some(scope) = preset(choices) {
        let hint = Some(Text::ScopeDescription(scope));
        options.push(option(READ, Text::ReadOnly, hint));
    }
    if !choices.scopes.is_empty() {
        options.push(option(CHOSEN, Text::ChosenScopes, None));
    }
    options
}

fn scope_box(page: &Page, scope: Scope<'_>) -> ScopeBox {
    let catalog = page.pats().scope_catalog();
    let permitted = Scopes::new([scope.name()]).map(|alone| catalog.permitted_by(&alone));
    let included = catalog.names_of(permitted.unwrap_or_default());
    let included: Vec<_> = included.filter(|name| *name != scope.name()).collect();
    let hint = || {
        page.t(Text::ScopeIncludes(&included.join(", ")))
            .into_owned()
    };
    ScopeBox {
        name: scope.name().to_owned(),
        description: page.t(Text::ScopeDescription(scope)).into_owned(),
        includes: included.join(" "),
        includes_hint: (!included.is_empty()).then(hint),
        is_checked: false,
    }
}

//! The order in which a search reads tokens, and the ranges of a page in it.

use std::cmp::Ordering;

use pat_core::search::{NEVER, Position, Search, Sort, SortKey, SortValue, Start};

use crate::access::{Access, BY_OWNER};
use crate::conditions::push_and;
use crate::dialect::{Dialect, Value};
use crate::sql::Sql;

/// The columns of an order: the sort key, and those that decide between equal keys.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) value: &'static str,
    pub(super) created_at: &'static str,
    pub(super) id: &'static str,
    /// The index with these columns: the value ascending, the time descending (unless it is the value),
    /// the ID ascending.
    pub(super) index: &'static str,
}

impl Columns {
    /// Those of the order of a search, which is read in this way.
    pub(super) fn of(search: &Search, access: Access) -> Self {
        let of_token = |value, index| Self {
            value,
            created_at: "t.created_at",
            id: "t.id",
            index,
        };
        match search.sort.key {
            SortKey::LastUsedAt => Self {
                value: "u.last_used_at",
                created_at: "u.created_at",
                id: "u.token_id",
                index: "pat_last_used_by_time",
            },
            SortKey::CreatedAt => of_token("t.created_at", "pat_token_by_creation"),
            SortKey::ExpiresAt => of_token("t.expires_key", "pat_token_by_end"),
            SortKey::Name if access.is_by_names(&search.filter) => Self {
                value: "n.name_folded",
                created_at: "n.created_at",
                id: "n.id",
                index: "pat_token_by_name",
            },
            SortKey::Name => of_token("t.name_folded", "pat_token_by_name"),
            SortKey::Owner => of_token("t.owner", BY_OWNER),
        }
    }
}

/// How the tokens of a search are read: by which index, and in their order, or from the end of a page backward.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    pub(super) access: Access,
    pub(super) sort: Sort,
    pub(super) columns: Columns,
    pub(super) is_backward: bool,
}

impl Walk {
    pub(super) fn new(search: &Search, access: Access) -> Self {
        Self {
            access,
            sort: search.sort,
            columns: Columns::of(search, access),
            is_backward: matches!(search.start, Start::Before(_)),
        }
    }

    /// Returns the direction in which the values of the sort key come.
    pub(super) fn direction(self) -> &'static str {
        if self.sort.is_descending == self.is_backward {
            "ASC"
        } else {
            "DESC"
        }
    }

    /// Whether a page begins with the tokens that never expire, and the filter may find these.
    pub(super) fn begins_with_never(self, search: &Search) -> bool {
        let Search { filter, start, .. } = search;
        let is_by_end = self.sort.key == SortKey::ExpiresAt && !self.access.sorts();
        is_by_end
            && self.sort.is_descending
            && matches!(start, Start::Offset(0))
            && filter.expires.contains(NEVER)
            && filter.never_expires != Some(false)
            && !filter.warned.is_some_and(|warned| warned.is_warned)
    }

    /// Returns the `ORDER BY` of tokens with equal values.
    fn order_of_equals(self) -> String {
        let direction = if self.is_backward { "" } else { " DESC" };
        format!(
            "{}{direction}, {}",
            self.columns.created_at,
            self.order_of_ids()
        )
    }

    fn order_of_ids(self) -> String {
        let direction = if self.is_backward { " DESC" } else { "" };
        format!("{}{direction}", self.columns.id)
    }

    /// Returns the sort key. If the tokens are to be sorted, it is none that an index has which the planner might
    /// walk instead.
    fn value<DB: Dialect>(self) -> String {
        let value = self.columns.value;
        if self.access.sorts() {
            let is_text = matches!(self.sort.key, SortKey::Name | SortKey::Owner);
            DB::unindexed(value, is_text)
        } else {
            value.to_owned()
        }
    }

    pub(super) fn compare(self, one: &Position, two: &Position) -> Ordering {
        if self.is_backward {
            self.sort.compare(two, one)
        } else {
            self.sort.compare(one, two)
        }
    }
}

/// A range of the tokens in the order in which they are read. If that is backward, "after" a position is before it
/// in the order of the search.
pub(super) enum Range<'a> {
    /// All after a position.
    After(&'a Position),
    /// After a position, with the same value and time of creation.
    SameTime(&'a Position),
    /// After a position, with the same value and another time of creation.
    SameValue(&'a Position),
    /// All tokens with one value.
    Equals(Value),
    /// All tokens whose value comes after this one.
    Beyond(Option<Value>),
}

impl<'a> Range<'a> {
    /// Returns the ranges from where a page starts, in order. What is sorted in any case is one range.
    pub(super) fn all_of(search: &'a Search, walk: Walk) -> Vec<Self> {
        match &search.start {
            Start::After(position) | Start::Before(position) if walk.access.sorts() => {
                vec![Self::After(position)]
            }
            Start::After(position) | Start::Before(position) => vec![
                Self::SameTime(position),
                Self::SameValue(position),
                Self::Beyond(Some(bound(&position.value))),
            ],
            // Very many tokens may never expire, and those that were created first would be read first.
            Start::Offset(_) if walk.begins_with_never(search) => {
                vec![Self::Equals(NEVER.into()), Self::Beyond(Some(NEVER.into()))]
            }
            Start::Offset(_) => vec![Self::Beyond(None)],
        }
    }

    pub(super) fn push_condition<DB: Dialect>(&self, sql: &mut Sql<DB>, walk: Walk) {
        let Columns { created_at, id, .. } = walk.columns;
        let value = &*walk.value::<DB>();
        let (smaller, greater) = if walk.is_backward {
            (" > ", " < ")
        } else {
            (" < ", " > ")
        };
        let later = if walk.direction() == "DESC" {
            " < "
        } else {
            " > "
        };
        match self {
            Self::After(position) => {
                let at = bound(&position.value);
                sql.push(format_args!(" AND ({value}{later}"))
                    .bind(at.clone());
                sql.push(format_args!(" OR {value} = ")).bind(at);
                let at = position.created_at;
                sql.push(format_args!(" AND ({created_at}{smaller}"))
                    .bind(at);
                sql.push(format_args!(" OR {created_at} = ")).bind(at);
                sql.push(format_args!(" AND {id}{greater}"))
                    .bind(position.id);
                sql.push("))");
            }
            Self::SameTime(position) => {
                push_and(sql, value, " = ", bound(&position.value));
                push_and(sql, created_at, " = ", position.created_at.into());
                push_and(sql, id, greater, position.id.into());
            }
            Self::SameValue(position) => {
                push_and(sql, value, " = ", bound(&position.value));
                push_and(sql, created_at, smaller, position.created_at.into());
            }
            Self::Equals(to) => push_and(sql, value, " = ", to.clone()),
            Self::Beyond(None) => {}
            Self::Beyond(Some(after)) => push_and(sql, value, later, after.clone()),
        }
    }

    /// Returns the `ORDER BY` of the range.
    pub(super) fn order<DB: Dialect>(&self, walk: Walk) -> String {
        match self {
            Self::SameTime(_) => walk.order_of_ids(),
            Self::SameValue(_) | Self::Equals(_) => walk.order_of_equals(),
            Self::Beyond(_) | Self::After(_) => {
                let equals = match walk.sort.key {
                    SortKey::CreatedAt => walk.order_of_ids(),
                    _ => walk.order_of_equals(),
                };
                format!("{} {}, {equals}", walk.value::<DB>(), walk.direction())
            }
        }
    }
}

pub(super) fn bound(value: &SortValue) -> Value {
    match value {
        SortValue::Time(at) => (*at).into(),
        SortValue::Text(text) => text.as_str().into(),
    }
}

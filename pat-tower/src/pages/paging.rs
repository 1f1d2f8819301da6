//! What the token lists share: columns to sort by, and the way from page to page.

use pat_core::TokenStatus;
use pat_core::search::{Order, Position, Sort, SortKey};

use super::fields::Fields;
use super::page::Page;
use super::text::Text;
use crate::http::cursor::PageCursor;

/// The head of a column, which is a link that sorts by it.
pub(super) struct Column {
    pub(super) label: String,
    /// The query of the link. Following it once more sorts the other way round.
    pub(super) query: String,
    /// The value of `aria-sort`.
    pub(super) order: Option<&'static str>,
}

/// The key of the column of statuses in links.
pub(super) const STATUS: &str = "status";
const KEYS: [(&str, SortKey); 5] = [
    ("name", SortKey::Name),
    ("owner", SortKey::Owner),
    ("created", SortKey::CreatedAt),
    ("used", SortKey::LastUsedAt),
    ("expires", SortKey::ExpiresAt),
];

/// Returns the order that a query asks for; the latest first unless it asks for one.
pub(super) fn order(fields: &Fields) -> Order {
    let wanted = fields.get("sort");
    let is_descending = fields.get("order") == "desc";
    if wanted == STATUS {
        return Order::ByStatus { is_descending };
    }
    let key = KEYS.iter().find(|(name, _)| *name == wanted);
    key.map_or(Order::LATEST_FIRST, |(_, key)| {
        Order::By(Sort {
            key: *key,
            is_descending,
        })
    })
}

/// Returns the fields of a query that ask for this order; none for the latest first.
pub(super) fn fields_of(order: Order) -> Vec<(&'static str, &'static str)> {
    if order == Order::LATEST_FIRST {
        return Vec::new();
    }
    let (name, is_descending) = parts(order);
    let direction = if is_descending { "desc" } else { "asc" };
    vec![("sort", name), ("order", direction)]
}

fn parts(order: Order) -> (&'static str, bool) {
    match order {
        Order::By(Sort { key, is_descending }) => {
            let column = KEYS.iter().find(|(_, other)| *other == key);
            (column.map_or("", |(name, _)| name), is_descending)
        }
        Order::ByStatus { is_descending } => (STATUS, is_descending),
    }
}

/// Returns the heads of the columns with these keys. `query` returns the query of a link with further fields.
pub(super) fn columns(
    page: &Page,
    keys: &[&'static str],
    order: Order,
    query: impl Fn(&[(&str, &str)]) -> String,
) -> Vec<Column> {
    let (sorted, is_descending) = parts(order);
    let column = |key: &&'static str| {
        let is_sorted = *key == sorted;
        let next = if is_sorted && !is_descending {
            "desc"
        } else {
            "asc"
        };
        let label = match *key {
            "owner" => Text::Owner,
            STATUS => Text::StatusHead,
            "created" => Text::Created,
            "used" => Text::LastUsed,
            "expires" => Text::Expires,
            _ => Text::Name,
        };
        Column {
            label: page.t(label).into_owned(),
            query: query(&[("sort", key), ("order", next)]),
            order: is_sorted.then_some(if is_descending {
                "descending"
            } else {
                "ascending"
            }),
        }
    };
    keys.iter().map(column).collect()
}

/// The position in a list before or after which a page is, and the number of the first token of that page, as a
/// field of a query has it.
#[derive(Debug, PartialEq)]
pub(super) struct PagePosition {
    /// Counted from 1. It is shown and nothing else: tokens that come or go meanwhile are not counted.
    pub(super) first: u64,
    /// In the order by status, the status at the position.
    pub(super) status: Option<TokenStatus>,
    /// The position, and the order that it belongs to; that of the tokens with the status if there is one.
    pub(super) cursor: PageCursor,
}

impl PagePosition {
    pub(super) fn new(
        first: u64,
        order: Order,
        status: Option<TokenStatus>,
        position: Position,
    ) -> Self {
        let sort = match order {
            Order::By(sort) => sort,
            Order::ByStatus { .. } => Sort::LATEST_FIRST,
        };
        let after = position;
        let cursor = PageCursor { sort, after };
        Self {
            first,
            status,
            cursor,
        }
    }

    pub(super) fn encode(&self) -> String {
        let status = self.status.map(|status| format!("{}.", status.as_str()));
        let status = status.unwrap_or_default();
        format!("{}.{status}{}", self.first, self.cursor.encode())
    }

    /// Returns the position that a query has, if it belongs to this order.
    pub(super) fn decode(text: &str, order: Order) -> Option<Self> {
        let (first, rest) = text.split_once('.')?;
        let (status, cursor) = match rest.split_once('.') {
            Some((status, cursor)) => (Some(status.parse().ok()?), cursor),
            None => (None, rest),
        };
        let cursor = PageCursor::decode(cursor)?;
        let is_of_order = match order {
            Order::By(sort) => status.is_none() && cursor.sort == sort,
            Order::ByStatus { .. } => status.is_some() && cursor.sort == Sort::LATEST_FIRST,
        };
        let position = Self {
            first: first.parse().ok()?,
            status,
            cursor,
        };
        is_of_order.then_some(position)
    }
}

/// How many tokens a list has.
#[derive(Clone, Copy)]
pub(super) enum Total {
    Exactly(u64),
    MoreThan(u64),
}

/// Returns what a list says above and below its table: how many tokens there are, and which of them are on this
/// page, if there are others. `first` is counted from 1.
pub(super) fn range(page: &Page, first: u64, on_page: u64, total: Total) -> String {
    let text = match total {
        Total::Exactly(total) if on_page >= total || on_page == 0 => Text::Found(total),
        Total::Exactly(total) => {
            // Tokens that came or went since the page before may have moved the numbers.
            let first = first.clamp(1, total - on_page + 1);
            let last = first + on_page - 1;
            Text::Range { first, last, total }
        }
        Total::MoreThan(counted) => {
            let last = first + on_page.saturating_sub(1);
            Text::RangeOfMany {
                first,
                last,
                least: counted.max(last),
            }
        }
    };
    page.t(text).into_owned()
}

#[cfg(test)]
mod tests {
    use pat_core::TokenId;
    use pat_core::search::SortValue;

    use super::*;

    #[test]
    fn an_order_comes_back_from_its_fields() {
        let keys = KEYS.map(|(_, key)| key);
        let orders = [false, true].into_iter().flat_map(|is_descending| {
            let by_key = keys.map(|key| Order::By(Sort { key, is_descending }));
            by_key
                .into_iter()
                .chain([Order::ByStatus { is_descending }])
        });
        for expected in orders {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(fields_of(expected));
            let query = query.finish();
            assert_eq!(order(&Fields::of_query(Some(&query))), expected, "{query}");
        }
        assert_eq!(order(&Fields::default()), Order::LATEST_FIRST);
        assert_eq!(fields_of(Order::LATEST_FIRST), []);
    }

    #[test]
    fn a_position_belongs_to_one_order() {
        let by_name = Order::By(Sort {
            key: SortKey::Name,
            is_descending: false,
        });
        let by_status = Order::ByStatus {
            is_descending: true,
        };
        let at = |value| Position {
            value,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            id: TokenId::new(7).expect("an ID"),
        };
        let by_creation = at(SortValue::Time(jiff::Timestamp::UNIX_EPOCH));
        let status = Some(TokenStatus::Expired);
        let positions = [
            (
                by_name,
                PagePosition::new(51, by_name, None, at(SortValue::Text("ci.x".into()))),
            ),
            (
                by_status,
                PagePosition::new(1, by_status, status, by_creation.clone()),
            ),
            (
                Order::LATEST_FIRST,
                PagePosition::new(101, Order::LATEST_FIRST, None, by_creation),
            ),
        ];
        for (order, position) in &positions {
            let text = position.encode();
            for (other, _) in &positions {
                let decoded = PagePosition::decode(&text, *other);
                assert_eq!(decoded.as_ref() == Some(position), other == order, "{text}");
            }
        }
        for text in ["", "x", "51", "51.", "x.y", "51.EXPIRED", "51.LATE.e30"] {
            assert_eq!(PagePosition::decode(text, by_name), None, "{text}");
        }
    }
}

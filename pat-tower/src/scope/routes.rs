//! The routes of an axum router, with what each needs.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::routing::MethodFilter;
use http::Method;
use pat_core::scope::{ScopeCatalog, UndeclaredScope};

use super::head::RequestHead;
use super::need::{Need, RequiredScopes};

/// The methods that axum has routes for. All others are extension methods, which only a route for any method has.
const METHODS: [MethodFilter; 9] = [
    MethodFilter::GET,
    MethodFilter::HEAD,
    MethodFilter::POST,
    MethodFilter::PUT,
    MethodFilter::PATCH,
    MethodFilter::DELETE,
    MethodFilter::OPTIONS,
    MethodFilter::TRACE,
    MethodFilter::CONNECT,
];
const GET: usize = 0;
const HEAD: usize = 1;
/// The index of all extension methods.
const EXTENSION: usize = METHODS.len();

fn index_of(method: &Method) -> usize {
    match *method {
        Method::GET => GET,
        Method::HEAD => HEAD,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        Method::TRACE => 7,
        Method::CONNECT => 8,
        _ => EXTENSION,
    }
}

/// For each method what it needs, if it is declared.
type ByMethod = [Option<RequiredScopes>; EXTENSION + 1];

/// The declared routes: patterns, as in axum's `MatchedPath`, and methods.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes(BTreeMap<String, ByMethod>);

impl Routes {
    /// Declares what these methods of a route need.
    ///
    /// # Panics
    /// If one of them is declared.
    #[track_caller]
    pub(super) fn declare(
        &mut self,
        pattern: &str,
        methods: MethodFilter,
        scopes: &RequiredScopes,
    ) {
        let by_method = self.0.entry(pattern.to_owned()).or_default();
        for (slot, method) in by_method.iter_mut().zip(METHODS) {
            if methods.or(method) == methods {
                fill(slot, scopes.clone(), pattern);
            }
        }
    }

    /// Declares what the extension methods of a route need.
    #[track_caller]
    pub(super) fn declare_extensions(&mut self, pattern: &str, scopes: RequiredScopes) {
        let by_method = self.0.entry(pattern.to_owned()).or_default();
        fill(&mut by_method[EXTENSION], scopes, pattern);
    }

    /// Returns the methods of a route that are not declared, but for extension methods. `HEAD` is declared by `GET`.
    pub(super) fn undeclared_methods(&self, pattern: &str) -> Option<MethodFilter> {
        let declared = self.0.get(pattern);
        let is_free = |index: usize| {
            declared.is_none_or(|by_method| {
                by_method[index].is_none() && (index != HEAD || by_method[GET].is_none())
            })
        };
        let free = METHODS.into_iter().enumerate();
        let mut free = free.filter(|(index, _)| is_free(*index));
        let (_, first) = free.next()?;
        Some(free.fold(first, |all, (_, method)| all.or(method)))
    }

    /// Adds the routes of another router, under this prefix.
    #[track_caller]
    pub(super) fn nest(&mut self, prefix: &str, other: Self) {
        let nested = other.0.into_iter();
        let nested = nested.map(|(pattern, needs)| (nested_pattern(prefix, &pattern), needs));
        self.merge(Self(nested.collect()));
    }

    /// Adds the routes of another router.
    #[track_caller]
    pub(super) fn merge(&mut self, other: Self) {
        for (pattern, needs) in other.0 {
            let by_method = self.0.entry(pattern.clone()).or_default();
            for (slot, need) in by_method.iter_mut().zip(needs) {
                if let Some(scopes) = need {
                    fill(slot, scopes, &pattern);
                }
            }
        }
    }

    pub(super) fn resolve(self, catalog: &ScopeCatalog) -> Result<ResolvedRoutes, UndeclaredScope> {
        let mut routes = HashMap::with_capacity_and_hasher(self.0.len(), BuildHasherDefault::new());
        for (pattern, by_method) in self.0 {
            let mut needs = [Need::Undeclared; EXTENSION + 1];
            for (need, scopes) in needs.iter_mut().zip(&by_method) {
                if let Some(scopes) = scopes {
                    *need = scopes.resolve(catalog)?;
                }
            }
            // As in axum, `HEAD` calls the handler for `GET` unless it has its own.
            if by_method[HEAD].is_none() {
                needs[HEAD] = needs[GET];
            }
            routes.insert(pattern.into(), needs);
        }
        let has_matched = AtomicBool::new(false);
        Ok(ResolvedRoutes {
            routes,
            has_matched,
        })
    }
}

#[track_caller]
fn fill(slot: &mut Option<RequiredScopes>, scopes: RequiredScopes, pattern: &str) {
    assert!(
        slot.is_none(),
        "a method of the route {pattern:?} is declared twice; declare the methods of a route before `any`"
    );
    *slot = Some(scopes);
}

/// The pattern that axum gives to a route of a nested router.
fn nested_pattern(prefix: &str, pattern: &str) -> String {
    if prefix.ends_with('/') {
        format!("{prefix}{}", pattern.trim_start_matches('/'))
    } else if pattern == "/" {
        prefix.to_owned()
    } else {
        format!("{prefix}{pattern}")
    }
}

/// Routes whose names of scopes are sets.
#[derive(Debug)]
pub(super) struct ResolvedRoutes {
    routes: HashMap<Box<str>, [Need; EXTENSION + 1], BuildHasherDefault<PatternHasher>>,
    /// Whether a request had a matched path.
    has_matched: AtomicBool,
}

impl ResolvedRoutes {
    pub(super) fn need(&self, head: RequestHead<'_>) -> Need {
        let Some(pattern) = head.matched_path() else {
            return Need::Undeclared;
        };
        // Read first, since cores that write the same value all the time wait for each other.
        if !self.has_matched.load(Ordering::Relaxed) {
            self.has_matched.store(true, Ordering::Relaxed);
        }
        let by_method = self.routes.get(pattern);
        by_method.map_or(Need::Undeclared, |needs| needs[index_of(head.method())])
    }

    pub(super) fn has_never_matched(&self) -> bool {
        !self.has_matched.load(Ordering::Relaxed)
    }
}

/// Hashes a pattern, eight bytes at a time. The patterns are the host's, so no client can choose some that collide, and
/// the default hasher, which prevents that, takes longer than all the rest of a look-up.
#[derive(Default)]
struct PatternHasher(u64);

impl Hasher for PatternHasher {
    fn write(&mut self, bytes: &[u8]) {
        // An odd number without a pattern in its bits: 2⁶⁴ divided by the golden ratio.
        const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
        }
    }

    fn finish(&self) -> u64 {
        // The lower bits of a product depend on the lower bits of its factors alone.
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_the_index_of_its_filter() {
        for (index, filter) in METHODS.into_iter().enumerate() {
            let methods = [
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::OPTIONS,
                Method::TRACE,
                Method::CONNECT,
            ];
            let mut methods = methods.into_iter();
            let method =
                methods.find(|method| MethodFilter::try_from(method.clone()).ok() == Some(filter));
            assert_eq!(method.as_ref().map(index_of), Some(index));
        }
        let extension = Method::from_bytes(b"PROPFIND").expect("a method");
        assert_eq!(index_of(&extension), EXTENSION);
    }
}

use pat_core::Administration;

/// Who reads the page about a token.
#[derive(Clone, Copy)]
pub(in crate::pages) enum Reader<'a> {
    Owner,
    Administrator(&'a Administration<'a>),
}

/// What a form or a query holds, in its order. Anything can be read as one: bytes that are no UTF-8
/// become replacement characters.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    pub(super) fn of_query(query: Option<&str>) -> Self {
        Self::parse(query.unwrap_or_default().as_bytes())
    }

    /// The first field of this name; empty if there is none.
    pub(super) fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.find(name).unwrap_or_default()
    }

    /// The first field of this name.
    pub(super) fn find<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// All fields of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.iter().filter(move |(key, _)| key == name);
        fields.map(|(_, value)| value.as_str())
    }

    /// The names of the fields that are not empty.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let fields = self.0.iter().filter(|(_, value)| !value.is_empty());
        fields.map(|(key, _)| key.as_str())
    }
}

//! The templates and their messages.

use pat_core::messages::Messages;

/// The IDs of messages in the text of a template: `t("mail-created-done")`.
fn messages_of(template: &str) -> impl Iterator<Item = &str> {
    let calls = template.split("t(\"").skip(1);
    let ids = calls.filter_map(|call| call.split('"').next());
    ids.filter(|id| id.starts_with(char::is_alphabetic))
}

#[test]
fn templates_use_every_message_of_mails() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let entries = |folder: &std::path::Path| -> Vec<_> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let files = entries(&folder).into_iter().flat_map(|path| {
        if path.is_dir() {
            entries(&path)
        } else {
            vec![path]
        }
    });
    let templates: Vec<_> = files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let used: std::collections::BTreeSet<_> = templates
        .iter()
        .flat_map(|template| messages_of(template))
        .collect();
    // Those of the fields of a token.
    let fields = ["mail-never", "mail-no-scopes", "mail-when"];
    let unused: Vec<_> = Messages::ids()
        .filter(|id| id.starts_with("mail-") && !used.contains(id) && !fields.contains(id))
        .collect();
    assert!(unused.is_empty(), "no template uses {unused:?}");
    for id in used {
        assert!(Messages::arguments(id).is_some(), "{id}");
    }
}

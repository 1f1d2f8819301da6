//! Makes modules of the examples that people begin from, so that tests can run their `main`: on a free port,
//! and with a stream of events, as they are soon given one.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let stream = "\
        .route(\"/events\", get(async |_: Pat| {\n\
            use axum::response::sse::{Event, Sse};\n\
            Sse::new(futures_util::stream::pending::<Result<Event, BoxError>>())\n\
        }))\n\
        .nest(\"/rest";
    make("axum", &[(".nest(\"/rest", stream)]);
    make("hyper", &[]);
    make("scopes", &[]);
}

fn make(name: &str, changes: &[(&str, &str)]) {
    let source = Path::new("../examples").join(name).with_extension("rs");
    println!("cargo::rerun-if-changed={}", source.display());
    let text = fs::read_to_string(source).expect("an example");
    // The text is included, where the docs of a module cannot stand.
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    let mut module = lines.collect::<Vec<_>>().join("\n");
    let always = [
        ("127.0.0.1:3000", "127.0.0.1:0"),
        ("async fn main()", "pub(crate) async fn main()"),
    ];
    for (there, instead) in always.iter().chain(changes) {
        assert_eq!(module.matches(there).count(), 1, "{there} in {name}.rs");
        module = module.replace(there, instead);
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("a folder"));
    fs::write(folder.join(name).with_extension("rs"), module).expect("a file");
}

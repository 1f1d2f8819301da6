//! The names of tests.
//!
//! A test's name is the path of its function, such as `jobs::prune::the_prune_job_trims_old_rows`. A test
//! of the library `pat_chaos` begins with `chaos::`. Where one function makes several tests, what they
//! differ in stands behind it: a case, and at the end the database, as in
//! `stores::every_store::a_revocation_happens_once::on_postgres`. A server that a test has for itself is
//! `on_own_postgres`. So `::on_` finds the tests on databases, and `on_mariadb` those on MariaDB.

/// The name of a test that is made from this function.
pub fn name_of<T>(_: &T) -> String {
    let path = std::any::type_name::<T>();
    let (package, name) = path.split_once("::").expect("a path");
    assert!(
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte)),
        "a test is a function with a name: {path}"
    );
    match package.strip_prefix("pat_") {
        Some(library) => format!("{library}::{name}"),
        None => name.to_owned(),
    }
}

/// The name of the test that this function makes in one of several cases.
pub fn name_in_case<T>(test: &T, case: &str) -> String {
    format!("{}::{case}", name_of(test))
}

/// The name of the test that this function makes on one of several databases.
pub fn name_on<T>(test: &T, database: &str) -> String {
    name_in_case(test, &format!("on_{database}"))
}

/// The name of the test that this function makes on a server of its own.
pub fn name_on_own<T>(test: &T, server: &str) -> String {
    name_on(test, &format!("own_{server}"))
}

//! What every state of every page is checked for, and its pictures.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;
use pat_harness::browser::{Browser, axe_missing};
use pat_harness::names::name_of;
use pat_harness::{named_trial_with_need, target_folder};
use serde_json::{Value, json};

/// Why the markup cannot be checked, or nothing if it can.
fn validator_missing() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_java = std::env::split_paths(&path).any(|folder| folder.join("java").is_file());
    (!has_java || !validator().is_file())
        .then_some("needs java, and vnu-jar in the target folder; run .ci/setup")
}

/// Where `.ci/setup` has put the npm package `vnu-jar`.
fn validator() -> PathBuf {
    target_folder().join("vnu/node_modules/vnu-jar/build/dist/vnu.jar")
}

/// Where the pictures go: `.ci/screenshots` sets the variable.
static PICTURES: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| std::env::var_os("PAT_TEST_SCREENSHOTS").map(PathBuf::from));

/// The markup of the states that were checked since [`check_markup`], by name.
static MARKUP: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// A test that calls [`check`] for each state of some pages.
pub(super) fn trial_of_states<F>(test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    let missing = axe_missing().or_else(validator_missing);
    named_trial_with_need(name_of(&test), "axe", missing, async || {
        test().await;
        // Of a test that runs at the same time, the states so far are among them.
        let checked = tokio::task::spawn_blocking(check_markup).await;
        checked.expect("the markup is as it should be");
    })
}

/// Checks that nothing sticks out of any screen, and that axe-core has nothing to say. Keeps the markup for
/// [`check_markup`], and takes pictures if `.ci/screenshots` asks for them. `state` names the page and what is
/// special about it.
pub(in crate::pages) async fn check(browser: &Browser, state: &str) {
    let markup = markup(browser).await;
    MARKUP
        .lock()
        .expect("no poison")
        .push((state.to_owned(), markup));
    let excess = "return document.documentElement.scrollWidth - window.innerWidth";
    for width in [1200, 1000, 840, 600, 360] {
        browser.screen(width, false).await;
        let excess = browser.run(excess).await;
        assert!(
            excess.as_i64() <= Some(0),
            "{state} at {width}: {excess} too wide"
        );
    }
    for (width, is_dark) in [(1200, false), (360, true), (360, false), (1200, true)] {
        browser.screen(width, is_dark).await;
        let found = browser.accessibility().await;
        assert!(
            found.is_empty(),
            "{state} at {width}, dark: {is_dark}: {found:#?}"
        );
        take_picture(browser, state, width, is_dark).await;
    }
    browser.wide(false).await;
}

/// Saves a picture of the whole page, such as `tokens-new-1200-light.png`, if `.ci/screenshots` asks for it.
pub(crate) async fn take_picture(browser: &Browser, state: &str, width: u32, is_dark: bool) {
    let Some(folder) = &*PICTURES else {
        return;
    };
    let size = browser
        .run("return document.documentElement.scrollHeight")
        .await;
    // The browser refuses what is much longer.
    let height = size.as_u64().unwrap_or(900).clamp(400, 8_000);
    let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
    let parameters = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
    let picture = browser.cdp("Page.captureScreenshot", parameters).await;
    let picture = picture["data"].as_str().expect("a picture");
    let picture = STANDARD.decode(picture).expect("base64");
    let scheme = if is_dark { "dark" } else { "light" };
    let file = folder.join(format!("{}-{width}-{scheme}.png", file_name(state)));
    fs::create_dir_all(folder).expect("a folder");
    fs::write(file, picture).expect("a file");
}

/// The name of a state as the name of a file: letters and digits with hyphens between them.
fn file_name(state: &str) -> String {
    let words = state.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    match words.join("-").to_lowercase() {
        name if name.is_empty() => "home".to_owned(),
        name => name,
    }
}

/// The markup as the server sent it, before the page's script changed it.
async fn markup(browser: &Browser) -> String {
    let tree = browser.cdp("Page.getFrameTree", json!({})).await;
    // The request of a page has the ID of its loader.
    let request = json!({"requestId": tree["frameTree"]["frame"]["loaderId"]});
    let body = browser.cdp("Network.getResponseBody", request).await;
    body["body"].as_str().expect("a text").to_owned()
}

/// What the Nu Html Checker says although the markup is as it should be: a part of the message, and why it is kept.
const ACCEPTED: [(&str, &str); 5] = [
    ("role is unnecessary for element", BLOCKS),
    ("The “role” attribute must not be used on a “t", BLOCKS),
    (
        "Empty heading.",
        "the script puts the question into the heading of the dialog before it opens",
    ),
    ("The literal did not satisfy the date format.", TYPED),
    ("Saw U+0000 in stream.", TYPED),
];
const TYPED: &str = "what a link says is shown as it is, beside what is wrong with it";
const BLOCKS: &str = "on narrow screens, the rows of a table are laid out as blocks, and browsers then take a table \
                      for one only by its roles";

/// Checks the markup of these states with the Nu Html Checker.
fn check_markup() {
    let states = std::mem::take(&mut *MARKUP.lock().expect("no poison"));
    if states.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (number, (_, markup)) in states.iter().enumerate() {
        fs::write(folder.path().join(format!("{number}.html")), markup).expect("a file");
    }
    let mut command = Command::new("java");
    command.arg("-jar").arg(validator());
    command.args(["--format", "json", "--stdout", "--exit-zero-always"]);
    let checked = command
        .arg(folder.path())
        .output()
        .expect("the checker runs");
    let found: Value = serde_json::from_slice(&checked.stdout).expect("what it says");
    let found = found["messages"].as_array().expect("messages").iter();
    let found = found.filter_map(|message| {
        let text = message["message"].as_str()?;
        let file = message["url"].as_str()?.rsplit('/').next()?;
        let number: usize = file.strip_suffix(".html")?.parse().ok()?;
        let (state, _) = &states[number];
        let extract = message["extract"].as_str().unwrap_or_default();
        let is_accepted = ACCEPTED.iter().any(|(part, _why)| text.contains(part));
        (!is_accepted).then(|| format!("{state}: {text}\n    {extract}"))
    });
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

//! Chromium without a window, driven through chromedriver.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::ChromeCapabilities;
use thirtyfour::prelude::*;

use crate::target_folder;

/// Why there is none, or nothing if there is one.
pub fn missing() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let is_there = has("chromedriver") && (has("chromium") || has("google-chrome"));
    (!is_there).then_some("needs chromium and chromedriver; run .ci/setup")
}

/// Why accessibility cannot be checked, or nothing if it can.
pub fn axe_missing() -> Option<&'static str> {
    let needed = missing();
    needed.or_else(|| {
        (!axe().is_file()).then_some("needs axe-core in the target folder; run .ci/setup")
    })
}

/// Where `.ci/setup` has put the npm package `axe-core`.
fn axe() -> PathBuf {
    target_folder().join("axe/node_modules/axe-core/axe.min.js")
}

/// One browser with an empty profile, and its driver.
#[derive(Debug)]
pub struct Browser {
    /// Its driver.
    pub driver: WebDriver,
    base: String,
    process: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _status = self.process.wait();
    }
}

impl Browser {
    /// Starts one for the server at this address.
    pub async fn start(base: &str) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().expect("chromedriver starts");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let capabilities = capabilities(profile.path()).expect("capabilities");
        let address = format!("http://127.0.0.1:{}", port.expect("its port"));
        let driver = WebDriver::new(&address, capabilities).await;
        let browser = Self {
            driver: driver.expect("a browser"),
            base: base.to_owned(),
            process,
            _profile: profile,
        };
        browser.wide(false).await;
        // Keeps what pages are made of, for tests to read.
        browser.cdp("Network.enable", json!({})).await;
        browser
    }

    /// Ends the browser.
    pub async fn stop(self) {
        self.driver.clone().quit().await.expect("the browser ends");
    }

    /// Opens the page with this path.
    pub async fn go(&self, path: &str) {
        let address = format!("{}{path}", self.base);
        self.driver.goto(address).await.expect("a page");
    }

    /// The path and query of the page.
    pub async fn path(&self) -> String {
        let address = self.driver.current_url().await.expect("an address");
        let address = address.to_string();
        address
            .strip_prefix(&self.base)
            .unwrap_or(&address)
            .to_owned()
    }

    /// The one element of this selector, which may take a moment to appear.
    pub async fn find(&self, selector: &str) -> WebElement {
        let found = self.driver.query(By::Css(selector));
        let found = found.wait(Duration::from_secs(20), Duration::from_millis(20));
        found
            .first()
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Clicks on the element of this selector.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Clicks on what leads to another page, and waits for that.
    pub async fn follow(&self, selector: &str) {
        self.run("document.documentElement.dataset.old = true")
            .await;
        self.click(selector).await;
        self.find("html:not([data-old])").await;
        while self.run("return document.readyState").await != "complete" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Replaces the text in a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        element.clear().await.expect("an empty field");
        element.send_keys(text).await.expect("a filled field");
    }

    /// Returns the visible text of an element.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.expect("a text")
    }

    /// Returns whether a box is checked.
    pub async fn is_checked(&self, selector: &str) -> bool {
        let is_selected = self.find(selector).await.is_selected().await;
        is_selected.expect("a box")
    }

    /// Counts the elements of this selector.
    pub async fn count(&self, selector: &str) -> usize {
        let found = self.driver.find_all(By::Css(selector)).await;
        found.expect("elements").len()
    }

    /// What a script says.
    pub async fn run(&self, script: &str) -> Value {
        let result = self.driver.execute(script, Vec::new()).await;
        result.expect("a script").json().clone()
    }

    /// Sends a command of the Chrome `DevTools` Protocol, and returns its result.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        let result = self.driver.cdp().send_raw(command, parameters).await;
        result.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Signs in as this user, in place of any other.
    pub async fn sign_in(&self, user: &str) {
        self.cdp("Network.clearBrowserCookies", json!({})).await;
        self.go("/login").await;
        self.fill("#username", user).await;
        self.fill("#password", user).await;
        self.follow("main button").await;
        self.find("header nav").await;
    }

    /// Sets a wide screen, in a light or dark scheme.
    pub async fn wide(&self, is_dark: bool) {
        self.screen(1200, is_dark).await;
    }

    /// A screen of this width, in a light or dark scheme.
    pub async fn screen(&self, width: u32, is_dark: bool) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if is_dark { "dark" } else { "light" };
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.cdp("Emulation.setEmulatedMedia", scheme).await;
    }

    /// What axe-core finds wrong with the page, by the rules of WCAG 2.2 A and AA and good practice.
    pub async fn accessibility(&self) -> Vec<String> {
        // A page keeps it.
        if self.run("return typeof axe").await == "undefined" {
            let axe = std::fs::read_to_string(axe()).expect("axe-core");
            let loaded = self.driver.execute(axe, Vec::new()).await;
            loaded.expect("axe-core loads");
        }
        let script = "const done = arguments[arguments.length - 1]; \
            const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']; \
            axe.run(document, {runOnly: tags}).then(\
              result => done(result.violations.map(v => v.id + ': ' + v.help + ' ' \
                + v.nodes.map(n => n.target.join(' ')).join(', '))), \
              error => done(['failed: ' + error]));";
        let found = self.driver.execute_async(script, Vec::new()).await;
        found.expect("axe-core runs").convert().expect("a list")
    }
}

fn capabilities(profile: &Path) -> WebDriverResult<ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    let profile = format!("--user-data-dir={}", profile.display());
    for argument in [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        &profile,
    ] {
        capabilities.add_arg(argument)?;
    }
    Ok(capabilities)
}

//! The browser as a process: chromedriver, and Chromium behind it.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use thirtyfour::{CapabilitiesHelper, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};
use tokio::runtime::{Builder, Runtime};

/// The most starts of chromedriver for one browser.
const TRIES: usize = 5;

/// A browser, ended on drop.
pub(super) struct Driver {
    runtime: Runtime,
    web: WebDriver,
    process: Child,
}

impl Driver {
    /// Starts a browser; `None` where there is none and none is required.
    pub(super) fn start() -> Option<Self> {
        let wanted = env::var("ISOCHRON_BROWSER").unwrap_or_default();
        if wanted == "skip" {
            eprintln!("stories of the dashboard are left out: ISOCHRON_BROWSER=skip");
            return None;
        }
        let Some((process, url)) = start_chromedriver() else {
            assert_ne!(
                wanted, "require",
                "chromedriver does not start: install chromium and chromium-driver"
            );
            eprintln!("stories of the dashboard are left out: there is no chromedriver");
            return None;
        };
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-color-profile=srgb",
            "--hide-scrollbars",
        ] {
            capabilities.add_arg(argument).expect("an argument");
        }
        capabilities.set("goog:loggingPrefs", json!({ "browser": "ALL" })).expect("a capability");
        let web = runtime.block_on(WebDriver::new(url, capabilities)).expect("a session of the browser");
        Some(Self { runtime, web, process })
    }

    /// The session, and a way to wait for its answers.
    pub(super) fn web(&self) -> &WebDriver {
        &self.web
    }

    /// Waits for an answer of the browser.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Fails if the browser has ended already.
        let _ = self.runtime.block_on(self.web.clone().quit());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts chromedriver on a free port, and returns its address.
fn start_chromedriver() -> Option<(Child, String)> {
    // It wants one port of both protocols of IP, and ends when another program has the second.
    (0..TRIES).find_map(|_| {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().ok()?;
        let output = BufReader::new(process.stdout.take()?);
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        if port.is_none() {
            let _ = process.wait();
        }
        Some((process, format!("http://127.0.0.1:{}", port?)))
    })
}

//! A page as a person uses it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
};

use data_encoding::BASE64;
use serde_json::{Value, json};
use thirtyfour::{WebElement, prelude::*};

use super::driver::Driver;
use crate::harness::{Server, until};

const AXE: &str = include_str!("axe-4.14.1.min.js");

/// The rules of axe that every page keeps.
const RULES: &str = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";
/// Those of them that look at colours: a theme changes nothing else.
const RULES_OF_COLOURS: &str = "{ type: 'rule', values: ['color-contrast', 'link-in-text-block'] }";

/// Ends what fades from one colour into another.
const REST: &str =
    "document.getAnimations().forEach((one) => { if (one instanceof CSSTransition) one.finish(); })";

/// Notes what a page does wrong while a story goes on.
const WATCH: &str = "
  const note = (text) => { sessionStorage.problems = (sessionStorage.problems ?? '') + location.pathname + ': ' + text + '\\n'; };
  addEventListener('securitypolicyviolation', (event) => note(`the policy forbids ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  addEventListener('error', (event) => note(`error ${event.message}`));
  addEventListener('unhandledrejection', (event) => note(`rejected ${event.reason}`));
  // A page that is left while it refreshes has its request cut.
  document.addEventListener('htmx:error', (event) => { if (!/Failed to fetch/.test(event.detail.error)) note(`htmx ${event.detail.error}`); });
";

/// Finds an element by its role and the start of its name.
const FIND: &str = "
  if (document.readyState !== 'complete') return null;
  const [role, name] = arguments;
  const kinds = { button: 'button, summary', link: 'a[href]', heading: 'h1, h2, h3', field: 'input, select, textarea', row: 'tr' };
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const said = (element) => (element.labels?.[0]?.innerText ?? element.getAttribute('aria-label') ?? element.innerText ?? '').trim();
  const dialog = document.querySelector('dialog[open]');
  return [...(dialog ?? document).querySelectorAll(kinds[role])].find((element) => shown(element) && said(element).startsWith(name)) ?? null;
";

/// Chooses the option of a list whose text starts with one.
const CHOOSE: &str = "
  const [field, text] = arguments;
  field.value = [...field.options].find((one) => one.text.startsWith(text)).value;
  field.dispatchEvent(new Event('change', { bubbles: true }));
";

/// Sizes of the pictures.
const SIZES: [(&str, u32, u32); 2] = [("desktop", 1280, 800), ("phone", 360, 740)];

/// A browser at the pages of one server.
pub(in crate::browser) struct Browser {
    story: String,
    base: String,
    driver: Driver,
}

impl Browser {
    /// Opens a browser at the login page; `None` where there is no browser.
    pub(in crate::browser) fn open(story: &str, server: &Server) -> Option<Self> {
        Self::open_at(story, &format!("http://{}", server.client().address()))
    }

    /// The same at another address, such as that of a proxy.
    pub(in crate::browser) fn open_at(story: &str, base: &str) -> Option<Self> {
        let driver = Driver::start()?;
        let browser = Self { story: story.to_owned(), base: base.to_owned(), driver };
        browser.tell("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": WATCH }));
        browser.tell("Emulation.setTimezoneOverride", &json!({ "timezoneId": "Europe/Berlin" }));
        browser.resize(1280, 800);
        browser.go("/login");
        Some(browser)
    }

    pub(in crate::browser) fn log_in(&self, token: &str) {
        self.fill("Token", token);
        self.click("button", "Log in");
        self.until_gone("field", "Token");
    }

    /// Goes to a page by its address.
    pub(in crate::browser) fn go(&self, path: &str) {
        let address = format!("{}{path}", self.base);
        self.driver.wait(self.driver.web().goto(address)).expect("the page loads");
    }

    pub(in crate::browser) fn back(&self) {
        self.driver.wait(self.driver.web().back()).expect("one page back");
    }

    pub(in crate::browser) fn reload(&self) {
        self.driver.wait(self.driver.web().refresh()).expect("the page loads again");
    }

    /// The address, without the server's part.
    pub(in crate::browser) fn path(&self) -> String {
        let address = self.driver.wait(self.driver.web().current_url()).expect("an address").to_string();
        address.strip_prefix(&self.base).unwrap_or(&address).to_owned()
    }

    pub(in crate::browser) fn title(&self) -> String {
        self.driver.wait(self.driver.web().title()).expect("a title")
    }

    /// Clicks on the element with a role and a name, once it is there.
    #[track_caller]
    pub(in crate::browser) fn click(&self, role: &str, name: &str) {
        until(&format!("{role} {name} is clicked"), || {
            let element = self.try_find(role, name)?;
            done(self.driver.wait(element.click()), &format!("click on {role} {name}"))
        });
    }

    /// Clicks on the first element of a selector.
    #[track_caller]
    pub(in crate::browser) fn click_css(&self, selector: &str) {
        until(&format!("{selector} is clicked"), || {
            let clicked = self.driver.wait(async {
                let element = self.driver.web().find(By::Css(selector)).await?;
                // What sticks to an edge of the page does not cover it there.
                let scroll = "arguments[0].scrollIntoView({ block: 'center' })";
                self.driver.web().execute(scroll, vec![element.to_json()?]).await?;
                element.click().await
            });
            done(clicked, &format!("click on {selector}"))
        });
    }

    /// Puts a text into a field, in the place of what it has.
    #[track_caller]
    pub(in crate::browser) fn fill(&self, label: &str, text: &str) {
        until(&format!("{label} is filled"), || {
            let field = self.try_find("field", label)?;
            let filled = self.driver.wait(async {
                if field.tag_name().await? == "select" {
                    let choice = CHOOSE;
                    self.driver.web().execute(choice, vec![field.to_json()?, json!(text)]).await.map(drop)
                } else {
                    field.clear().await?;
                    field.send_keys(text).await
                }
            });
            done(filled, &format!("fill {label}"))
        });
    }

    /// The value of a field.
    #[track_caller]
    pub(in crate::browser) fn value(&self, label: &str) -> String {
        let value = || self.driver.wait(self.try_find("field", label)?.prop("value")).ok();
        until(&format!("{label} has a value"), value).unwrap_or_default()
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(in crate::browser) fn press(&self, keys: impl Into<TypingData>) {
        until("the scripts of the page have run", || {
            (self.evaluate("document.readyState") == "complete").then_some(())
        });
        // A dialog that has just closed has the focus for a moment more.
        until("something that is shown has the focus", || {
            let shown = async { self.driver.web().active_element().await?.is_displayed().await };
            self.driver.wait(shown).is_ok_and(|shown| shown).then_some(())
        });
        let pressed =
            self.driver.wait(async { self.driver.web().active_element().await?.send_keys(keys).await });
        pressed.expect("keys are pressed");
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub(in crate::browser) fn until_text(&self, text: &str) {
        until(&format!("the page shows {text:?}"), || self.text().contains(text).then_some(()));
    }

    /// Waits until no element has a role and a name.
    #[track_caller]
    pub(in crate::browser) fn until_gone(&self, role: &str, name: &str) {
        until(&format!("there is no {role} {name} any more"), || {
            (!self.text().is_empty() && self.try_find(role, name).is_none()).then_some(())
        });
    }

    /// Waits until the page does not show a text.
    #[track_caller]
    pub(in crate::browser) fn until_no_text(&self, text: &str) {
        until(&format!("the page shows {text:?} no more"), || {
            let shown = self.text();
            (!shown.is_empty() && !shown.contains(text)).then_some(())
        });
    }

    /// Waits until the navigation marks a place.
    #[track_caller]
    pub(in crate::browser) fn until_current(&self, place: &str) {
        let marked = "document.querySelector('nav.main > ul > li > [aria-current=page]')?.innerText";
        until(&format!("{place} is marked"), || (self.evaluate(marked) == place).then_some(()));
    }

    /// Waits until the page hears of events.
    #[track_caller]
    pub(in crate::browser) fn until_live(&self) {
        until("the page is live", || (self.evaluate("document.body.dataset.live") == "yes").then_some(()));
    }

    /// The address of the server, with its base.
    pub(in crate::browser) fn base(&self) -> &str {
        &self.base
    }

    /// The text of the page as it is shown; none before its scripts have run.
    pub(in crate::browser) fn text(&self) -> String {
        self.evaluate("document.readyState === 'complete' ? document.body.innerText : ''")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The value of an expression in the page.
    pub(in crate::browser) fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        // A page that is just being replaced gives no answer.
        let answer = self.driver.wait(self.driver.web().cdp().send_raw("Runtime.evaluate", asked));
        answer.map(|answer| answer["result"]["value"].clone()).unwrap_or_default()
    }

    fn try_find(&self, role: &str, name: &str) -> Option<WebElement> {
        let found = self.driver.wait(self.driver.web().execute(FIND, vec![json!(role), json!(name)]));
        found.ok()?.element().ok()
    }

    /// Sends a command of the DevTools protocol.
    pub(in crate::browser) fn tell(&self, command: &str, arguments: &Value) -> Value {
        let answer = self.driver.wait(self.driver.web().cdp().send_raw(command, arguments));
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    pub(in crate::browser) fn resize(&self, width: u32, height: u32) {
        let mobile = width < 500;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.tell("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Checks a page without axe: nothing went wrong, nothing is wider than a small screen.
    #[track_caller]
    pub(in crate::browser) fn glance(&self, name: &str) {
        let problems = self.evaluate("sessionStorage.problems ?? ''");
        assert_eq!(problems.as_str(), Some(""), "problems of the pages so far");
        self.resize(320, 740);
        self.picture(&format!("{name}-narrow"));
        let overflow = self.evaluate(WIDEST);
        assert_eq!(overflow.as_str(), Some(""), "{name} is wider than a screen of 320 pixels");
        self.resize(1280, 800);
    }

    /// Opens a page in a new tab, which is then the one in front.
    pub(in crate::browser) fn open_tab(&self, path: &str) {
        let opened = self.driver.wait(async {
            let tab = self.driver.web().new_tab().await?;
            self.driver.web().switch_to_window(tab).await
        });
        opened.expect("a new tab");
        self.go(path);
    }

    /// Checks the page at each size and in both themes, and takes pictures.
    #[track_caller]
    pub(in crate::browser) fn look(&self, name: &str) {
        let problems = self.evaluate("sessionStorage.problems ?? ''");
        assert_eq!(problems.as_str(), Some(""), "problems of the pages so far");
        let foreign = self.evaluate(
            "performance.getEntries().map((entry) => entry.name).filter((name) => name.startsWith('http') && new URL(name).host !== location.host).join(' ')",
        );
        assert_eq!(foreign.as_str(), Some(""), "loaded from elsewhere");
        for (size, width, height) in SIZES {
            self.resize(width, height);
            for (scheme, rules) in [("light", RULES), ("dark", RULES_OF_COLOURS)] {
                let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
                self.tell("Emulation.setEmulatedMedia", &json!({ "features": features }));
                self.evaluate(REST);
                self.picture(&format!("{name}-{size}-{scheme}"));
                // Bars that stick to an edge cover nothing on a screen as high as the page.
                let whole = self.evaluate("document.documentElement.scrollHeight").as_u64();
                self.resize(width, whole.and_then(|whole| u32::try_from(whole).ok()).unwrap_or(height));
                let found = self.violations(rules);
                self.resize(width, height);
                assert!(found.is_empty(), "{name}, {size}, {scheme}:\n{}", found.join("\n"));
            }
        }
        self.resize(320, 740);
        let overflow = self.evaluate(WIDEST);
        assert_eq!(overflow.as_str(), Some(""), "{name} is wider than a screen of 320 pixels");
        self.resize(1280, 800);
    }

    /// Saves a picture of the page, if somebody wants to see pictures.
    pub(in crate::browser) fn picture(&self, name: &str) {
        if env::var_os("ISOCHRON_PICTURES").is_some() {
            self.save_picture(name);
        }
    }

    fn save_picture(&self, name: &str) {
        let height = self.evaluate("Math.min(document.documentElement.scrollHeight, 3000)");
        let width = self.evaluate("innerWidth");
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let taken =
            self.tell("Page.captureScreenshot", &json!({ "captureBeyondViewport": true, "clip": clip }));
        let image = BASE64.decode(taken["data"].as_str().unwrap_or_default().as_bytes()).expect("a picture");
        self.save(&format!("{name}.png"), &image);
    }

    /// Writes a picture of the upper part of the page to a file.
    pub(in crate::browser) fn photograph(&self, path: &Path, theme: &str, width: u32, height: u32) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme },
            { "name": "prefers-reduced-motion", "value": "reduce" }]);
        self.tell("Emulation.setEmulatedMedia", &json!({ "features": features }));
        self.resize(width, height);
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
        let taken = self.tell("Page.captureScreenshot", &json!({}));
        let image = BASE64.decode(taken["data"].as_str().unwrap_or_default().as_bytes()).expect("a picture");
        fs::write(path, image).expect("a file is written");
    }

    fn save(&self, name: &str, content: &[u8]) {
        let folder = pictures();
        fs::create_dir_all(&folder).expect("a folder for pictures");
        fs::write(folder.join(format!("{}-{name}", self.story)), content).expect("a file is written");
    }

    /// The findings of some rules of axe, one a line.
    fn violations(&self, rules: &str) -> Vec<String> {
        if self.evaluate("typeof axe") != "object" {
            self.evaluate(AXE);
        }
        let found = self.evaluate(&format!(
            "axe.run(document, {{ runOnly: {rules}, resultTypes: ['violations'] }})
              .then(({{ violations }}) => violations.map(({{ id, help, nodes }}) => `${{id}}: ${{help}}: ${{nodes.slice(0, 3).map(({{ html, any }}) => html + ' ' + (any[0]?.message ?? '')).join(' | ')}}`))",
        ));
        let found = found.as_array().unwrap_or_else(|| panic!("axe gave no answer")).iter();
        found.map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// The end of an act on an element; none if the page replaced, moved or covered it, so that nothing was done.
#[track_caller]
fn done(result: WebDriverResult<()>, act: &str) -> Option<()> {
    use thirtyfour::error::WebDriverErrorInner as Kind;
    match result {
        Ok(()) => Some(()),
        Err(error) => match error.as_inner() {
            Kind::StaleElementReference(_)
            | Kind::NoSuchElement(_)
            | Kind::ElementNotInteractable(_)
            | Kind::ElementClickIntercepted(_) => None,
            _ => panic!("{act}: {error}"),
        },
    }
}

/// The elements that reach beyond the right edge although nothing around them scrolls.
const WIDEST: &str = "document.documentElement.scrollWidth <= innerWidth ? '' :
  [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map((one) => one.outerHTML.slice(0, 120)).join(' | ') || 'the page'";

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser")
}

impl Drop for Browser {
    fn drop(&mut self) {
        if thread::panicking() {
            self.save_picture("failed");
            let page = self.evaluate("document.documentElement.outerHTML");
            self.save("failed.html", page.as_str().unwrap_or_default().as_bytes());
            eprintln!("--- the page {} ---\n{}", self.path(), self.text());
            eprintln!("--- its problems ---\n{}", self.evaluate("sessionStorage.problems ?? ''"));
        }
    }
}

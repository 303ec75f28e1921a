//! Stories of the dashboard in a real browser: does a person get done what they came for?
//!
//! A story uses the pages as people do: it follows links, fills fields and presses keys, and reads the text
//! that is on the page. [`Browser::look`] checks what every page owes its readers: axe finds nothing, the console is
//! empty, nothing is loaded from elsewhere, nothing overflows on a small screen. With `ISOCHRON_PICTURES` in the
//! environment it takes pictures of the page (`target/tmp/browser`).
//!
//! `ISOCHRON_BROWSER` says what a machine without Chromium does: with `require` the stories fail, with `auto`
//! (the default) and `skip` they are left out.

mod account;
mod alerts;
mod base;
mod crowd;
mod forms;
mod hostile;
mod lists;
mod live;
mod palette;
mod pictures;
mod reference;
mod roles;
mod tools;
mod views;

use self::tools::Browser;
use crate::harness::{Home, Server};

/// Opens a browser that is logged in, at a page; `None` where there is no browser.
fn visit(story: &str, server: &Server, page: &str) -> Option<Browser> {
    let browser = Browser::open(story, server)?;
    browser.log_in(server.client().token());
    browser.go(page);
    Some(browser)
}

/// Starts a server with the handlers that stories use.
fn start() -> Server {
    let server = Server::start();
    write_handlers(&server.home);
    server
}

/// Writes the handlers that stories use.
fn write_handlers(home: &Home) {
    home.write("greet", "module.exports = (params) => { console.log(`hello ${params.name}`); return { greeted: params.name }; };");
    home.write(
        "fail",
        "module.exports = () => { console.error('no luck'); throw new Error('the coffee is empty'); };",
    );
}

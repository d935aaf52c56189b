//! The operations room: in a real browser, and attacked without one. `PICTURES=folder` keeps pictures of
//! what was seen.

mod acting;
mod finding;
mod jobs;
mod looking;
mod replaying;
mod security;
mod tenants;
mod waiting;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use gateway_tests::browser::Browser;
use gateway_tests::client::{ApiClient, SendRequest};
use gateway_tests::world::World;
use reqwest::Client;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::json;

/// Where `.ci/tools` puts the rules of accessibility.
const AXE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/axe/node_modules/axe-core/axe.min.js"
);

/// A browser in the room.
struct Room {
    browser: Browser,
    base: String,
}

impl Room {
    /// Signs in with a key of this role.
    async fn enter(world: &World, role: &str) -> Result<Self> {
        let key = world.installation().create_operator(role).await?;
        Self::enter_with(world, &key).await
    }

    /// Signs in with what is typed.
    async fn enter_with(world: &World, key: &str) -> Result<Self> {
        let base = world.apis[0].ops.trim_end_matches("/ops").to_owned();
        let mut browser = Browser::start(1_280, 900).await?;
        browser.open(&format!("{base}/ops")).await?;
        browser
            .wait_for("document.activeElement?.id === 'key'")
            .await?;
        browser.type_text(key).await?;
        browser.press("Enter").await?;
        browser
            .wait_for(
                "document.querySelector('h1')?.textContent === 'Overview' && document.readyState === 'complete'",
            )
            .await?;
        Ok(Self { browser, base })
    }

    /// Goes to a page.
    async fn open(&mut self, path: &str) -> Result<()> {
        self.browser.open(&format!("{}{path}", self.base)).await?;
        self.browser
            .wait_for("document.readyState === 'complete' && document.querySelector('h1') !== null")
            .await
    }

    /// Waits until the page says this, by itself.
    async fn says(&mut self, text: &str) -> Result<()> {
        let text = json!(text.to_lowercase());
        self.browser
            .wait_for(&format!(
                "(document.body?.innerText ?? '').toLowerCase().includes({text})"
            ))
            .await
    }

    /// Presses the button with this text; says yes where it is asked.
    async fn press(&mut self, label: &str) -> Result<()> {
        let name = json!(label);
        let found = format!(
            "[...document.querySelectorAll('main form button')].find((one) => one.textContent === {name})"
        );
        self.browser.wait_for(&format!("Boolean({found})")).await?;
        self.browser
            .evaluate(&format!("({found}).click()"))
            .await
            .map(|_| ())
    }

    /// Says yes in the dialog, after typing a number where one is wanted.
    async fn confirm(&mut self, number: Option<&str>) -> Result<()> {
        self.browser
            .wait_for("document.getElementById('confirm').open")
            .await?;
        if let Some(number) = number {
            let go = "document.querySelector('#confirm button[value=go]').disabled";
            let refused = self.browser.evaluate(go).await?;
            ensure!(refused == json!(true), "it goes on without the number");
            self.browser
                .evaluate("document.querySelector('#confirm input').focus()")
                .await?;
            self.browser.type_text(number).await?;
        }
        self.browser
            .evaluate("document.querySelector('#confirm button[value=go]').click()")
            .await
            .map(|_| ())
    }

    /// Keeps a picture.
    async fn picture(&mut self, name: &str) -> Result<()> {
        let Some(folder) = std::env::var_os("PICTURES") else {
            return Ok(());
        };
        let file = PathBuf::from(folder).join(format!("{name}.png"));
        self.browser.picture(&file).await
    }

    /// Accuses the page: of what axe finds serious, of being wider than the window.
    async fn accuse_page(&mut self) -> Result<()> {
        self.browser
            .wait_for("document.documentElement.scrollWidth <= innerWidth")
            .await?;
        let without = std::env::var("GATEWAY_TESTS_WITHOUT").unwrap_or_default();
        if without.split_whitespace().any(|one| one == "axe") {
            return Ok(());
        }
        let rules = std::fs::read_to_string(AXE).context(
            "axe-core is not installed: `.ci/tools`, or GATEWAY_TESTS_WITHOUT=axe to go without",
        )?;
        self.browser.evaluate(&format!("{rules};0")).await?;
        let found = self
            .browser
            .evaluate(
                "axe.run(document, { resultTypes: ['violations'] }).then((found) => \
                 JSON.stringify(found.violations.filter((one) => ['serious', 'critical']\
                 .includes(one.impact)).map((one) => [one.id, one.nodes.slice(0, 3)\
                 .map((node) => node.html.slice(0, 200))])))",
            )
            .await?;
        ensure!(found == json!("[]"), "axe: {found}");
        Ok(())
    }

    /// Accuses all pages that were seen: no error in the console, no request to another host.
    fn accuse(&self) -> Result<()> {
        self.browser.accuse(self.base.trim_start_matches("http://"))
    }
}

/// What speaks to the room without a browser.
struct Visitor {
    http: Client,
    base: String,
    cookie: String,
    csrf: String,
}

impl Visitor {
    /// Signs in with a key of this role.
    async fn enter(world: &World, role: &str) -> Result<Self> {
        let key = world.installation().create_operator(role).await?;
        let base = world.apis[0].ops.trim_end_matches("/ops").to_owned();
        let http = Client::builder().redirect(Policy::none()).build()?;
        let answer = http
            .post(format!("{base}/ops/sign-in"))
            .form(&[("key", key.as_str())])
            .send()
            .await?;
        ensure!(answer.headers().contains_key(LOCATION), "not let in");
        let set = answer.headers().get(SET_COOKIE).context("no cookie")?;
        let set = set.to_str()?.to_owned();
        ensure!(
            set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Max-Age="),
            "{set}"
        );
        let cookie = set.split(';').next().unwrap_or_default().to_owned();
        let mut visitor = Self {
            http,
            base,
            cookie,
            csrf: String::new(),
        };
        let page = visitor.page("/ops").await?;
        let (_, rest) = page
            .split_once("name=\"csrf\" value=\"")
            .context("no token")?;
        visitor.csrf = rest.split('"').next().unwrap_or_default().to_owned();
        Ok(visitor)
    }

    /// The text of a page.
    async fn page(&self, path: &str) -> Result<String> {
        let url = format!("{}{path}", self.base);
        let answer = self.http.get(url).header(COOKIE, &self.cookie).send();
        Ok(answer.await?.text().await?)
    }

    /// Sends a form; gives the status of the answer.
    async fn act(&self, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Result<u16> {
        let mut request = self
            .http
            .post(format!("{}/ops/actions", self.base))
            .header(COOKIE, &self.cookie)
            .form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(request.send().await?.status().as_u16())
    }
}

/// An asynchronous text; its outbox id.
async fn queue(api: &ApiClient, session: &str, to: &str, text: &str) -> Result<String> {
    let send = SendRequest::text(to, text).asynchronous();
    let answer = api.send(session, &send).await?;
    answer.expect(202)?.text("outboxId")
}

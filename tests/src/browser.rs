//! A real browser (Chromium without a window), for the pages that the product serves.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::client::eventually;

/// How long the browser may take for one step.
const PATIENCE: Duration = Duration::from_secs(60);
/// The names under which distributions have it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;
type Seen = Arc<Mutex<Vec<Value>>>;

/// A running browser with one page. It ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    _process: Child,
    _profile: tempfile::TempDir,
    send: mpsc::UnboundedSender<Message>,
    waiting: Waiting,
    /// Everything the page did and said, as the browser tells it.
    seen: Seen,
    session: String,
    next: u64,
}

impl Browser {
    /// Starts a browser with an empty page of this size.
    ///
    /// # Errors
    /// When there is none on this machine (`apt-get install chromium`), or it does not start.
    pub async fn start(width: u32, height: u32) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut process = launch(profile.path())?;
        let stderr = process.stderr.take().context("no stderr")?;
        let address = timeout(PATIENCE, address(BufReader::new(stderr))).await??;
        let (socket, _) = connect_async(address).await?;
        let (mut write, mut read) = socket.split();
        let (send, mut queue) = mpsc::unbounded_channel::<Message>();
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                if write.send(message).await.is_err() {
                    return;
                }
            }
        });
        let (waiting, seen) = (Waiting::default(), Seen::default());
        let (answers, events) = (Arc::clone(&waiting), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Some(Ok(message)) = read.next().await {
                let Ok(text) = message.into_text() else {
                    continue;
                };
                let Ok(value) = serde_json::from_str::<Value>(&text) else {
                    continue;
                };
                match value["id"].as_u64() {
                    Some(id) => {
                        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Some(answer) = answers.remove(&id) {
                            let _ = answer.send(value);
                        }
                    }
                    None => events
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(value),
                }
            }
        });
        let mut browser = Self {
            _process: process,
            _profile: profile,
            send,
            waiting,
            seen,
            session: String::new(),
            next: 0,
        };
        let page = json!({ "url": "about:blank" });
        let page = browser.call("Target.createTarget", &page).await?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach).await?;
        let session = attached["sessionId"].as_str().context("no session")?;
        session.clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser
                .call(&format!("{domain}.enable"), &json!({}))
                .await?;
        }
        browser.resize(width, height).await?;
        Ok(browser)
    }

    /// Gives the page another size, in CSS pixels.
    ///
    /// # Errors
    /// When the browser does not answer, as with all of these.
    pub async fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", &size)
            .await?;
        Ok(())
    }

    /// Prefers dark or light, as the system of its user would.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn dark(&mut self, dark: bool) -> Result<()> {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        )
        .await?;
        Ok(())
    }

    /// Presses and lets go a key: a character, or a name such as `Enter` or `Tab`.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn press(&mut self, key: &str) -> Result<()> {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            text => (0, text),
        };
        let down = json!({
            "type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code,
        });
        self.call("Input.dispatchKeyEvent", &down).await?;
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", &up).await?;
        Ok(())
    }

    /// Types a text into what has the focus.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn type_text(&mut self, text: &str) -> Result<()> {
        self.call("Input.insertText", &json!({ "text": text }))
            .await?;
        Ok(())
    }

    /// How many requests the page has made for addresses that hold a text.
    #[must_use]
    pub fn requests(&self, part: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = seen
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        let urls = requests.map(|event| &event["params"]["request"]["url"]);
        urls.filter(|url| url.as_str().is_some_and(|url| url.contains(part)))
            .count()
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// When it can not be reached.
    pub async fn open(&mut self, url: &str) -> Result<()> {
        let gone = self.call("Page.navigate", &json!({ "url": url })).await?;
        ensure!(gone["errorText"].is_null(), "{url}: {}", gone["errorText"]);
        Ok(())
    }

    /// What an expression is worth in the page.
    ///
    /// # Errors
    /// When it throws.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let answer = self.call("Runtime.evaluate", &asked).await?;
        let thrown = &answer["exceptionDetails"];
        ensure!(thrown.is_null(), "{expression}: {thrown}");
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn wait_for(&mut self, expression: &str) -> Result<()> {
        let what = format!("the page says {expression}");
        let browser = tokio::sync::Mutex::new(self);
        eventually(&what, async || {
            match browser.lock().await.evaluate(expression).await {
                Ok(value) => Ok((value == json!(true)).then_some(())),
                // It was asked of a page that is being left.
                Err(error) if between_pages(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// A picture of the page (PNG), written to a file.
    ///
    /// # Errors
    /// When the file can not be written.
    pub async fn picture(&mut self, file: &Path) -> Result<()> {
        let metrics = self.call("Page.getLayoutMetrics", &json!({})).await?;
        let (width, height) = (
            &metrics["cssLayoutViewport"]["clientWidth"],
            &metrics["cssContentSize"]["height"],
        );
        let shot = json!({
            "format": "png", "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": width, "height": height, "scale": 1 },
        });
        let shot = self.call("Page.captureScreenshot", &shot).await?;
        let data = shot["data"].as_str().context("no picture")?;
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, STANDARD.decode(data)?)?;
        Ok(())
    }

    /// Accuses the page: no exception, no error in its console, no request to another host than
    /// `host` (with its port). A refused load of the page itself (an HTTP status that the test
    /// expects) is no error of the page.
    ///
    /// # Errors
    /// When there is something to accuse.
    pub fn accuse(&self, host: &str) -> Result<()> {
        for event in self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => bail!("the page threw: {params}"),
                "Runtime.consoleAPICalled" if params["type"] == "error" => {
                    bail!("the page logged an error: {params}")
                }
                "Log.entryAdded"
                    if params["entry"]["level"] == "error"
                        && params["entry"]["source"] != "network" =>
                {
                    bail!("the browser complains of the page: {}", params["entry"])
                }
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().unwrap_or_default();
                    let own = format!("http://{host}/");
                    let inside = ["data:", "about:", "blob:"]
                        .iter()
                        .any(|scheme| url.starts_with(scheme));
                    ensure!(inside || url.starts_with(&own), "a request to {url}");
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        let (tell, told) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.next, tell);
        self.send
            .send(Message::text(message.to_string()))
            .map_err(|_| anyhow!("the browser is gone"))?;
        let answer = timeout(PATIENCE, told).await.context(method.to_owned())??;
        ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        Ok(answer["result"].clone())
    }
}

/// Whether a page could not answer since another one takes its place.
fn between_pages(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    [
        "navigated or closed",
        "Cannot find context",
        "context was destroyed",
    ]
    .iter()
    .any(|part| text.contains(part))
}

fn launch(profile: &Path) -> Result<Child> {
    for name in NAMES {
        let started = Command::new(name)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        if let Ok(process) = started {
            return Ok(process);
        }
    }
    bail!("no browser: install one with  apt-get install chromium")
}

/// Where the browser listens, as it says when it has started.
async fn address(stderr: BufReader<tokio::process::ChildStderr>) -> Result<String> {
    let mut lines = stderr.lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            let address = address.to_owned();
            // A pipe that nobody reads would block it.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address);
        }
    }
    bail!("the browser ended before it listened")
}

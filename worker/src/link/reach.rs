//! Whether somebody can be reached at all: an account that exists, with devices that get the message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use wacore_binary::{Jid, Node};
use whatsapp_rust::{Client, NodeFilter};

use super::numbers::variant;
use super::{Link, WaAddress};

/// How long questions gather before they are asked together.
const GATHER: Duration = Duration::from_millis(20);
/// Most numbers of one question.
const AT_ONCE: usize = 100;
/// How long an answer that a number is not on WhatsApp is believed, and one that it is.
const ABSENT_FOR: Duration = Duration::from_secs(600);
const PRESENT_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Most answers that are remembered for one link.
const REMEMBERED: usize = 10_000;

/// An account that WhatsApp knows a number by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its number as WhatsApp writes it: another than was asked for where a number is written in two
    /// ways.
    pub number: WaAddress,
    /// Its LID, where WhatsApp told it.
    pub lid: Option<WaAddress>,
    /// Whether it is a business account.
    pub business: bool,
}

/// WhatsApp could not be asked who exists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("WhatsApp did not say who is on it: {0}")]
pub struct Unasked(pub String);

type Found = Option<Registered>;
type Asked = Result<Found, Unasked>;

/// What is known of numbers, and what is being asked.
#[derive(Debug, Default)]
pub(super) struct Directory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, (Found, Instant)>,
    waiting: Vec<(String, oneshot::Sender<Asked>)>,
}

impl Directory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, number: &str) -> Option<Found> {
        let mut state = self.lock();
        let (found, since) = state.known.get(number)?;
        let life = if found.is_some() {
            PRESENT_FOR
        } else {
            ABSENT_FOR
        };
        if since.elapsed() < life {
            return Some(found.clone());
        }
        state.known.remove(number);
        None
    }

    fn remember(&self, number: &str, found: &Found) {
        let mut state = self.lock();
        if state.known.len() >= REMEMBERED {
            state.known.clear();
        }
        let entry = (found.clone(), Instant::now());
        state.known.insert(number.to_owned(), entry);
    }

    /// Puts a question; true where the caller is to see that what has gathered is asked.
    fn put(&self, number: &str) -> (oneshot::Receiver<Asked>, bool) {
        let (tell, emitted) = oneshot::channel();
        let mut state = self.lock();
        state.waiting.push((number.to_owned(), tell));
        (emitted, state.waiting.len() == 1)
    }
}

impl Link {
    /// Which account a number (digits) belongs to; nothing where it is not on WhatsApp. Questions
    /// that are put at the same time are asked together, and answers are remembered: ten minutes
    /// that there is none, a day that there is one.
    ///
    /// # Errors
    /// When WhatsApp does not answer.
    pub async fn registered(&self, number: &str) -> Result<Option<Registered>, Unasked> {
        let directory = &self.core.directory;
        if let Some(found) = directory.known(number) {
            return Ok(found);
        }
        let (emitted, first) = directory.put(number);
        if first {
            let (core, client) = (Arc::clone(&self.core), Arc::clone(&self.client));
            tokio::spawn(async move {
                sleep(GATHER).await;
                let waiting = std::mem::take(&mut core.directory.lock().waiting);
                for waiting in chunks(waiting) {
                    let numbers: Vec<&str> =
                        waiting.iter().map(|(number, _)| number.as_str()).collect();
                    let answer = ask(&client, &numbers).await;
                    for (number, tell) in waiting {
                        let answer = answer.clone().map(|mut found| {
                            let found = found.remove(&number).flatten();
                            core.directory.remember(&number, &found);
                            found
                        });
                        let _ = tell.send(answer);
                    }
                }
            });
        }
        let lost = |_| Err(Unasked("the link was closed".to_owned()));
        emitted.await.unwrap_or_else(lost)
    }

    /// As [`registered`](Self::registered), for several numbers, in their order.
    ///
    /// # Errors
    /// When WhatsApp does not answer.
    pub async fn all_registered(
        &self,
        numbers: &[String],
    ) -> Result<Vec<Option<Registered>>, Unasked> {
        let asked = numbers.iter().map(|number| self.registered(number));
        join_all(asked).await.into_iter().collect()
    }

    /// Whether somebody wrote to, or heard of, this person before: their LID is known then.
    pub(super) async fn is_acquainted(&self, person: &Jid) -> bool {
        let entry = self.client.get_lid_pn_entry(person).await;
        entry.is_ok_and(|entry| entry.is_some())
    }

    /// The stanza of a message, as soon as it is written: the library hands it over right before. To
    /// be called before it is sent.
    pub(super) fn watch_devices(
        &self,
        id: &str,
    ) -> impl Future<Output = Option<Arc<Node>>> + Send + use<> {
        let filter = NodeFilter::tag("message").attr("id", id);
        self.client.wait_for_sent_node(filter).map(Result::ok)
    }

    /// Whether a message that was written went to any device of somebody else. A message to oneself
    /// is meant for one's own.
    pub(super) fn reached_somebody(&self, stanza: &Node) -> bool {
        let own: Vec<Jid> = [self.client.pn(), self.client.lid()]
            .into_iter()
            .flatten()
            .collect();
        let stanza = stanza.as_node_ref();
        let is_own = |jid: &Jid| own.iter().any(|own| own.user == jid.user);
        let to = stanza.get_attr("to").and_then(|to| to.to_jid());
        if to.as_ref().is_some_and(is_own) {
            return true;
        }
        let Some(participants) = stanza.get_optional_child("participants") else {
            return true;
        };
        participants.get_children_by_tag("to").any(|copy| {
            let to = copy.get_attr("jid").and_then(|to| to.to_jid());
            to.is_some_and(|to| !is_own(&to))
        })
    }
}

fn chunks<T>(mut all: Vec<T>) -> Vec<Vec<T>> {
    let mut chunks = Vec::new();
    while all.len() > AT_ONCE {
        let rest = all.split_off(AT_ONCE);
        chunks.push(std::mem::replace(&mut all, rest));
    }
    chunks.push(all);
    chunks
}

/// Asks for numbers and their variants at once.
async fn ask(client: &Client, numbers: &[&str]) -> Result<HashMap<String, Found>, Unasked> {
    let mut wanted: Vec<String> = Vec::with_capacity(numbers.len() * 2);
    for number in numbers {
        for form in std::iter::once((*number).to_owned()).chain(variant(number)) {
            if !wanted.contains(&form) {
                wanted.push(form);
            }
        }
    }
    let jids: Vec<Jid> = wanted
        .iter()
        .map(|number| Jid::pn(number.as_str()))
        .collect();
    let answer = client.contacts().is_on_whatsapp(&jids).await;
    let answer = answer.map_err(|error| Unasked(error.to_string()))?;
    let mut registered: HashMap<String, Registered> = HashMap::new();
    for person in answer.iter().filter(|person| person.is_registered) {
        let number = person.pn_jid.as_ref().unwrap_or(&person.jid);
        let lid = person.lid.as_ref().or_else(|| {
            let jid = &person.jid;
            jid.is_lid().then_some(jid)
        });
        let account = Registered {
            number: WaAddress::from(number),
            lid: lid.map(WaAddress::from),
            business: person.is_business,
        };
        registered.insert(number.user.to_string(), account);
    }
    Ok(numbers
        .iter()
        .map(|number| {
            let found = registered.get(*number).cloned();
            let other = || registered.get(&variant(number)?).cloned();
            ((*number).to_owned(), found.or_else(other))
        })
        .collect())
}

//! The history of a freshly linked account is fetched a few at a time.
//!
//! A phone sends the history of its chats right after it linked a device, some megabytes at a time.
//! Where many are linked, or a worker takes over many fresh ones, these must not fill its memory at
//! once, so only a few are loaded at a time; everything else passes.

use std::io::{self, Read};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};
use wacore::stats::HttpResourceReport;

/// What stands in the address of a history blob.
const HISTORY: &str = "md-msg-hist";
/// How many of them a worker loads at a time.
const AT_ONCE: usize = 2;

/// The client that all links of a worker share.
#[derive(Clone)]
pub(super) struct Bounded {
    inner: Arc<dyn HttpClient>,
    histories: Arc<Semaphore>,
}

impl Bounded {
    /// The same bound for what goes another way.
    pub(super) fn by_another_way(&self, inner: Arc<dyn HttpClient>) -> Self {
        Self {
            inner,
            histories: Arc::clone(&self.histories),
        }
    }

    pub(super) fn new(inner: Arc<dyn HttpClient>) -> Self {
        Self {
            inner,
            histories: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

#[async_trait]
impl HttpClient for Bounded {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let _turn = if request.url.contains(HISTORY) {
            Some(self.histories.acquire().await?)
        } else {
            None
        };
        self.inner.execute(request).await
    }

    fn supports_streaming(&self) -> bool {
        self.inner.supports_streaming()
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        if !request.url.contains(HISTORY) {
            return self.inner.execute_streaming(request);
        }
        // The library calls this from a thread that may block.
        let histories = Arc::clone(&self.histories);
        let turn = Handle::try_current()?.block_on(histories.acquire_owned())?;
        let mut response = self.inner.execute_streaming(request)?;
        response.body = Box::new(Counted {
            body: response.body,
            _turn: turn,
        });
        Ok(response)
    }

    fn supports_upload_streaming(&self) -> bool {
        self.inner.supports_upload_streaming()
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        body: UploadBody,
        content_length: u64,
    ) -> anyhow::Result<HttpResponse> {
        self.inner.execute_upload(request, body, content_length)
    }

    fn resource_report(&self) -> Option<HttpResourceReport> {
        self.inner.resource_report()
    }
}

/// A body that counts until it was read.
struct Counted {
    body: Box<dyn Read + Send>,
    _turn: OwnedSemaphorePermit,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body.read(buffer)
    }
}

//! The HTTP client that the library uploads and downloads files with.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::unversioned::transport::{Connector as _, RustlsConnector};
use whatsapp_rust::http::{HttpClient, UreqHttpClient};

use super::proxy::{ByProxy, Route, Through};

/// How long a connection to a host of WhatsApp's CDN may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long it may take to answer once it has all of a request.
const ANSWER: Duration = Duration::from_secs(60);
/// How long one transfer may take: two gibibytes at 600 kB/s.
const TRANSFER: Duration = Duration::from_secs(3_600);
/// Small, since there is one of each for every connection.
const BUFFER: usize = 64 * 1024;

/// A client: that which all links of a worker share, or that of those behind a proxy. It follows no
/// proxy of the environment.
pub(super) fn client(route: Option<&Route>) -> Arc<dyn HttpClient> {
    let config = Agent::config_builder()
        .proxy(None)
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_idle_connections(8)
        .max_idle_connections_per_host(4)
        .timeout_connect(Some(CONNECT))
        .timeout_send_body(Some(TRANSFER))
        .timeout_recv_response(Some(ANSWER))
        .timeout_recv_body(Some(TRANSFER))
        .build();
    let agent = match route {
        None => Agent::from(config),
        Some(route) => {
            let route = route.clone();
            let through = Through {
                route,
                limit: CONNECT,
            };
            let connector = through.chain(RustlsConnector::default());
            Agent::with_parts(config, connector, ByProxy)
        }
    };
    let client = UreqHttpClient::with_agent(agent);
    #[cfg(feature = "sandbox")]
    let client = plain::Plain(client);
    Arc::new(client)
}

/// The protocol sandbox's certificate is signed by nobody, and the library asks for `https` only.
/// This module is in no production build.
#[cfg(feature = "sandbox")]
mod plain {
    use anyhow::Result;
    use async_trait::async_trait;
    use wacore::net::{HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};
    use whatsapp_rust::http::{HttpClient, UreqHttpClient};

    /// Asks without TLS what the library wants to ask with it.
    pub(super) struct Plain(pub(super) UreqHttpClient);

    fn plain(mut request: HttpRequest) -> HttpRequest {
        if let Some(rest) = request.url.strip_prefix("https://") {
            request.url = format!("http://{rest}");
        }
        request
    }

    #[async_trait]
    impl HttpClient for Plain {
        async fn execute(&self, request: HttpRequest) -> Result<HttpResponse> {
            self.0.execute(plain(request)).await
        }

        fn supports_streaming(&self) -> bool {
            true
        }

        fn execute_streaming(&self, request: HttpRequest) -> Result<StreamingHttpResponse> {
            self.0.execute_streaming(plain(request))
        }

        fn supports_upload_streaming(&self) -> bool {
            true
        }

        fn execute_upload(
            &self,
            request: HttpRequest,
            body: UploadBody,
            length: u64,
        ) -> Result<HttpResponse> {
            self.0.execute_upload(plain(request), body, length)
        }
    }
}

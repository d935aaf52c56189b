//! Accepting connections and serving them.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::activity::{Activity, Deadlines};
use super::places::{Connections, Counts};
use super::socket::Socket;
use super::unread::Remainder;
use crate::state::App;

/// The pause after a connection could not be accepted for want of something.
const PAUSE: Duration = Duration::from_millis(50);
/// Most bytes of the head of a request.
const HEAD: usize = 64 << 10;

/// The whole answer to a connection that there is no place for.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 127\r\n\r\n\
    {\"error\":{\"code\":\"gateway_unavailable\",\"message\":\"there are too many connections\",\
    \"details\":{\"reason\":\"too_many_connections\"}}}";

/// Accepts connections until the process is told to stop, and returns when the last one has ended.
pub(crate) async fn serve(listener: TcpListener, app: &App, router: Router) {
    let deadlines = Deadlines::of(&app.config.api);
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = app.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // The client has gone again.
            Err(error) if is_the_clients(error.kind()) => continue,
            Err(error) => {
                app.connections.count_failed(&error);
                sleep(PAUSE).await;
                continue;
            }
        };
        let place = match app.connections.take(peer.ip()) {
            Ok(place) => place,
            Err(full) => {
                app.connections.count_refused(full);
                turn_away(&stream);
                continue;
            }
        };
        // Answers are small and wanted at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let activity = Arc::new(Activity::new());
        let socket = Socket::new(stream, activity.clone(), place);
        let connection = Connection {
            activity,
            deadlines,
            router: router.clone(),
            stopping: app.stopping.clone(),
            connections: app.connections.clone(),
        };
        tasks.spawn(connection.run(socket));
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
    let Counts {
        open: _,
        refused,
        expired,
        failed,
    } = app.connections.counts();
    tracing::info!(refused, expired, failed, "all connections have ended");
}

fn is_the_clients(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

/// Says why, if the client can be told without waiting for it.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(NO_PLACE);
}

/// One connection.
struct Connection {
    activity: Arc<Activity>,
    deadlines: Deadlines,
    router: Router,
    stopping: CancellationToken,
    connections: Arc<Connections>,
}

impl Connection {
    async fn run(self, socket: Socket) {
        let service = service_fn(|request: Request<Incoming>| {
            self.activity.request();
            let end = End(self.activity.clone());
            let router = self.router.clone();
            async move {
                let remainder = Remainder::default();
                let request = request.map(|body| remainder.of(body));
                let mut response = router.oneshot(request).await?;
                remainder.settle(&mut response).await;
                Ok::<Response<Answer>, Infallible>(response.map(|body| Answer { body, _end: end }))
            }
        });
        let connection = http1::Builder::new()
            .max_buf_size(HEAD)
            // Heads have their deadline here, where an idle connection has a longer one.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let mut expired = pin!(self.activity.expired(self.deadlines));
        let mut stopping = false;
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a connection ended with an error");
                    }
                    return;
                }
                why = expired.as_mut() => return self.connections.count_expired(why),
                () = self.stopping.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The body of an answer, which tells when it has ended.
struct Answer {
    body: Body,
    _end: End,
}

struct End(Arc<Activity>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_who_has_no_place_is_a_whole_one() {
        let text = std::str::from_utf8(NO_PLACE).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["details"]["reason"], "too_many_connections");
    }
}

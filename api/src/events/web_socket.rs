//! Events over a WebSocket: one envelope a message.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use tokio::time::timeout;

use super::listener::Listener;

/// Greatest message that a client may send; none of them means anything.
const GREATEST: usize = 4_096;

/// Answers an upgrade. What a client does not take within `limit` ends its connection.
pub(super) fn upgrade(upgrade: WebSocketUpgrade, listener: Listener, limit: Duration) -> Response {
    upgrade
        .max_message_size(GREATEST)
        .max_frame_size(GREATEST)
        .on_upgrade(move |socket| serve(socket, listener, limit))
}

async fn serve(mut socket: WebSocket, mut listener: Listener, limit: Duration) {
    loop {
        let chunk = tokio::select! {
            chunk = listener.next() => chunk,
            received = socket.recv() => match received {
                // Pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Binary(_))) => {
                    continue;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        };
        let Some(chunk) = chunk else { break };
        // Envelopes are texts.
        let Ok(text) = Utf8Bytes::try_from(chunk) else {
            continue;
        };
        match timeout(limit, socket.send(Message::Text(text))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    let end = CloseFrame {
        code: close_code::AWAY,
        reason: Utf8Bytes::from_static("the stream has ended; resume with since"),
    };
    let _ = timeout(limit, socket.send(Message::Close(Some(end)))).await;
}

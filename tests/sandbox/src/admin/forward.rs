//! Requests to the admin API that come to the port for clients.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Where requests to the admin API go.
const ADMIN_PATH: &[u8] = b"/admin/";
/// The longest method with the space after it: `OPTIONS `.
const LONGEST_METHOD: usize = 8;
/// How long a connection may say nothing before it counts as a client's.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the first line of an HTTP request names the admin API.
pub(crate) async fn asks_admin(stream: &TcpStream) -> bool {
    let mut line = [0; LONGEST_METHOD + ADMIN_PATH.len()];
    let peeked = tokio::time::timeout(PATIENCE, stream.peek(&mut line)).await;
    let Ok(Ok(length)) = peeked else { return false };
    let line = &line[..length];
    let path = line.iter().position(|byte| *byte == b'/');
    path.is_some_and(|path| line[path..].starts_with(ADMIN_PATH))
}

/// Hands a connection on to the admin API, until either side ends it.
pub(crate) async fn forward(mut stream: TcpStream, admin: SocketAddr, stop: CancellationToken) {
    let forwarding = async {
        let mut onward = TcpStream::connect(admin).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut onward).await
    };
    tokio::select! {
        () = stop.cancelled() => {}
        result = forwarding => {
            if let Err(error) = result {
                tracing::debug!(%error, "a request to the admin API was not handed on");
            }
        }
    }
}

//! Starting and stopping a sandbox.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::config::Config;
use crate::error::StartError;
use crate::media;
use crate::socket;
use crate::world::World;

/// A running sandbox. It stops when it is dropped; [`Sandbox::shutdown`] also
/// waits until its connections are closed.
#[derive(Debug)]
pub struct Sandbox {
    ws: SocketAddr,
    admin: SocketAddr,
    media: SocketAddr,
    root_key: [u8; 32],
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Binds its ports and begins to serve on the current Tokio runtime.
    ///
    /// # Errors
    /// When an address cannot be bound or the certificates cannot be signed.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let (ws_listener, ws) = listen(config.ws).await?;
        let (admin_listener, admin) = listen(config.admin).await?;
        let (media_listener, media) = listen(config.media).await?;
        let forward_admin = config.admin_on_ws.then_some(admin);
        let world = Arc::new(World::new(config)?);
        world.cdn.listens_at(media);
        let root_key = world.chain().root_key();
        let stop = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(socket::serve(
                ws_listener,
                Arc::clone(&world),
                forward_admin,
                stop.clone(),
            )),
            tokio::spawn(media::serve(
                media_listener,
                Arc::clone(&world),
                stop.clone(),
            )),
            tokio::spawn(admin::serve(admin_listener, world, stop.clone())),
        ];
        Ok(Self {
            ws,
            admin,
            media,
            root_key,
            stop,
            tasks,
        })
    }

    /// Where WhatsApp clients connect: `ws://address/ws/chat`. The path does not
    /// matter.
    pub fn ws_url(&self) -> String {
        format!("ws://{}/ws/chat", self.ws)
    }

    /// The base of the admin API: `http://address`, without a slash at its end.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// The CDN without TLS: `http://address`. Clients are told its hosts by the server, and ask them
    /// over TLS.
    pub fn media_url(&self) -> String {
        format!("http://{}", self.media)
    }

    /// The public root of the certificate chain, for clients that check it.
    pub fn root_key(&self) -> [u8; 32] {
        self.root_key
    }

    /// Closes every connection and waits until nothing is left running.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            // A task that panicked has stopped as well.
            task.await.ok();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

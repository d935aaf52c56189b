//! Through a proxy to WhatsApp: HTTP CONNECT and SOCKS5, for the WebSocket and for files alike. There
//! is no way around it: where it fails, the connection fails.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway_shared::egress::EgressConfig;
use gateway_shared::proxy::{Proxy, ProxyKind};
use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// Longest head of an answer to CONNECT, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// A proxy, and whether its address was checked against those that tenants may not name.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) proxy: Proxy,
    /// What a tenant's proxy may be; none for the operator's own.
    pub(super) guard: Option<Arc<EgressConfig>>,
}

impl Route {
    /// A connection through the proxy to a host of the other side. Blocks.
    ///
    /// # Errors
    /// When the proxy is at no permitted address, can not be reached in time, or refuses.
    pub(super) fn connect(&self, host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
        let deadline = Instant::now() + limit;
        let mut stream = self.dial(deadline)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(left(deadline)?))?;
        stream.set_write_timeout(Some(left(deadline)?))?;
        match self.proxy.kind {
            ProxyKind::Http => self.connect_http(&mut stream, host, port, deadline)?,
            ProxyKind::Socks5 => self.connect_socks(&mut stream, host, port)?,
        }
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(None)?;
        Ok(stream)
    }

    /// The first of the proxy's permitted addresses that takes a connection.
    fn dial(&self, deadline: Instant) -> io::Result<TcpStream> {
        let found = (self.proxy.host.as_str(), self.proxy.port).to_socket_addrs()?;
        let permits = |address: &SocketAddr| {
            let guard = self.guard.as_ref();
            guard.is_none_or(|guard| guard.permits(address.ip()))
        };
        let mut last = io::Error::other(format!(
            "the proxy {} is at no address that may be reached",
            self.proxy
        ));
        for address in found.filter(permits) {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn connect_http(
        &self,
        stream: &mut TcpStream,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> io::Result<()> {
        let bracketed = host.contains(':').then(|| format!("[{host}]"));
        let host = bracketed.as_deref().unwrap_or(host);
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some((user, password)) = &self.proxy.credentials {
            let basic = STANDARD.encode(format!("{user}:{password}"));
            request.push_str(&format!("Proxy-Authorization: Basic {basic}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        // Byte by byte: what follows the head belongs to the other side.
        while !head.ends_with(b"\r\n\r\n") {
            left(deadline)?;
            if head.len() > LONGEST_HEAD {
                return Err(refused("its answer has no end"));
            }
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
        match status {
            "200" => Ok(()),
            "407" => Err(refused("it does not take the credentials")),
            status => Err(refused(&format!("it answers {status}"))),
        }
    }

    fn connect_socks(&self, stream: &mut TcpStream, host: &str, port: u16) -> io::Result<()> {
        let method = u8::from(self.proxy.credentials.is_some()) * 2;
        stream.write_all(&[5, 1, method])?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer)?;
        if answer != [5, method] {
            return Err(refused("it does not take this way to sign in"));
        }
        if let Some((user, password)) = &self.proxy.credentials {
            let mut sign_in = vec![1];
            for text in [user, password] {
                sign_in.push(length(text)?);
                sign_in.extend_from_slice(text.as_bytes());
            }
            stream.write_all(&sign_in)?;
            stream.read_exact(&mut answer)?;
            if answer[1] != 0 {
                return Err(refused("it does not take the credentials"));
            }
        }
        let mut request = vec![5, 1, 0];
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                request.push(1);
                request.extend_from_slice(&address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(4);
                request.extend_from_slice(&address.octets());
            }
            Err(_) => {
                request.extend_from_slice(&[3, length(host)?]);
                request.extend_from_slice(host.as_bytes());
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        stream.write_all(&request)?;
        let mut head = [0; 4];
        stream.read_exact(&mut head)?;
        if head[1] != 0 {
            return Err(refused(&format!("it answers with code {}", head[1])));
        }
        // Where it is bound at its other side, which is nothing to us.
        let bound = match head[3] {
            1 => 4,
            4 => 16,
            _ => {
                let mut length = [0];
                stream.read_exact(&mut length)?;
                usize::from(length[0])
            }
        };
        let mut rest = vec![0; bound + 2];
        stream.read_exact(&mut rest)
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn length(text: &str) -> io::Result<u8> {
    u8::try_from(text.len()).map_err(|_| refused("a name is too long for it"))
}

fn refused(why: &str) -> io::Error {
    io::Error::other(format!("the proxy refused: {why}"))
}

/// Opens the connections of an HTTP client through a proxy.
#[derive(Debug)]
pub(super) struct Through {
    pub(super) route: Route,
    /// How long a connection may take.
    pub(super) limit: Duration,
}

impl Connector for Through {
    type Out = Tunnel;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Tunnel>, ureq::Error> {
        let uri = details.uri;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let own_port = if details.needs_tls() { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(own_port);
        let stream = self.route.connect(host, port, self.limit)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Tunnel { stream, buffers }))
    }
}

/// A connection through a proxy.
pub(super) struct Tunnel {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}

/// An error of a socket whose time was up, as the client tells it.
fn timely(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Tunnel {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let limit = timeout.for_write().not_zero().map(|limit| *limit);
        self.stream.set_write_timeout(limit)?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let written = self.stream.write_all(output);
        written.map_err(|error| timely(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let limit = timeout.for_read().not_zero().map(|limit| *limit);
        self.stream.set_read_timeout(limit)?;
        let input = self.buffers.input_append_buf();
        let read = self.stream.read(input);
        let read = read.map_err(|error| timely(error, timeout))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        // Something to read, or the end, where nothing was asked: not usable any more.
        let mut byte = [0];
        let _ = self.stream.set_nonblocking(true);
        let peeked = self.stream.peek(&mut byte);
        let _ = self.stream.set_nonblocking(false);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Looks no name up: the proxy does.
#[derive(Debug)]
pub(super) struct ByProxy;

impl Resolver for ByProxy {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut nowhere = self.empty();
        nowhere.push(SocketAddr::from(([0, 0, 0, 0], 0)));
        Ok(nowhere)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A proxy that a tenant names at an address of the machine itself is not even connected to.
    #[test]
    fn a_tenants_proxy_is_at_a_public_address() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let guard = gateway_shared::config::Config::load(None).unwrap().egress;
        let route = |guard| Route {
            proxy: Proxy::parse(&format!("socks5://127.0.0.1:{port}")).unwrap(),
            guard,
        };
        listener.set_nonblocking(true).unwrap();
        let limit = Duration::from_millis(200);
        let error = route(Some(Arc::new(guard))).connect("example.com", 443, limit);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no address that may be reached"), "{error}");
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
        // The operator's own may be anywhere; this one never answers.
        assert!(route(None).connect("example.com", 443, limit).is_err());
        assert!(listener.accept().is_ok());
    }
}

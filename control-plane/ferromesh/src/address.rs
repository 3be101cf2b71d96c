//! Addresses to listen on: `host:port`, an optional `http://` before it, or `unix:///path`.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream},
};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum Address {
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Why a text is no address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address: {reason}")]
pub struct InvalidAddress {
    text: String,
    /// The part of the message after the text.
    pub reason: &'static str,
}

/// Longest path of a Unix socket, in bytes (`sun_path` on Linux is 108 with the closing zero).
pub const SOCKET_PATH_LIMIT: usize = 107;

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidAddress {
            text: text.to_owned(),
            reason,
        };
        if let Some(path) = text.strip_prefix("unix://") {
            if !Path::new(path).is_absolute() {
                return Err(invalid(
                    "the path of a unix socket is absolute, as in unix:///run/ferromesh.sock",
                ));
            }
            if path.len() > SOCKET_PATH_LIMIT {
                return Err(invalid("the path of a unix socket has at most 107 bytes"));
            }
            return Ok(Self::Unix(path.into()));
        }
        let plain = text.strip_prefix("http://").unwrap_or(text);
        let plain = plain.strip_suffix('/').unwrap_or(plain);
        // `localhost` is loopback by definition (RFC 6761); other names would have to be resolved first.
        let numeric = match plain.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => plain.to_owned(),
        };
        numeric
            .parse()
            .map(Self::Tcp)
            .map_err(|_| invalid("expected an ip address and a port, or unix:///path"))
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<(IpAddr, u16)> for Address {
    fn from(address: (IpAddr, u16)) -> Self {
        Self::Tcp(address.into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Address {
    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// The form that clients use: `http://host:port` or `unix:///path`.
    pub fn url(&self) -> String {
        match self {
            Self::Tcp(address) => format!("http://{address}"),
            Self::Unix(_) => self.to_string(),
        }
    }
}

/// A listening socket. Dropping it closes the socket and removes the file of a Unix socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, removed with its listener.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever removed it earlier did no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Connections that wait to be accepted, unless the system allows fewer (`net.core.somaxconn`). The usual 1,024 overflow when
/// a thousand proxies come at once after a restart: some of them were reset.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Otherwise a restart would have to wait for old connections' last packets.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    /// Starts to listen. A Unix socket file that nobody listens on any more is replaced; owner and group may use it.
    ///
    /// # Errors
    /// What the system says, with the address.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
        match address {
            Address::Tcp(address) => listen(*address).map(Self::Tcp).map_err(named),
            Address::Unix(path) => {
                remove_stale_socket(path).await.map_err(named)?;
                let listener = UnixListener::bind(path).map_err(named)?;
                let file = SocketFile(path.clone());
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(named)?;
                Ok(Self::Unix(listener, file))
            }
        }
    }

    /// The address with the port that the system chose.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(_, file) => Ok(Address::Unix(file.0.clone())),
        }
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the system says: for one connection only, or because descriptors are used up.
    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small answers must not wait for the acknowledgement of earlier ones.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

/// A socket file left by a process that was killed refuses connections; any other file is not ours to remove.
async fn remove_stale_socket(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// An accepted or opened connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Stream {
    /// Opens a connection.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => TcpStream::connect(address).await.map(Self::Tcp),
            Address::Unix(path) => UnixStream::connect(path).await.map(Self::Unix),
        }
    }

    /// The first byte that the other end sends, which stays to be read; `None` where it sends none, or where nobody can look.
    ///
    /// # Errors
    /// What the system says.
    pub async fn peek_byte(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        match self {
            Self::Tcp(stream) => Ok((stream.peek(&mut first).await? == 1).then_some(first[0])),
            Self::Unix(_) => Ok(None),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let parse = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(parse("127.0.0.1:0").url(), "http://127.0.0.1:0");
        assert_eq!(parse("localhost:80").to_string(), "127.0.0.1:80");
        assert_eq!(parse("http://[::1]:80/").to_string(), "[::1]:80");
        assert_eq!(parse("unix:///x/y").url(), "unix:///x/y");
        for text in ["", "8080", "example.com:80", "unix://x", "127.0.0.1"] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_loopback_and_unix_sockets_are_local() {
        let local = |text: &str| text.parse::<Address>().unwrap().is_local();
        assert!(local("127.8.8.8:1"));
        assert!(local("[::1]:1"));
        assert!(local("[::ffff:127.0.0.1]:1"));
        assert!(local("unix:///x"));
        assert!(!local("0.0.0.0:1"));
        assert!(!local("[::]:1"));
        assert!(!local("10.0.0.1:1"));
    }

    #[tokio::test]
    async fn a_socket_file_of_a_dead_process_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let address = Address::Unix(dir.path().join("s"));
        drop(std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap());
        let first = Listener::bind(&address).await.unwrap();
        assert!(Listener::bind(&address).await.is_err());
        drop(first);
        assert!(!dir.path().join("s").exists());
    }
}

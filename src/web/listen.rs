//! Where the server listens. Every address is bound before anything else runs, so that a port in use is an error at
//! the start and not a half-working process.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::task::Poll;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the system holds for us until they are accepted.
const BACKLOG: i32 = 1024;

/// An address to listen on, as the user writes it: `:10065`, `127.0.0.1:10065`, `[::1]:10065`, `localhost:10065`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// An address or a name; all interfaces without one.
    host: Option<String>,
    /// 0 for any that is free.
    port: u16,
}

/// Sockets that are bound and take connections already, though nobody serves them yet.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// A text that is no address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address to listen on; write :PORT for all interfaces, or IPv4:PORT, [IPv6]:PORT or NAME:PORT"
)]
pub struct AddressError(String);

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another socket has the port.
    #[error(
        "cannot listen on {address}: the port is in use; stop the program that has it, or choose another port"
    )]
    InUse {
        /// The address as configured.
        address: ListenAddress,
    },
    /// Anything else: no such interface, no such name, a port that needs a privilege.
    #[error("cannot listen on {address}: {error}")]
    Other {
        /// The address as configured.
        address: ListenAddress,
        /// What the system says; not the error's source, which would be printed behind it once more.
        error: io::Error,
    },
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        // `parse` alone would also take "+80".
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        let port = port.parse().map_err(|_| refused())?;
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match in_brackets {
            Some(address) if address.parse::<Ipv6Addr>().is_ok() => Some(address),
            None if host.is_empty() => None,
            None if !host.contains([':', '[', ']', '/', '@', ' ']) => Some(host),
            _ => return Err(refused()),
        };
        Ok(Self {
            host: host.map(str::to_owned),
            port,
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// Binds every address, or none: the first that fails is the error.
pub async fn bind(addresses: &[ListenAddress]) -> Result<Listeners, BindError> {
    let mut bound = Listeners {
        sockets: Vec::new(),
        addresses: Vec::new(),
    };
    for address in addresses {
        let opened = open(address).await.and_then(|socket| {
            bound.addresses.push(socket.local_addr()?);
            bound.sockets.push(socket);
            Ok(())
        });
        opened.map_err(|source| BindError::new(address, source))?;
    }
    Ok(bound)
}

async fn open(address: &ListenAddress) -> io::Result<TcpListener> {
    match &address.host {
        Some(host) => TcpListener::bind((host.as_str(), address.port)).await,
        None => match both_families(address.port) {
            // Where IPv6 is off its sockets fail in one of several ways; a port that is taken is the same in both.
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port)).await
            }
            either => either,
        },
    }
}

/// One socket for IPv6 and IPv4, whatever the system's default for that is.
fn both_families(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    // Otherwise a restart would have to wait for the connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Listeners {
    /// Where they listen, in the order of the configuration, each port as the system gave it.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The next connection on any of them.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        poll_fn(|context| {
            for socket in &self.sockets {
                if let Poll::Ready(accepted) = socket.poll_accept(context) {
                    return Poll::Ready(accepted.map(|(stream, _)| stream));
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl BindError {
    fn new(address: &ListenAddress, error: io::Error) -> Self {
        let address = address.clone();
        if error.kind() == io::ErrorKind::AddrInUse {
            Self::InUse { address }
        } else {
            Self::Other { address, error }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_as_it_was_written() {
        for text in [
            ":10065",
            ":0",
            "127.0.0.1:10065",
            "[::1]:10065",
            "[::]:65535",
            "localhost:1",
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for text in [
            "",
            "10065",
            "localhost",
            ":",
            ":http",
            ":+80",
            ":65536",
            "::1:10065",
            "[::1]",
            "[localhost]:1",
            "[::1:10065",
            "http://localhost:10065",
        ] {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{text:?} is no address to listen on")),
                "{error}"
            );
        }
    }
}

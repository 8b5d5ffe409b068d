//! Free ports for the processes that `run` starts.
//!
//! A port is found here and bound a moment later by another process. So it is held until then, and
//! looked for below those that the kernel hands out to outgoing connections (32768 and up on Linux), which would
//! otherwise take it in between now and then.

use std::net::{IpAddr, SocketAddr, TcpListener};

use anyhow::Context as _;

/// The first port that is tried, and how many there are.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;
/// Ports that are tried before the search is given up.
const TRIES: u16 = 500;

/// Ports that were chosen, held until the processes that they are for are started: until then
/// nobody else gets them, another `run` included.
#[derive(Default)]
pub(super) struct Ports {
    held: Vec<TcpListener>,
}

impl Ports {
    /// A port of `address` on which nobody listens.
    ///
    /// # Errors
    /// None of the ports that were tried is free.
    pub(super) fn any(&mut self, address: IpAddr) -> anyhow::Result<u16> {
        let mut seed = [0; 2];
        getrandom::fill(&mut seed).context("the operating system has no random numbers")?;
        let start = u16::from_ne_bytes(seed) % COUNT;
        let mut ports = (0..TRIES).map(|step| FIRST + (start + step) % COUNT);
        let found = ports.find_map(|port| Some((port, TcpListener::bind((address, port)).ok()?)));
        let (port, listener) = found.context("no port is free")?;
        self.held.push(listener);
        Ok(port)
    }

    /// `address`, with a free port in place of port 0. Envoy shares ports between its workers and
    /// would not notice that another process listens there.
    ///
    /// # Errors
    /// Nobody can listen there, or somebody does.
    pub(super) fn free(&mut self, flag: &str, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        if address.port() == 0 {
            let port = self.any(address.ip());
            let port = port.with_context(|| format!("{flag} {address}"))?;
            return Ok(SocketAddr::new(address.ip(), port));
        }
        let listener = TcpListener::bind(address);
        let listener =
            listener.with_context(|| format!("{flag} {address}: cannot listen there"))?;
        self.held.push(listener);
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn no_port_is_given_twice() {
        let (mut ours, mut theirs) = (Ports::default(), Ports::default());
        let given = ours.any(LOOPBACK).unwrap();
        let taken = SocketAddr::new(LOOPBACK, given);
        let refused = ours.free("--admin", taken).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("--admin {taken}: cannot listen there")
        );
        assert!(theirs.free("--listen", taken).is_err());
        drop(ours);
        assert_eq!(theirs.free("--listen", taken).unwrap(), taken);
    }

    #[test]
    fn port_0_stands_for_any() {
        let mut ports = Ports::default();
        let any = SocketAddr::new(LOOPBACK, 0);
        let given = ports.free("--listen", any).unwrap();
        assert!((FIRST..FIRST + COUNT).contains(&given.port()));
    }
}

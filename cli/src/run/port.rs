//! Free ports for the processes that `run` starts.
//!
//! A port is found here and bound a moment later by another process. So it is looked for below
//! those that the kernel hands out to outgoing connections (32768 and up on Linux), which would
//! otherwise take it in between now and then.

use std::net::{IpAddr, SocketAddr, TcpListener};

use anyhow::Context as _;

/// The first port that is tried, and how many there are.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;
/// Ports that are tried before the search is given up.
const TRIES: u16 = 500;

/// A port of `address` on which nobody listens.
///
/// # Errors
/// None of the ports that were tried is free.
pub(super) fn any(address: IpAddr) -> anyhow::Result<u16> {
    let mut seed = [0; 2];
    getrandom::fill(&mut seed).context("the operating system has no random numbers")?;
    let start = u16::from_ne_bytes(seed) % COUNT;
    (0..TRIES)
        .map(|step| FIRST + (start + step) % COUNT)
        .find(|port| TcpListener::bind((address, *port)).is_ok())
        .context("no port is free")
}

/// `address`, with a free port in place of port 0. Envoy shares ports between its workers and
/// would not notice that another process listens there.
///
/// # Errors
/// Nobody can listen there, or somebody does.
pub(super) fn free(flag: &str, address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let mut address = address;
    if address.port() == 0 {
        let port = any(address.ip()).with_context(|| format!("{flag} {address}"))?;
        address.set_port(port);
    }
    TcpListener::bind(address).with_context(|| format!("{flag} {address}: cannot listen there"))?;
    Ok(address)
}

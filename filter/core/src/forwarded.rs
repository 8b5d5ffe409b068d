//! Where a client reached the proxy: scheme and authority, which begin every URL that it is
//! given. They are those of its own connection and its `Host`. What X-Forwarded-Proto and
//! X-Forwarded-Host say instead is believed of a peer that the operator named, and of nobody
//! else: anyone can send these fields.

use crate::config::is_authority;
use crate::header::Headers;
use std::net::IpAddr;

/// What is known of the connection by which a request came, whatever its fields say.
pub trait Connection {
    /// Whether it is TLS.
    fn is_tls(&self) -> bool;
    /// The address of its other end; `None` where it has none.
    fn peer(&self) -> Option<IpAddr>;
}

/// A range of IP addresses (RFC 4632 §3.1, RFC 4291 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many of the first bits of an address must be the same.
    prefix: u32,
}

impl Network {
    /// Reads an address (`10.0.0.1`, `::1`) or a range (`10.0.0.0/8`, `fd00::/8`).
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= bits)?
            }
            Some(_) => return None,
        };
        Some(Self { address, prefix })
    }

    /// Whether `address` is in it. An IPv4 address that is written as an IPv6 one is the same.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differing >= self.prefix
    }
}

/// The `Host` of a request is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHost;

/// Scheme and authority under which the client reached the proxy, without a slash at the end;
/// `None` for a request that names no host.
///
/// # Errors
/// The request names a host that cannot stand in a URL.
pub fn root(
    request: &Headers,
    trusted: &[Network],
    connection: &dyn Connection,
) -> Result<Option<String>, InvalidHost> {
    let Some(own) = request.get(":authority") else {
        return Ok(None);
    };
    let own = std::str::from_utf8(own).map_err(|_| InvalidHost)?;
    if !is_authority(own) {
        return Err(InvalidHost);
    }
    // Only for who sends them is it looked at who that is.
    let said = |name: &str| first(request.text(name)?);
    let host = said("x-forwarded-host").filter(|host| is_authority(host));
    let scheme = said("x-forwarded-proto").and_then(known_scheme);
    let connected = if connection.is_tls() { "https" } else { "http" };
    let differs = host.is_some_and(|host| host != own) || scheme.is_some_and(|it| it != connected);
    let believed = differs && !trusted.is_empty() && {
        let peer = connection.peer();
        peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(peer)))
    };
    let (scheme, host) = if believed {
        (scheme.unwrap_or(connected), host.unwrap_or(own))
    } else {
        (connected, own)
    };
    Ok(Some(format!("{scheme}://{host}")))
}

/// The first of a list, which the proxy that the client met has put there.
fn first(list: &str) -> Option<&str> {
    let first = list.split(',').next()?.trim();
    (!first.is_empty()).then_some(first)
}

fn known_scheme(scheme: &str) -> Option<&'static str> {
    ["https", "http"]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Peer(&'static str, bool);

    impl Connection for Peer {
        fn is_tls(&self) -> bool {
            self.1
        }

        fn peer(&self) -> Option<IpAddr> {
            self.0.parse().ok()
        }
    }

    fn reached(fields: &[(&str, &str)], peer: &Peer) -> Result<Option<String>, InvalidHost> {
        let fields = fields.iter().map(|(n, v)| (n.to_string(), (*v).into()));
        let trusted = [Network::parse("10.0.0.0/8"), Network::parse("fd00::1")];
        let trusted: Vec<Network> = trusted.into_iter().flatten().collect();
        root(&Headers::new(fields.collect()), &trusted, peer)
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn only_a_trusted_peer_says_where_the_client_came_in() {
        let host = (":authority", "proxy:8080");
        let proto = ("x-forwarded-proto", "HTTPS, http");
        let forwarded = ("x-forwarded-host", " public.example:8443 , inner");
        for (fields, peer, expected) in [
            (vec![host], Peer("10.1.2.3", false), "http://proxy:8080"),
            (vec![host], Peer("1.2.3.4", true), "https://proxy:8080"),
            (
                vec![host, proto, forwarded],
                Peer("10.1.2.3", false),
                "https://public.example:8443",
            ),
            (
                vec![host, proto, forwarded],
                Peer("::ffff:10.1.2.3", false),
                "https://public.example:8443",
            ),
            (
                vec![host, forwarded],
                Peer("fd00::1", false),
                "http://public.example:8443",
            ),
            (
                vec![host, ("x-forwarded-proto", "http")],
                Peer("10.1.2.3", true),
                "http://proxy:8080",
            ),
            // From strangers, and what is no host or scheme.
            (
                vec![host, proto, forwarded],
                Peer("11.1.2.3", false),
                "http://proxy:8080",
            ),
            (
                vec![host, proto, forwarded],
                Peer("fd00::2", true),
                "https://proxy:8080",
            ),
            (
                vec![host, proto, forwarded],
                Peer("", false),
                "http://proxy:8080",
            ),
            (
                vec![
                    host,
                    ("x-forwarded-proto", "javascript"),
                    ("x-forwarded-host", "user@evil/path"),
                ],
                Peer("10.1.2.3", false),
                "http://proxy:8080",
            ),
            (
                vec![host, ("x-forwarded-host", "a\"b")],
                Peer("10.1.2.3", false),
                "http://proxy:8080",
            ),
        ] {
            let got = reached(&fields, &peer);
            assert_eq!(got, Ok(Some(expected.to_owned())), "{fields:?}");
        }
        assert_eq!(reached(&[], &Peer("10.1.2.3", false)), Ok(None));
        for bad in ["a\"b", "a/b", "user@host", "", "a b", "host:99999"] {
            let got = reached(&[(":authority", bad)], &Peer("10.1.2.3", false));
            assert_eq!(got, Err(InvalidHost), "{bad}");
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        for good in ["0.0.0.0/0", "10.0.0.1", "::/0", "fd00::/8", "10.0.0.0/32"] {
            assert!(Network::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "a/8",
        ] {
            assert!(Network::parse(bad).is_none(), "{bad}");
        }
        let all = Network::parse("0.0.0.0/0").unwrap();
        assert!(all.contains("255.1.2.3".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
    }
}

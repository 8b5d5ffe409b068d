//! Where a client is told that the API is.

use std::net::SocketAddr;

/// The two ways to address the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// As api.github.com: REST at `/`, GraphQL at `/graphql`.
    Root,
    /// As a GitHub Enterprise Server: `/api/v3`, `/api/graphql`, `/api/uploads`.
    ApiV3,
}

/// An API, and who asks it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Scheme, host and port, without a final slash.
    pub origin: String,
    /// How it is addressed.
    pub mount: Mount,
    /// What the client authenticates with.
    pub token: String,
}

impl Place {
    /// The API at this address, without TLS.
    pub fn new(address: SocketAddr, mount: Mount, token: &str) -> Self {
        Self {
            origin: format!("http://{address}"),
            mount,
            token: token.to_owned(),
        }
    }

    /// The root of REST, without a final slash.
    pub fn rest(&self) -> String {
        match self.mount {
            Mount::Root => self.origin.clone(),
            Mount::ApiV3 => format!("{}/api/v3", self.origin),
        }
    }

    /// Where GraphQL is.
    pub fn graphql(&self) -> String {
        match self.mount {
            Mount::Root => format!("{}/graphql", self.origin),
            Mount::ApiV3 => format!("{}/api/graphql", self.origin),
        }
    }

    /// Everything that an URL of this API may begin with, and nothing else: what leads to another
    /// mount is a difference. The longest first.
    pub fn bases(&self) -> [String; 2] {
        [format!("{}/api/uploads", self.origin), self.rest()]
    }
}

//! What GitHub and the cache are called in Istio's registry of services.
//!
//! Of each service Istio makes the cluster `outbound|PORT||HOST`. The host of a ServiceEntry must be
//! a name, so what is reached by address gets one here that nobody looks up: the ServiceEntry that
//! is printed for it has the address.

use std::net::IpAddr;

use crate::env::{Backend, HostPort, Settings};
use crate::plugin::Clusters;

/// Who is reached at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// GitHub's API.
    Upstream,
    /// Where assets are uploaded, when that is another host.
    Uploads,
    /// Webdis.
    Cache,
}

impl Role {
    /// As in the names of the printed objects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Uploads => "uploads",
            Self::Cache => "cache",
        }
    }

    /// The host of the service.
    pub fn host(self, address: &HostPort) -> String {
        if address.host.parse::<IpAddr>().is_ok() {
            format!("{}.github-proxy.internal", self.as_str())
        } else {
            address.host.clone()
        }
    }

    fn cluster(self, address: &HostPort) -> String {
        format!("outbound|{}||{}", address.port, self.host(address))
    }
}

/// The clusters that Istio makes of the services.
pub fn clusters(settings: &Settings, webdis: &HostPort) -> Clusters {
    let (upstream, uploads) = (&settings.upstream, &settings.uploads);
    let role = if uploads.shares_host(upstream) {
        Role::Upstream
    } else {
        Role::Uploads
    };
    Clusters {
        github: Role::Upstream.cluster(&upstream.address),
        uploads: role.cluster(&uploads.address),
        cache: match &settings.backend {
            Backend::Memory => None,
            Backend::Redis(_) => Some(Role::Cache.cluster(webdis)),
            Backend::Webdis(address) => Some(Role::Cache.cluster(address)),
        },
    }
}

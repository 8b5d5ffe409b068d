//! The cache: which representations it may keep, under which key, in which form, and the two
//! places where it keeps them (memory of this Envoy, the cache cluster behind Webdis).

pub mod breaker;
pub mod cluster;
pub mod directive;
pub mod entry;
pub mod key;
pub mod memory;
pub mod policy;
pub mod status;
pub mod written;

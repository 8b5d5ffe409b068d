//! To be written.

pub mod auth;
pub mod config;
pub mod path;
pub mod scope;
pub mod secret;

//! The proxy-wasm HTTP filter of github-proxy. It wires Envoy's callbacks to the decisions of
//! `github_proxy_core` and carries out what they ask for; it decides nothing itself.
//!
//! `root` takes configuration, timers and queues, `stream` one request, `effects` does what a
//! step asked for, `host` holds every hostcall, `vm` what the requests of one worker share, `upkeep` does the
//! pool's chores.

mod effects;
mod host;
mod protobuf;
mod root;
mod stream;
mod upkeep;
mod vm;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context_id| Box::new(root::Root::new(context_id)));
}}

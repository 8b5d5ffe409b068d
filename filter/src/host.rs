//! Every hostcall, in its fallible form: the SDK's own trait methods panic on a status that
//! they do not expect, and a panic here takes down the worker's VM. A call that fails reads as
//! "nothing there"; none of them is worth a request.

use crate::protobuf;
use github_proxy_core::forwarded::Connection;
use github_proxy_core::header::Headers;
use github_proxy_core::metric::{Kind, Metric};
use github_proxy_core::shared::SharedData;
use github_proxy_core::upstream::Edit;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType, Status};
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

/// The wall clock, Unix milliseconds.
pub fn now() -> u64 {
    hostcalls::get_current_time()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_millis() as u64)
}

/// A header section, pseudo fields included.
pub fn headers(map: MapType) -> Headers {
    Headers::new(hostcalls::get_map_bytes(map).unwrap_or_default())
}

/// Removes the trailers that Envoy's decompressor adds for its own statistics.
pub fn drop_envoys_trailers() {
    let trailers = headers(MapType::HttpResponseTrailers);
    let envoys = trailers
        .iter()
        .filter(|(name, _)| name.starts_with("x-envoy-"))
        .map(|(name, _)| (name.to_owned(), None));
    edit(MapType::HttpResponseTrailers, envoys.collect());
}

/// Changes a header section.
pub fn edit(map: MapType, edits: Vec<Edit>) {
    for (name, value) in edits {
        // A field that Envoy does not let a filter change stays as it is.
        let _ = hostcalls::set_map_value_bytes(map, &name, value.as_deref());
    }
}

/// Puts another header section in the place of the response's own. Only for the callback that it
/// came with, and while it is held back: the SDK panics where there is none.
pub fn substitute(status: u16, headers: &Headers) {
    let status = status.to_string();
    let mut fields = vec![(":status", status.as_bytes())];
    fields.extend(headers.iter());
    let _ = hostcalls::set_map_bytes(MapType::HttpResponseHeaders, fields);
}

/// A part of a body, or the whole body of a callout's answer.
pub fn body(buffer: BufferType, size: usize) -> Vec<u8> {
    hostcalls::get_buffer(buffer, 0, size)
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Puts `bytes` in the place of the part of the response's body that is in hand.
pub fn replace_body(bytes: &[u8]) {
    let _ = hostcalls::set_buffer(BufferType::HttpResponseBody, 0, usize::MAX, bytes);
}

/// The status of the callout's answer that is being delivered; 0 when there was none. The
/// count is looked at first: without headers there is no map to read.
pub fn callout_status(headers: usize) -> u16 {
    let status = callout_field(headers, ":status");
    status
        .and_then(|status| status.parse().ok())
        .unwrap_or_default()
}

/// A field of the same answer, when it is there and UTF-8.
pub fn callout_field(headers: usize, name: &str) -> Option<String> {
    if headers == 0 {
        return None;
    }
    hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name)
        .ok()
        .flatten()
        .and_then(|value| String::from_utf8(value).ok())
}

/// Whether Envoy made a response up instead of getting it from the upstream. What has a name of
/// GitHub's is from there; only of what has none Envoy is asked, since that takes a microsecond.
pub fn is_local_response(headers: &Headers) -> bool {
    if headers.has("x-github-request-id") {
        return false;
    }
    let details = hostcalls::get_property(vec!["response", "code_details"]);
    !matches!(details, Ok(Some(details)) if details == b"via_upstream")
}

/// The name of the filter chain that a request came in by.
pub fn filter_chain() -> Option<Vec<u8>> {
    hostcalls::get_property(vec!["xds", "filter_chain_name"])
        .ok()
        .flatten()
}

/// Tells Envoy something for its access logs: `%FILTER_STATE(wasm.<name>:PLAIN)%`.
pub fn note(name: &str, text: &str) {
    let _ = hostcalls::set_property(vec![name], Some(text.as_bytes()));
}

/// Fields as text, which the SDK wants: what is not UTF-8 in a value is not ASCII either.
pub fn texts(headers: &Headers) -> Vec<(&str, Cow<'_, str>)> {
    headers
        .iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(value)))
        .collect()
}

/// Answers the client; takes effect once the present callback returns.
pub fn reply(status: u16, headers: &Headers, body: &[u8]) {
    let fields = texts(headers);
    let fields = fields.iter().map(|(name, value)| (*name, value.as_ref()));
    let body = (!body.is_empty()).then_some(body);
    let _ = hostcalls::send_http_response(u32::from(status), fields.collect(), body);
}

/// Lets a paused request go on.
pub fn resume_request() {
    let _ = hostcalls::resume_http_request();
}

/// Lets a response that is held back go on.
pub fn resume_response() {
    let _ = hostcalls::resume_http_response();
}

/// Makes the following calls on behalf of a context; `false` when it is gone.
pub fn act_for(context: u32) -> bool {
    hostcalls::set_effective_context(context).is_ok()
}

/// Sends a request to one of Envoy's clusters; the token of its answer, if it went out.
pub fn call(
    cluster: &str,
    headers: Vec<(&str, &str)>,
    body: Option<&[u8]>,
    timeout: Duration,
) -> Option<u32> {
    hostcalls::dispatch_http_call(cluster, headers, body, Vec::new(), timeout).ok()
}

/// Lets go of the present context, whose `on_done` asked to wait.
pub fn done() {
    let _ = hostcalls::done();
}

/// Calls back every so often, in place of what was asked before.
pub fn tick_every(period: Duration) {
    let _ = hostcalls::set_tick_period(period);
}

/// The memory of this VM, bytes. It never shrinks, and Envoy has no stat for it.
#[cfg(target_family = "wasm")]
pub fn memory() -> u64 {
    const PAGE: u64 = 65_536;
    core::arch::wasm32::memory_size::<0>() as u64 * PAGE
}

/// Outside of a VM there is none; the filter is only ever linted there.
#[cfg(not(target_family = "wasm"))]
pub fn memory() -> u64 {
    0
}

/// Registers a queue of this worker.
pub fn register_queue(name: &str) -> Option<u32> {
    hostcalls::register_shared_queue(name).ok()
}

/// Puts a message into the queue of a worker, this one included.
pub fn enqueue(queue: u32, message: &[u8]) {
    // A queue whose worker is gone: nobody waits there any more.
    let _ = hostcalls::enqueue_shared_queue(queue, Some(message));
}

/// Takes a message out of a queue.
pub fn dequeue(queue: u32) -> Option<Vec<u8>> {
    hostcalls::dequeue_shared_queue(queue).ok().flatten()
}

/// The plugin configuration.
pub fn configuration() -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX)
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// An RS256 signature by Envoy, which has the fast implementation (0.8 ms instead of 13).
///
/// # Errors
/// Whether Envoy has no such function (before 1.37), or the key cannot sign.
pub fn sign(key: &str, text: &str) -> Result<Vec<u8>, CannotSign> {
    let arguments = protobuf::sign_arguments("sha256", text, key);
    match hostcalls::call_foreign_function("sign", Some(&arguments)) {
        Ok(Some(result)) => protobuf::signature(&result).ok_or(CannotSign::BadKey),
        Ok(None) => Err(CannotSign::BadKey),
        Err(Status::NotFound) => Err(CannotSign::NoFunction),
        Err(_) => Err(CannotSign::BadKey),
    }
}

/// Why there is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotSign {
    /// This Envoy has no `sign` function.
    NoFunction,
    /// The key is no private RSA key in PEM.
    BadKey,
}

/// The client's end of the present request.
pub struct Downstream;

impl Connection for Downstream {
    fn is_tls(&self) -> bool {
        let version = hostcalls::get_property(vec!["connection", "tls_version"]);
        matches!(version, Ok(Some(version)) if !version.is_empty())
    }

    fn peer(&self) -> Option<IpAddr> {
        let address = hostcalls::get_property(vec!["source", "address"]).ok()??;
        let address: SocketAddr = std::str::from_utf8(&address).ok()?.parse().ok()?;
        Some(address.ip())
    }
}

/// The shared data of this Envoy.
pub struct Shared;

impl SharedData for Shared {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        match hostcalls::get_shared_data(key) {
            Ok((value, Some(version))) => Some((value.unwrap_or_default(), version)),
            _ => None,
        }
    }

    fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
        hostcalls::set_shared_data(key, Some(value), version).is_ok()
    }
}

/// Envoy's stats. Defining one anew costs nine times a change, so the ids are kept.
#[derive(Default)]
pub struct Metrics {
    ids: HashMap<String, u32>,
}

impl Metrics {
    /// Carries out one change.
    pub fn record(&mut self, metric: Metric) {
        let Metric {
            kind,
            name,
            value,
            relative,
            ..
        } = metric;
        let id = match self.ids.get(&name) {
            Some(id) => *id,
            None => {
                let kind = match kind {
                    Kind::Counter => MetricType::Counter,
                    Kind::Gauge => MetricType::Gauge,
                    Kind::Histogram => MetricType::Histogram,
                };
                let Ok(id) = hostcalls::define_metric(kind, &name) else {
                    return;
                };
                self.ids.insert(name, id);
                id
            }
        };
        let _ = if kind == Kind::Counter || relative {
            hostcalls::increment_metric(id, value)
        } else {
            hostcalls::record_metric(id, u64::try_from(value).unwrap_or(0))
        };
    }
}

//! Turns a route's answer into a response: validator and conditions first, then layout for
//! people, ranges, gzip and the header fields that every response of GitHub has.
//!
//! Preparing is apart from finishing because a 304 may be free, so the charge lies between them.

use crate::auth::Identity;
use crate::conditional;
use crate::etag::{self, EtagMode};
use crate::limits::Standing;
use crate::media;
use crate::pretty;
use crate::range::{self, Ranged};
use crate::reply::{Body, Reply};
use crate::request::Request;
use crate::stream::Source;
use bytes::Bytes;
use flate2::{write::GzEncoder, Compression};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

/// The fields that a page on another origin may read.
const EXPOSED: &str = "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, \
X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, \
X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-SSO, X-GitHub-Request-Id, \
Deprecation, Sunset";

/// The API version that is served unless the client selects one.
pub const API_VERSION: &str = "2022-11-28";

/// An answer whose validator is known.
pub struct Prepared {
    reply: Reply,
    compact: Bytes,
    opaque: Option<String>,
    /// Whether it will be a 304.
    pub not_modified: bool,
}

/// What a response depends on besides the answer.
pub struct Circumstances<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who sent it.
    pub who: &'a Identity,
    /// The rate-limit headers, where there are any.
    pub standing: Option<&'a Standing>,
    /// The number of the request.
    pub number: u64,
    /// Whether a 304 says the weak tag that a compressed 200 would have.
    pub weak_304: bool,
    /// The time in Unix seconds.
    pub now: f64,
}

/// A response before its body is set in motion.
pub struct Rendered {
    /// Status code.
    pub status: u16,
    /// All header fields.
    pub headers: HeaderMap,
    /// The body; `None` for none.
    pub source: Option<Source>,
}

/// Computes the validator of an answer and evaluates the request's conditions.
pub fn prepare(request: &Request, reply: Reply, mode: EtagMode) -> Prepared {
    let compact = match &reply.body {
        Body::Json(value) => Bytes::from(value.to_string()),
        Body::Bytes(_, bytes) => bytes.clone(),
        Body::Empty | Body::Generated(..) => Bytes::new(),
    };
    let tagged =
        matches!(reply.status, 200 | 201) && matches!(reply.body, Body::Json(_) | Body::Bytes(..));
    let opaque = match &reply.etag {
        Some(fixed) => Some(fixed.trim_start_matches("W/").trim_matches('"').to_owned()),
        None if tagged => etag::opaque(mode, &request.headers, &compact),
        None => None,
    };
    let not_modified = request.is_read()
        && reply.status == 200
        && conditional::not_modified(&request.headers, opaque.as_deref(), reply.modified);
    Prepared {
        reply,
        compact,
        opaque,
        not_modified,
    }
}

/// Completes a response.
pub fn finish(prepared: Prepared, given: &Circumstances<'_>) -> Rendered {
    let Prepared {
        reply,
        compact,
        opaque,
        not_modified,
    } = prepared;
    let request = given.request;
    let mut headers = HeaderMap::new();
    let mut status = if not_modified { 304 } else { reply.status };
    common(&mut headers, given, status);
    for (name, value) in &reply.headers {
        set(&mut headers, name, value);
    }
    if let Some(seconds) = reply.modified {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        set(
            &mut headers,
            "last-modified",
            &httpdate::fmt_http_date(time),
        );
    }
    let media_type = match &reply.body {
        Body::Empty => None,
        Body::Json(_) => Some("application/json; charset=utf-8"),
        Body::Bytes(media_type, _) | Body::Generated(media_type, _) => Some(media_type.as_str()),
    };
    let mut source = match &reply.body {
        Body::Empty => None,
        Body::Json(value) if pretty::wanted(request.header("user-agent")) => {
            Some(Source::Whole(Bytes::from(pretty::print(value))))
        }
        Body::Json(_) | Body::Bytes(..) => Some(Source::Whole(compact)),
        Body::Generated(_, generated) => Some(Source::Generated(*generated)),
    };
    let strong = opaque.as_ref().map(|opaque| format!("\"{opaque}\""));
    let ranged = match &source {
        Some(source) if status == 200 && !reply.is_json() => {
            set(&mut headers, "accept-ranges", "bytes");
            range::of(request, source.length(), strong.as_deref())
        }
        _ => Ranged::Whole,
    };
    let mut compressed = false;
    match ranged {
        Ranged::Part(start, end) => {
            status = 206;
            let length = source.as_ref().map_or(0, Source::length);
            let last = end.saturating_sub(1);
            set(
                &mut headers,
                "content-range",
                &format!("bytes {start}-{last}/{length}"),
            );
            source = source.map(|source| Source::Whole(source.part(start, end)));
        }
        Ranged::Unsatisfiable => {
            status = 416;
            let length = source.as_ref().map_or(0, Source::length);
            set(&mut headers, "content-range", &format!("bytes */{length}"));
            source = Some(Source::Whole(Bytes::new()));
        }
        Ranged::Whole => {
            let wanted = media_type.is_some_and(media::compressible) && media::takes_gzip(request);
            compressed = wanted && source.as_ref().is_some_and(|source| source.length() > 0);
            if let (true, Some(Source::Whole(bytes))) = (compressed, &source) {
                source = Some(Source::Whole(gzip(bytes)));
                if !not_modified {
                    set(&mut headers, "content-encoding", "gzip");
                }
            }
        }
    }
    if let Some(fixed) = reply.etag {
        set(&mut headers, "etag", &fixed);
    } else if let Some(strong) = strong {
        let weak = compressed && (!not_modified || given.weak_304);
        set(
            &mut headers,
            "etag",
            &format!("{}{strong}", if weak { "W/" } else { "" }),
        );
    }
    if not_modified {
        source = None;
    } else if let (Some(media_type), Some(source)) = (media_type, &source) {
        set(&mut headers, "content-type", media_type);
        set(&mut headers, "content-length", &source.length().to_string());
    } else if status != 204 && status != 205 {
        set(&mut headers, "content-length", "0");
    }
    Rendered {
        status,
        headers,
        source: source.filter(|_| request.method != "HEAD"),
    }
}

/// The header fields that do not depend on the body.
fn common(headers: &mut HeaderMap, given: &Circumstances<'_>, status: u16) {
    let now = Duration::try_from_secs_f64(given.now).unwrap_or_default();
    set(headers, "server", "github.com");
    set(headers, "date", &httpdate::fmt_http_date(UNIX_EPOCH + now));
    let known = given.who.is_known();
    if status < 400 {
        let scope = if known { "private" } else { "public" };
        set(
            headers,
            "cache-control",
            &format!("{scope}, max-age=60, s-maxage=60"),
        );
    }
    let vary = match known && status < 400 {
        true => {
            "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"
        }
        false => "Accept, Accept-Encoding, Accept, X-Requested-With",
    };
    set(headers, "vary", vary);
    if given.who.login().is_some() {
        set(headers, "x-oauth-scopes", "gist, read:org, repo, user");
        set(headers, "x-accepted-oauth-scopes", "");
    }
    set(
        headers,
        "x-github-media-type",
        &media::described(given.request),
    );
    let version = given.request.header("x-github-api-version");
    let version = if version.is_empty() {
        API_VERSION
    } else {
        version
    };
    set(headers, "x-github-api-version-selected", version);
    if let Some(standing) = given.standing {
        set(headers, "x-ratelimit-limit", &standing.limit.to_string());
        set(
            headers,
            "x-ratelimit-remaining",
            &standing.remaining.to_string(),
        );
        set(headers, "x-ratelimit-reset", &standing.reset.to_string());
        set(headers, "x-ratelimit-used", &standing.used.to_string());
        set(headers, "x-ratelimit-resource", &standing.resource);
    }
    set(headers, "access-control-expose-headers", EXPOSED);
    set(headers, "access-control-allow-origin", "*");
    set(
        headers,
        "strict-transport-security",
        "max-age=31536000; includeSubdomains; preload",
    );
    set(headers, "x-frame-options", "deny");
    set(headers, "x-content-type-options", "nosniff");
    set(headers, "x-xss-protection", "0");
    set(
        headers,
        "referrer-policy",
        "origin-when-cross-origin, strict-origin-when-cross-origin",
    );
    set(headers, "content-security-policy", "default-src 'none'");
    let number = given.number;
    let id = format!(
        "{:04X}:{:06X}:{number:07X}:51A0:AB1E",
        number % 0xffff,
        number % 0xff_ffff
    );
    set(headers, "x-github-request-id", &id);
}

/// Sets a header field; a name or value that HTTP forbids is left out.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(bytes);
    Bytes::from(encoder.finish().unwrap_or_default())
}

//! The control port: the methods of [`Steering`] as JSON over HTTP. The crate's documentation
//! lists its endpoints.
//!
//! It is for tests on the same machine and has no authentication.

use crate::apps::App;
use crate::auth::{Owner, Token};
use crate::documents::Document;
use crate::etag::EtagMode;
use crate::faults::Fault;
use crate::handle::Steering;
use crate::request::query_pairs;
use crate::secondary::{Ban, SecondaryRules};
use crate::server::accept;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::{json, Value};
use std::convert::Infallible;
use std::path::PathBuf;
use tokio::net::TcpListener;

/// Serves the control port until the task is aborted.
pub async fn serve(listener: TcpListener, steering: Steering) {
    while let Some(stream) = accept(&listener).await {
        let steering = steering.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(steering.clone(), request));
            // Errors of a connection are the client's to see.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    steering: Steering,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let query = head.uri.query().unwrap_or_default();
    let (status, value) = match act(&steering, &head.method, head.uri.path(), query, &body) {
        Ok(value) => (StatusCode::OK, value),
        Err(Refused::Unknown) => (
            StatusCode::NOT_FOUND,
            json!({"error": "no such control endpoint, or nothing of that name"}),
        ),
        Err(Refused::Malformed(text)) => (StatusCode::BAD_REQUEST, json!({"error": text})),
    };
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

enum Refused {
    Unknown,
    Malformed(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutDocument {
    path: String,
    document: Document,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtPath {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    value: String,
    owner: Owner,
    #[serde(default)]
    expires: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfOwner {
    owner: String,
    #[serde(default = "every")]
    resource: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetQuota {
    #[serde(default = "every")]
    owner: String,
    #[serde(default = "every")]
    resource: String,
    limit: u64,
    #[serde(default = "hour")]
    window_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBan {
    owner: String,
    #[serde(default)]
    ban: Ban,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetEtags {
    #[serde(default)]
    prefix: String,
    mode: EtagMode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRepo {
    owner: String,
    name: String,
    #[serde(default)]
    issues: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    owner: String,
    name: String,
    new_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeInstallation {
    #[serde(default)]
    suspended: Option<bool>,
    #[serde(default)]
    token_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenApi {
    file: PathBuf,
}

fn every() -> String {
    "*".to_owned()
}

fn hour() -> u64 {
    3600
}

fn act(
    steering: &Steering,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Result<Value, Refused> {
    let done = Ok(json!({"ok": true}));
    let parameter = |name: &str| {
        let mut pairs = query_pairs(query).into_iter();
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    };
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["health"]) => return done,
        ("GET", ["log"]) => {
            let after = parameter("after")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            return Ok(json!(steering.requests_after(after)));
        }
        ("DELETE", ["log"]) => steering.reset_log(),
        ("GET", ["counters"]) => return Ok(json!(steering.counters())),
        ("POST", ["documents"]) => {
            let put: PutDocument = read(body)?;
            steering.put(&put.path, put.document);
        }
        ("DELETE", ["documents"]) => {
            let path = parameter("path").unwrap_or_default();
            return found(steering.remove(&path));
        }
        ("POST", ["touch"]) => return found(steering.touch(&read::<AtPath>(body)?.path)),
        ("POST", ["repos"]) => {
            let new: NewRepo = read(body)?;
            let id = steering.add_repo(&new.owner, &new.name, new.issues);
            return Ok(json!({"id": id}));
        }
        ("POST", ["repos", "rename"]) => {
            let names: Rename = read(body)?;
            return found(steering.rename_repo(&names.owner, &names.name, &names.new_name));
        }
        ("GET", ["tokens"]) => {
            let tokens = steering.tokens();
            let shown = tokens.iter().map(|token| {
                json!({"name": token.name, "owner": token.owner.key(), "expires": token.expires})
            });
            return Ok(shown.collect());
        }
        ("POST", ["tokens"]) => {
            let new: NewToken = read(body)?;
            steering.add_token(Token {
                name: new.name,
                value: new.value,
                owner: new.owner,
                expires: new.expires,
            });
        }
        ("DELETE", ["tokens", name]) => return found(steering.revoke_token(name)),
        ("POST", ["apps"]) => steering.add_app(read::<App>(body)?),
        ("PATCH", ["installations", id]) => {
            let wanted: ChangeInstallation = read(body)?;
            let id = id.parse().map_err(|_| Refused::Unknown)?;
            return found(steering.change_installation(id, |installation| {
                installation.suspended = wanted.suspended.unwrap_or(installation.suspended);
                let seconds = wanted.token_seconds.unwrap_or(installation.token_seconds);
                installation.token_seconds = seconds;
            }));
        }
        ("POST", ["quotas"]) => {
            let set: SetQuota = read(body)?;
            steering.set_quota(&set.owner, &set.resource, set.limit, set.window_seconds);
        }
        ("POST", ["exhaust"]) => {
            let of: OfOwner = read(body)?;
            let resource = if of.resource == "*" {
                "core"
            } else {
                &of.resource
            };
            steering.exhaust(&of.owner, resource);
        }
        ("POST", ["windows", "reset"]) => {
            let of: OfOwner = read(body)?;
            steering.reset_windows(&of.owner, &of.resource);
        }
        ("POST", ["bans"]) => {
            let set: SetBan = read(body)?;
            steering.ban(&set.owner, set.ban);
        }
        ("DELETE", ["bans"]) => steering.lift_ban(&parameter("owner").unwrap_or_else(every)),
        ("POST", ["secondary"]) => steering.set_secondary(read::<SecondaryRules>(body)?),
        ("POST", ["etags"]) => {
            let set: SetEtags = read(body)?;
            steering.set_etags(&set.prefix, set.mode);
        }
        ("GET", ["faults"]) => return Ok(json!(steering.faults())),
        ("POST", ["faults"]) => steering.fault(read::<Fault>(body)?),
        ("DELETE", ["faults"]) => steering.clear_faults(),
        ("POST", ["openapi"]) => {
            let loaded = steering.load_openapi(&read::<OpenApi>(body)?.file);
            let examples = loaded.map_err(|error| Refused::Malformed(format!("{error:#}")))?;
            let shown = examples
                .iter()
                .map(|example| json!({"operation": example.operation, "path": example.path}));
            return Ok(shown.collect());
        }
        _ => return Err(Refused::Unknown),
    }
    done
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::Malformed(error.to_string()))
}

fn found(is: bool) -> Result<Value, Refused> {
    if is {
        Ok(json!({"ok": true}))
    } else {
        Err(Refused::Unknown)
    }
}

//! The cache cluster: Redis, spoken to over HTTP through Webdis, as requests and answers.
//!
//! `:authority` is the key, so that a MAGLEV or RING_HASH cluster shards by it. Webdis reports
//! an error of Redis as a 200 with JSON, and a missing key as a 404 (for `.bin`), so answers
//! are read, not trusted. Only GET, GETRANGE, SETEX, SET, DEL, INCRBY and EXPIRE are
//! used.

use crate::cache::entry::{Entry, Peek, PEEK};
use crate::cache::key::Key;
use serde_json::Value;

/// How long one replica may keep the others waiting for its answer, milliseconds. One that
/// dies is waited for no longer than this.
pub const LEASE_MILLIS: u64 = 10_000;

/// One operation; its name is the `operation` label of the stats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read a whole entry.
    Get,
    /// Read the part of an entry that identifies its body.
    Peek,
    /// Write an entry.
    Set,
    /// Claim the right to ask GitHub about a key.
    Lock,
    /// Give that right back.
    Unlock,
    /// Add to a counter that all replicas share.
    Add,
    /// Let such a counter go in time.
    Expire,
}

impl Operation {
    /// The `operation` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Peek => "peek",
            Self::Set => "set",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Add => "add",
            Self::Expire => "expire",
        }
    }
}

/// A call to Webdis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it does.
    pub operation: Operation,
    /// GET, or PUT when there is a body.
    pub method: &'static str,
    /// The shard key.
    pub authority: String,
    /// The command.
    pub path: String,
}

impl Call {
    fn new(operation: Operation, key: &Key, path: String) -> Self {
        Self {
            operation,
            method: if operation == Operation::Set {
                "PUT"
            } else {
                "GET"
            },
            authority: key.hex(),
            path,
        }
    }

    /// Reads the entry under `key`.
    pub fn get(key: &Key) -> Self {
        Self::new(Operation::Get, key, format!("/GET/{}.bin", key.hex()))
    }

    /// Reads what identifies the body of the entry under `key`.
    pub fn peek(key: &Key) -> Self {
        let path = format!("/GETRANGE/{}/0/{PEEK}.bin", key.hex());
        Self::new(Operation::Peek, key, path)
    }

    /// Writes the body of this call under `key` for `ttl_seconds`.
    pub fn set(key: &Key, ttl_seconds: u64) -> Self {
        let path = format!("/SETEX/{}/{ttl_seconds}", key.hex());
        Self::new(Operation::Set, key, path)
    }

    /// Claims `key` for this replica, unless another has it.
    pub fn lock(key: &Key) -> Self {
        let path = format!("/SET/{}/1/NX/PX/{LEASE_MILLIS}", lock_key(key));
        Self::new(Operation::Lock, key, path)
    }

    /// Gives the claim on `key` back.
    pub fn unlock(key: &Key) -> Self {
        Self::new(Operation::Unlock, key, format!("/DEL/{}", lock_key(key)))
    }
}

impl Call {
    /// Adds `amount` to the counter of a budget; 0 only reads it, and leaves none behind that
    /// nobody has added to.
    pub fn add(counter: &str, amount: i64) -> Self {
        let path = if amount == 0 {
            format!("/GET/{counter}")
        } else {
            format!("/INCRBY/{counter}/{amount}")
        };
        Self {
            operation: Operation::Add,
            method: "GET",
            authority: counter.to_owned(),
            path,
        }
    }

    /// Lets that counter go once nobody asks for it any more: its hour and another one.
    pub fn expire(counter: &str) -> Self {
        Self {
            operation: Operation::Expire,
            method: "GET",
            authority: counter.to_owned(),
            path: format!("/EXPIRE/{counter}/7200"),
        }
    }
}

/// Hex like every key, and never the key of an entry: longer by one byte.
fn lock_key(key: &Key) -> String {
    format!("{}00", key.hex())
}

/// Webdis or Redis did not do what it was asked: it counts as down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// The entry in the answer to `Call::get`, if there is a readable one.
pub fn entry(status: u16, body: Vec<u8>, key: &Key) -> Result<Option<Entry>, Failed> {
    match status {
        200 => Ok(Entry::decode(body, key)),
        404 => Ok(None),
        _ => Err(Failed),
    }
}

/// What the answer to `Call::peek` identifies, if anything.
pub fn peek(status: u16, body: &[u8]) -> Result<Option<Peek>, Failed> {
    match status {
        200 => Ok(Peek::read(body)),
        404 => Ok(None),
        _ => Err(Failed),
    }
}

/// Whether the answer to `Call::lock` grants the claim.
pub fn granted(status: u16, body: &[u8]) -> Result<bool, Failed> {
    match reply(status, body, "SET")? {
        Value::Null => Ok(false),
        Value::Array(parts) if parts.first() == Some(&Value::Bool(true)) => Ok(true),
        _ => Err(Failed),
    }
}

/// Whether a write was done.
pub fn written(operation: Operation, status: u16, body: &[u8]) -> Result<(), Failed> {
    let command = match operation {
        Operation::Set => "SETEX",
        Operation::Unlock => "DEL",
        Operation::Expire => "EXPIRE",
        Operation::Get | Operation::Peek | Operation::Lock | Operation::Add => return Err(Failed),
    };
    match reply(status, body, command)? {
        Value::Number(_) => Ok(()),
        Value::Array(parts) if parts.first() == Some(&Value::Bool(true)) => Ok(()),
        _ => Err(Failed),
    }
}

/// What a counter stands at after `Call::add` of `amount`; 0 also where it was lost, and only
/// what is taken back is left of it.
///
/// # Errors
/// The cluster did not say.
pub fn sum(status: u16, body: &[u8], amount: i64) -> Result<u64, Failed> {
    let sum = if amount == 0 {
        match reply(status, body, "GET")? {
            Value::Null => Some(0),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    } else {
        reply(status, body, "INCRBY")?.as_i64()
    };
    let sum: i64 = sum.ok_or(Failed)?;
    Ok(u64::try_from(sum).unwrap_or(0))
}

/// The reply in `{"COMMAND": reply}`.
fn reply(status: u16, body: &[u8], command: &str) -> Result<Value, Failed> {
    if status != 200 {
        return Err(Failed);
    }
    let mut answer: Value = serde_json::from_slice(body).map_err(|_| Failed)?;
    answer.get_mut(command).map(Value::take).ok_or(Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn calls_are_commands_with_hex_keys() {
        let key = Key([0xab; 32]);
        let hex = "ab".repeat(32);
        assert_eq!(Call::get(&key).path, format!("/GET/{hex}.bin"));
        assert_eq!(Call::peek(&key).path, format!("/GETRANGE/{hex}/0/43.bin"));
        assert_eq!(Call::set(&key, 60).path, format!("/SETEX/{hex}/60"));
        assert_eq!(Call::set(&key, 60).method, "PUT");
        assert_eq!(Call::lock(&key).path, format!("/SET/{hex}00/1/NX/PX/10000"));
        assert_eq!(Call::unlock(&key).authority, hex);
        assert_eq!(Call::add(&hex, -2).path, format!("/INCRBY/{hex}/-2"));
        assert_eq!(Call::add(&hex, 0).path, format!("/GET/{hex}"));
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn answers_are_read_not_trusted() {
        let key = Key([1; 32]);
        assert_eq!(entry(404, vec![], &key), Ok(None));
        assert_eq!(entry(503, vec![], &key), Err(Failed));
        assert_eq!(entry(200, b"not an entry".to_vec(), &key), Ok(None));
        assert_eq!(peek(200, b""), Ok(None));
        assert_eq!(sum(200, br#"{"INCRBY":7}"#, 2), Ok(7));
        assert_eq!(sum(200, br#"{"INCRBY":-1}"#, -1), Ok(0));
        assert_eq!(sum(200, br#"{"INCRBY":[false,"ERR"]}"#, 2), Err(Failed));
        assert_eq!(sum(200, br#"{"GET":"7"}"#, 0), Ok(7));
        assert_eq!(sum(200, br#"{"GET":null}"#, 0), Ok(0));
        assert_eq!(sum(200, br#"{"GET":[false,"ERR"]}"#, 0), Err(Failed));
        assert_eq!(sum(200, br#"{"GET":"x"}"#, 0), Err(Failed));
        assert_eq!(granted(200, br#"{"SET":[true,"OK"]}"#), Ok(true));
        assert_eq!(granted(200, br#"{"SET":null}"#), Ok(false));
        assert_eq!(granted(200, br#"{"SET":[false,"ERR x"]}"#), Err(Failed));
        assert_eq!(granted(503, b""), Err(Failed));
        assert_eq!(
            written(Operation::Set, 200, br#"{"SETEX":[true,"OK"]}"#),
            Ok(())
        );
        assert_eq!(
            written(Operation::Set, 200, br#"{"SETEX":[false,"OOM"]}"#),
            Err(Failed)
        );
        assert_eq!(written(Operation::Unlock, 200, br#"{"DEL":0}"#), Ok(()));
        assert_eq!(written(Operation::Unlock, 200, b"nonsense"), Err(Failed));
    }
}

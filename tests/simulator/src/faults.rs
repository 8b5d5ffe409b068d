//! Faults on demand: what goes wrong, for which requests, how often.
//!
//! A fault is looked for before anything else is decided, so a failing request is not charged and
//! changes nothing, unless the fault concerns only the way in which the answer is sent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// This status and body in place of the answer, for example 502.
    Status {
        /// The status code.
        status: u16,
        /// The body; a JSON error when absent.
        #[serde(default)]
        body: Option<String>,
        /// Further header fields.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The answer comes late.
    Delay {
        /// By so much.
        milliseconds: u64,
    },
    /// No answer ever; the connection stays open.
    Hang,
    /// The connection is reset (RST) before an answer; on HTTP/2 the stream.
    Reset,
    /// The connection is closed (FIN) before an answer; on HTTP/2 the stream is reset.
    Close,
    /// The answer's head announces all of the body, and the connection ends within it.
    Truncate {
        /// After so many bytes of it.
        after_bytes: u64,
    },
    /// The answer's body comes in small, late pieces.
    Slow {
        /// Their size.
        chunk_bytes: usize,
        /// The pause before each.
        milliseconds: u64,
    },
    /// 200 with a body that is not what its Content-Type (JSON) says.
    Garbage,
    /// Bytes on the connection that are not HTTP, then its end; on HTTP/2 the stream is reset.
    NotHttp,
}

impl Action {
    /// Its name in the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Action::Status { .. } => "fault:status",
            Action::Delay { .. } => "fault:delay",
            Action::Hang => "fault:hang",
            Action::Reset => "fault:reset",
            Action::Close => "fault:close",
            Action::Truncate { .. } => "fault:truncate",
            Action::Slow { .. } => "fault:slow",
            Action::Garbage => "fault:garbage",
            Action::NotHttp => "fault:not_http",
        }
    }
}

/// A fault and the requests that it hits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Requests whose path and query, below the mount, start so. Empty: all.
    #[serde(default)]
    pub prefix: String,
    /// Of this method only.
    #[serde(default)]
    pub method: Option<String>,
    /// With the token of this name only.
    #[serde(default)]
    pub token: Option<String>,
    /// So many matching requests go unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// So many are hit; all when absent.
    #[serde(default)]
    pub times: Option<u64>,
    /// What goes wrong.
    pub action: Action,
}

impl Fault {
    /// Hits the next `times` requests whose path starts with `prefix`.
    pub fn next(times: u64, prefix: &str, action: Action) -> Self {
        Self {
            prefix: prefix.to_owned(),
            method: None,
            token: None,
            skip: 0,
            times: Some(times),
            action,
        }
    }

    fn matches(&self, method: &str, target: &str, token: Option<&str>) -> bool {
        let method = self
            .method
            .as_deref()
            .is_none_or(|only| only.eq_ignore_ascii_case(method));
        let token = self.token.as_deref().is_none_or(|only| token == Some(only));
        method && token && target.starts_with(&self.prefix)
    }
}

/// The faults that are waiting, in the order in which they were added.
#[derive(Default)]
pub struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    /// Adds a fault behind the others.
    pub fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// What is waiting.
    pub fn list(&self) -> &[Fault] {
        &self.waiting
    }

    /// What happens to this request: the first fault that matches, used up by one.
    pub fn take(&mut self, method: &str, target: &str, token: Option<&str>) -> Option<Action> {
        let index = self
            .waiting
            .iter()
            .position(|fault| fault.matches(method, target, token))?;
        let fault = self.waiting.get_mut(index)?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        let action = fault.action.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.waiting.remove(index);
            }
        }
        Some(action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_as_often_as_told_and_whom_it_is_told() {
        let mut faults = Faults::default();
        let mut fault = Fault::next(1, "/repos", Action::Reset);
        fault.skip = 1;
        fault.token = Some("B".to_owned());
        faults.add(fault);
        assert_eq!(faults.take("GET", "/repos/a", Some("A")), None);
        assert_eq!(faults.take("GET", "/repos/a", Some("B")), None);
        assert_eq!(
            faults.take("GET", "/repos/a", Some("B")),
            Some(Action::Reset)
        );
        assert_eq!(faults.take("GET", "/repos/a", Some("B")), None);
    }
}

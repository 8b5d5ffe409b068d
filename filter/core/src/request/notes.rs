//! What access logs are told about a request. Never a token, a query, or a header field that
//! might hold one; what a client made up is bounded and printable.

use super::effect::{Effect, Note};
use crate::header::Headers;
use crate::path::Target;

/// Longer paths are cut.
const LONGEST_PATH: usize = 1_024;
/// GitHub's are 40 characters or so.
const LONGEST_ID: usize = 100;

/// What can be said of every request; `target` is what it asks for, if that is well formed.
pub(super) fn of_request(headers: &Headers, target: Option<&Target>, effects: &mut Vec<Effect>) {
    let mut path = match target {
        Some(target) => target.path.clone(),
        None => raw_path(headers.get(":path").unwrap_or_default()),
    };
    if let Some((end, _)) = path.char_indices().nth(LONGEST_PATH) {
        path.truncate(end);
    }
    effects.push(Effect::Note(Note::Path, path));
    if let Some(id) = headers.text("traceparent").and_then(trace_id) {
        effects.push(Effect::Note(Note::TraceId, id.to_owned()));
    }
}

/// Who asks.
pub(super) fn of_client(client: &str, effects: &mut Vec<Effect>) {
    effects.push(Effect::Note(Note::Client, client.to_owned()));
}

/// How GitHub was asked, and what it answered.
pub(super) fn of_answer(
    credential: &str,
    resource: &str,
    counted: bool,
    response: &Headers,
    effects: &mut Vec<Effect>,
) {
    let cost = if counted { "counted" } else { "free" };
    effects.push(Effect::Note(Note::Credential, credential.to_owned()));
    effects.push(Effect::Note(Note::Resource, resource.to_owned()));
    effects.push(Effect::Note(Note::Cost, cost.to_owned()));
    let id = response.text("x-github-request-id");
    let printable = |id: &&str| id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic());
    if let Some(id) = id.filter(printable) {
        effects.push(Effect::Note(Note::GithubRequestId, id.to_owned()));
    }
}

/// What precedes query and fragment, without what would garble a line.
fn raw_path(target: &[u8]) -> String {
    let end = target.iter().position(|byte| b"?#".contains(byte));
    let path = target
        .get(..end.unwrap_or(target.len()))
        .unwrap_or_default();
    let path = String::from_utf8_lossy(path);
    path.chars().filter(|it| !it.is_control()).collect()
}

/// The trace id of a `traceparent` (W3C Trace Context §3.2): 32 lower-case hexadecimal digits,
/// not all zero, in any version of the format but the forbidden `ff`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let hex = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = traceparent.trim().split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    let whole = hex(version, 2) && version != "ff" && hex(parent, 16) && hex(flags, 2);
    (whole && hex(id, 32) && id.bytes().any(|b| b != b'0')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn noted(fields: &[(&str, &str)]) -> Vec<(Note, String)> {
        let fields = fields.iter();
        let fields = fields.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        let headers = Headers::new(fields.collect());
        let target = Target::parse(headers.get(":path").unwrap_or_default()).ok();
        let mut effects = Vec::new();
        of_request(&headers, target.as_ref(), &mut effects);
        effects
            .into_iter()
            .map(|effect| match effect {
                Effect::Note(note, text) => (note, text),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn paths_are_told_without_mount_and_query_and_bad_ones_without_control_characters() {
        for (target, path) in [
            ("/api/v3/repos/a/b?token=hunter2", "/repos/a/b"),
            ("/a/%2e%2e/user", "/user"),
            ("/a/%252e%252e/b?token=hunter2", "/a/%252e%252e/b"),
            ("/a\u{7}\\b#hunter2", "/a\\b"),
        ] {
            let expected = [(Note::Path, path.to_owned())];
            assert_eq!(noted(&[(":path", target)]), expected, "{target}");
        }
        let long = noted(&[(":path", &format!("/{}", "x".repeat(5_000)))]);
        assert_eq!(long[0].1.len(), LONGEST_PATH);
    }

    #[test]
    fn only_a_valid_traceparent_has_a_trace_id() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (traceparent, valid) in [
            (format!("00-{id}-00f067aa0ba902b7-01"), true),
            (format!("01-{id}-00f067aa0ba902b7-01-more"), true),
            (format!("ff-{id}-00f067aa0ba902b7-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false),
            (
                format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
                false,
            ),
            (format!("00-{id}-00f067aa0ba902b7"), false),
            (id.to_owned(), false),
        ] {
            let noted = noted(&[(":path", "/"), ("traceparent", &traceparent)]);
            let found = noted.iter().find(|(note, _)| *note == Note::TraceId);
            let found = found.map(|(_, text)| text.as_str());
            assert_eq!(found, valid.then_some(id), "{traceparent}");
        }
    }
}

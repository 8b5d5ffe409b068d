//! Decides whether a GET or HEAD is answered with 304, after RFC 9110 §13.2.2.
//!
//! If-None-Match has precedence: where it is present If-Modified-Since is not looked at.

use hyper::header::{HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use std::time::{Duration, UNIX_EPOCH};

/// Whether the client holds the current representation already.
///
/// `opaque` is the current entity tag without quotes and weakness, `modified` the time of the last
/// change in Unix seconds.
pub fn not_modified(headers: &HeaderMap, opaque: Option<&str>, modified: Option<u64>) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        return headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|list| list_matches(list, opaque));
    }
    let since = headers
        .get(IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| httpdate::parse_http_date(text).ok());
    match (since, modified) {
        (Some(since), Some(modified)) => UNIX_EPOCH + Duration::from_secs(modified) <= since,
        _ => false,
    }
}

/// Weak comparison (RFC 9110 §8.8.3.2) of each member of a list, or `*` for any representation.
fn list_matches(list: &str, opaque: Option<&str>) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let Some(opaque) = opaque else { return false };
    let mut rest = list;
    // A tag may hold a comma, so the list is read tag by tag and not split at commas.
    while let Some((_, after)) = rest.split_once('"') {
        let Some((tag, next)) = after.split_once('"') else {
            return false;
        };
        if tag == opaque {
            return true;
        }
        rest = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn any_member_of_the_list_matches_weakly() {
        let list = headers(&[(IF_NONE_MATCH, r#""x,y", W/"abc""#)]);
        assert!(not_modified(&list, Some("abc"), None));
        assert!(not_modified(&list, Some("x,y"), None));
        assert!(!not_modified(&list, Some("y"), None));
        assert!(not_modified(&headers(&[(IF_NONE_MATCH, "*")]), None, None));
    }

    #[test]
    fn a_tag_that_differs_outranks_a_date_that_matches() {
        let both = headers(&[
            (IF_NONE_MATCH, r#""old""#),
            (IF_MODIFIED_SINCE, "Thu, 01 Jan 2026 00:00:00 GMT"),
        ]);
        assert!(!not_modified(&both, Some("new"), Some(0)));
        let date = headers(&[(IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:10 GMT")]);
        assert!(not_modified(&date, Some("new"), Some(10)));
        assert!(!not_modified(&date, Some("new"), Some(11)));
        assert!(!not_modified(&date, Some("new"), None));
    }
}

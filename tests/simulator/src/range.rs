//! Answers single byte ranges of bodies that are not JSON (RFC 9110 §14).

use crate::request::Request;

/// What a Range header makes of a body.
pub enum Ranged {
    /// The whole body.
    Whole,
    /// 206 with the bytes from the first to the second (exclusive).
    Part(u64, u64),
    /// 416.
    Unsatisfiable,
}

/// Reads the Range header of a request for a body of `length` bytes whose strong entity tag,
/// quotes included, is `etag`. Several ranges, other units and a failed If-Range give the whole.
pub fn of(request: &Request, length: u64, etag: Option<&str>) -> Ranged {
    let Some(range) = request.header("range").strip_prefix("bytes=") else {
        return Ranged::Whole;
    };
    let condition = request.header("if-range");
    if request.method != "GET" || (!condition.is_empty() && Some(condition) != etag) {
        return Ranged::Whole;
    }
    let Some((first, last)) = range.split_once('-') else {
        return Ranged::Whole;
    };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), _) if first >= length => Ranged::Unsatisfiable,
        (Ok(first), Ok(last)) if first <= last => {
            Ranged::Part(first, last.saturating_add(1).min(length))
        }
        (Ok(first), Err(_)) if last.trim().is_empty() => Ranged::Part(first, length),
        (Err(_), Ok(0)) if first.trim().is_empty() => Ranged::Unsatisfiable,
        (Err(_), Ok(suffix)) if first.trim().is_empty() => {
            Ranged::Part(length.saturating_sub(suffix), length)
        }
        _ => Ranged::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderMap, HeaderValue, RANGE};

    fn part(range: &str) -> Option<(u64, u64)> {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
        match of(&Request::new("GET", "/", None, headers), 10, None) {
            Ranged::Part(start, end) => Some((start, end)),
            Ranged::Whole => None,
            Ranged::Unsatisfiable => Some((0, 0)),
        }
    }

    #[test]
    fn single_ranges_are_cut_at_the_end() {
        assert_eq!(part("bytes=2-4"), Some((2, 5)));
        assert_eq!(part("bytes=2-"), Some((2, 10)));
        assert_eq!(part("bytes=8-99"), Some((8, 10)));
        assert_eq!(part("bytes=-3"), Some((7, 10)));
        assert_eq!(part("bytes=10-"), Some((0, 0)));
        assert_eq!(part("bytes=1-2,4-5"), None);
        assert_eq!(part("lines=1-2"), None);
    }
}

//! Which responses Envoy's compressor may compress on their way to the client.
//!
//! It stands between the filter and the client, and drops the strong ETag of what it compresses. So
//! the filter has to know beforehand. These are the rules of the shipped configuration, which has
//! Envoy's defaults but for the length; nothing is compressed here.

use crate::cache::directive::Directives;
use crate::header::Headers;

/// The media types that Envoy compresses unless told otherwise.
const COMPRESSED: [&str; 18] = [
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/x-javascript",
    "application/x-json",
    "application/xhtml+xml",
    "application/xml",
    "image/svg+xml",
    "text/css",
    "text/ecmascript",
    "text/html",
    "text/javascript",
    "text/js",
    "text/jscript",
    "text/plain",
    "text/x-javascript",
    "text/x-js",
    "text/xml",
];

/// The shortest body that is compressed, bytes: `min_content_length` of the shipped configuration.
const SHORTEST: usize = 1024;

/// Whether a response may be compressed on its way to whoever sent `request`. `length` is that of
/// its body, bytes, where it is known.
pub fn may_compress(
    request: &Headers,
    status: u16,
    response: &Headers,
    length: Option<usize>,
) -> bool {
    let kind = response.text("content-type").map(|it| {
        let kind = it.split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    });
    status != 206
        && length.is_none_or(|it| it >= SHORTEST)
        && kind.is_none_or(|it| COMPRESSED.contains(&it.as_str()))
        && !response.has("content-encoding")
        && !Directives::of(response).no_transform
        && takes_gzip(request)
}

/// Whether a client takes gzip (RFC 9110 §12.5.3): by name, or with everything else.
fn takes_gzip(request: &Headers) -> bool {
    let list = request.joined("accept-encoding").unwrap_or_default();
    let list = String::from_utf8_lossy(&list).to_ascii_lowercase();
    let weighs = |coding: &str| {
        let mut members = list.split(',').map(|it| it.split(';').map(str::trim));
        members.find_map(|mut it| {
            let named = it.next() == Some(coding);
            named.then(|| !it.any(is_zero))
        })
    };
    weighs("gzip").or_else(|| weighs("*")).unwrap_or(false)
}

/// Whether a parameter is a weight of zero.
fn is_zero(parameter: &str) -> bool {
    let weight = parameter.strip_prefix("q=").map(str::trim);
    weight.is_some_and(|it| it.parse() == Ok(0.0_f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let fields = fields.iter().map(|(n, v)| (n.to_string(), (*v).into()));
        Headers::new(fields.collect())
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn only_whoever_takes_gzip_gets_it() {
        for (accepts, expected) in [
            ("gzip, deflate", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("br;q=1, *;q=0.1", true),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("*;q=0", false),
            ("x-gzip", false),
            ("", false),
        ] {
            let request = headers(&[("accept-encoding", accepts)]);
            assert_eq!(takes_gzip(&request), expected, "{accepts}");
        }
        assert!(!takes_gzip(&Headers::default()));
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn only_long_text_is_compressed_and_no_part() {
        let json = ("content-type", "application/json; charset=utf-8");
        let stays = ("cache-control", "private, no-transform");
        let octets = ("content-type", "application/octet-stream");
        let raw = ("content-type", "application/vnd.github.raw; charset=utf-8");
        let request = headers(&[("accept-encoding", "gzip")]);
        for (status, fields, length, expected) in [
            (200, vec![json], Some(1024), true),
            (200, vec![json], None, true),
            (200, vec![], None, true),
            (404, vec![("content-type", "Text/HTML")], None, true),
            (200, vec![json], Some(1023), false),
            (206, vec![json], Some(5000), false),
            (200, vec![octets], None, false),
            (200, vec![raw], None, false),
            (200, vec![json, stays], None, false),
            (200, vec![json, ("content-encoding", "br")], None, false),
        ] {
            let response = headers(&fields);
            let found = may_compress(&request, status, &response, length);
            assert_eq!(found, expected, "{status} {fields:?} {length:?}");
            assert!(!may_compress(
                &Headers::default(),
                status,
                &response,
                length
            ));
        }
    }
}

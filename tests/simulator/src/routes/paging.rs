//! Pages of lists and their `Link` header (RFC 8288), with absolute URLs as GitHub's.

use crate::reply::Reply;
use crate::request::query_pairs;
use crate::routes::Call;
use serde_json::Value;

/// The most items of a page, and how many there are unless the client says so.
const MOST: usize = 100;
const USUAL: usize = 30;

/// Which page was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: usize,
    /// Items per page, 1 to 100.
    pub size: usize,
}

impl Page {
    /// Reads `page` and `per_page`.
    pub fn of(call: &Call<'_>) -> Self {
        let number = |name: &str| {
            let text = call.request.parameter(name)?;
            text.parse::<usize>().ok().filter(|number| *number > 0)
        };
        Self {
            number: number("page").unwrap_or(1),
            size: number("per_page").unwrap_or(USUAL).min(MOST),
        }
    }

    /// The items of this page.
    pub fn cut<'a, T>(&self, items: &'a [T]) -> &'a [T] {
        let start = (self.number - 1).saturating_mul(self.size).min(items.len());
        let end = start.saturating_add(self.size).min(items.len());
        items.get(start..end).unwrap_or_default()
    }
}

/// The page that was asked for as a JSON array with its `Link`.
///
/// `path` is the canonical one that links name, such as `/repositories/1/issues`.
pub fn list<T>(call: &Call<'_>, path: &str, items: &[T], show: impl Fn(&T) -> Value) -> Reply {
    let page = Page::of(call);
    let shown: Vec<Value> = page.cut(items).iter().map(show).collect();
    linked(call, Reply::json(Value::Array(shown)), path, items.len())
}

/// Adds the `Link` of a list of `total` items to the answer that holds one page of it.
pub fn linked(call: &Call<'_>, reply: Reply, path: &str, total: usize) -> Reply {
    let page = Page::of(call);
    let last = total.div_ceil(page.size).max(1);
    let link = |number: usize, relation: &str| {
        let url = url(call, path, number);
        format!("<{url}>; rel=\"{relation}\"")
    };
    let mut links = Vec::new();
    if page.number > 1 {
        links.push(link((page.number - 1).min(last), "prev"));
    }
    if page.number < last {
        links.push(link(page.number + 1, "next"));
        links.push(link(last, "last"));
    }
    if page.number > 1 {
        links.push(link(1, "first"));
    }
    match links.is_empty() {
        true => reply,
        false => reply.header("link", links.join(", ")),
    }
}

/// The URL of another page: the query as sent, with `page` replaced or added.
fn url(call: &Call<'_>, path: &str, number: usize) -> String {
    let query = call.request.query.as_deref().unwrap_or_default();
    let is_page = |pair: &str| query_pairs(pair).iter().any(|(key, _)| key == "page");
    let mut seen = false;
    let mut pairs: Vec<String> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if is_page(pair) {
            seen = true;
            pairs.push(format!("page={number}"));
        } else {
            pairs.push(pair.to_owned());
        }
    }
    if !seen {
        pairs.push(format!("page={number}"));
    }
    format!("{}{path}?{}", call.shared.bases.api, pairs.join("&"))
}

use super::*;
use crate::config::{Place, Upstream};
use serde_json::{json, Value};

const FROM: &str = "https://api.github.com";
const TO: &str = "http://proxy:8080";

fn rewriter() -> BodyRewriter {
    of_kind(false)
}

fn of_kind(is_scim: bool) -> BodyRewriter {
    let upstream = Upstream::new(Place {
        authority: "api.github.com".into(),
        base_path: String::new(),
        cluster: "github".into(),
    });
    let roots = Roots {
        api: TO.to_owned(),
        uploads: format!("{TO}/api/uploads"),
    };
    BodyRewriter::new(Rc::new(Origins::new(&upstream)), &roots, is_scim)
}

fn whole(json: &str) -> String {
    String::from_utf8(rewriter().push(json.as_bytes(), true)).unwrap()
}

const BODY: &str = r#"{"url":"https://api.github.com/user","htmlUrl":"https:\/\/api.github.com\/user","_links":{"self" : "https://api.github.com/a","git":"https://api.github.com","html":{"href": "https://api.github.com/h"}},"t_url":"https://api.github.com/i{/number}","html_url":"https://github.com/o","upload_url":"https://uploads.github.com/x{?name}","title":"https://api.github.com/user","body":"see https://api.github.com/user","x_url":"https://api.github.com.evil/","q":"\"url\":\"https://api.github.com/user","message":"\\","n_url":null,"h":"h","curl \"url":"https://api.github.com/k","a\"self":"https://api.github.com/l","list":["https://api.github.com/m"],"https://api.github.com/n":1}"#;

fn expected() -> String {
    let paths = [
        "/user\",\"htmlUrl",
        "/a\"",
        "\",\"html\"",
        "/h\"",
        "/i{",
        "/k\"",
    ];
    let mut text = BODY
        .replace("https:\\/\\/api.github.com", "http:\\/\\/proxy:8080")
        .replace(
            "https://uploads.github.com",
            "http://proxy:8080/api/uploads",
        );
    for path in paths {
        text = text.replace(&format!("\"{FROM}{path}"), &format!("\"{TO}{path}"));
    }
    text
}

#[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_family = "wasm"), test)]
fn a_body_is_rewritten_wherever_it_is_cut() {
    assert!(serde_json::from_str::<Value>(BODY).is_ok());
    assert_eq!(whole(BODY), expected());
    for cut in 0..=BODY.len() {
        let mut body = rewriter();
        let (one, two) = BODY.as_bytes().split_at(cut);
        let mut out = body.push(one, false);
        out.extend(body.push(two, true));
        assert_eq!(String::from_utf8(out).unwrap(), expected(), "cut at {cut}");
    }
    let mut body = rewriter();
    let mut out: Vec<u8> = BODY
        .bytes()
        .flat_map(|byte| body.push(&[byte], false))
        .collect();
    out.extend(body.push(&[], true));
    assert_eq!(String::from_utf8(out).unwrap(), expected());
}

/// Every name under which GitHub's description of its API has URLs of the API in its examples.
#[test]
fn members_are_told_by_their_names() {
    let url = format!("{FROM}/x");
    for (name, is_url) in [
        ("url", true),
        ("repository_url", true),
        ("github/alertUrl", true),
        ("blob_href", true),
        ("href", true),
        ("self", true),
        ("git", true),
        ("title", false),
        ("body", false),
        ("name", false),
        ("description", false),
        ("message", false),
        ("text", false),
        ("content", false),
        ("homepage", false),
        ("blog", false),
        ("myself", false),
        ("digit", false),
        ("Self", false),
        ("urls", false),
    ] {
        let to = if is_url {
            format!("{TO}/x")
        } else {
            url.clone()
        };
        assert_eq!(
            whole(&json!({name: url}).to_string()),
            json!({name: to}).to_string(),
            "{name}"
        );
    }
}

/// SCIM has names of its own, of which one is a place where people live elsewhere.
#[test]
fn scim_has_names_of_its_own() {
    let json = json!({"$ref": FROM, "meta": {"location": FROM}}).to_string();
    let rewritten = of_kind(true).push(json.as_bytes(), true);
    assert_eq!(rewritten, json.replace(FROM, TO).into_bytes());
    assert_eq!(whole(&json), json);
}

/// Where the end of a body is not told, nothing of it may wait for more.
#[test]
fn nothing_of_valid_json_is_ever_held_back_at_its_end() {
    for json in [
        "\"\"",
        "\"h\"",
        "[\"https://api.github.com\"]",
        "{\"url\":\"https://api.github.com\"}",
        "{\"a\":\"b\"}",
        "\"\\\"\"",
        "\"\\\"url\\\":\"",
        "{\"url\":1}",
    ] {
        let mut body = rewriter();
        let out = body.push(json.as_bytes(), false);
        assert_eq!(out.last(), json.as_bytes().last(), "{json}");
        assert!(body.push(&[], true).is_empty(), "{json}");
    }
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    /// What should become of a value, found by parsing.
    fn oracle(value: &Value, name: Option<&str>) -> Value {
        match value {
            Value::String(text) => {
                let named = name.is_some_and(|name| {
                    ["url", "Url", "URL", "_href"]
                        .iter()
                        .any(|it| name.ends_with(it))
                        || ["href", "self", "git"].contains(&name)
                });
                let rest = text.strip_prefix(FROM).filter(|_| named);
                match rest {
                    Some(rest)
                        if rest.is_empty()
                            || rest.starts_with(['/', '?', '#', '{', '"', '\\', '\n']) =>
                    {
                        Value::from(format!("{TO}{rest}"))
                    }
                    _ => value.clone(),
                }
            }
            Value::Array(items) => items.iter().map(|item| oracle(item, None)).collect(),
            Value::Object(members) => {
                let members = members.iter();
                let members = members.map(|(key, it)| (key.clone(), oracle(it, Some(key))));
                Value::Object(members.collect())
            }
            _ => value.clone(),
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(FROM.to_owned()),
            "https://api.github.com[/?{.\"\\\\\n]?[a-z]{0,3}",
            "[a\"\\\\:,{}/ h]{0,6}(https://api.github.com/)?[\"u:]{0,3}",
            "\"url\": ?\"https://api.github.com/",
        ]
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("url".to_owned()),
            Just("self".to_owned()),
            "[a\"\\\\:_]{0,3}(url|_href|href|git|Url)?[\"a\\\\:]{0,1}",
            text(),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            4 => text().prop_map(Value::from),
            1 => Just(Value::Null),
            1 => any::<i8>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Rewriting the text is rewriting the value, however the text is laid out and cut.
        #[test]
        fn the_text_is_rewritten_as_the_value_is(
            value in value(),
            pretty in any::<bool>(),
            slashes in any::<bool>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            if slashes {
                text = text.replace('/', "\\/");
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.sort_unstable();
            let mut body = rewriter();
            let mut out = Vec::new();
            let mut from = 0;
            for cut in cuts {
                out.extend(body.push(&text.as_bytes()[from..cut], false));
                from = cut;
            }
            out.extend(body.push(&text.as_bytes()[from..], false));
            prop_assert!(body.push(&[], true).is_empty(), "held back at the end");
            let got: Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(got, oracle(&value, None));
        }
    }
}

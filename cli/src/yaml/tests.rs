use serde_json::json;

use super::*;

fn value(text: &str) -> Value {
    let document = load(text).unwrap();
    assert_eq!(document.errors, [], "{text:?}");
    document.value
}

fn failure(text: &str) -> (usize, String) {
    let error = load(text).expect_err("refused");
    (error.line, error.message)
}

#[test]
fn scalars_follow_the_core_schema() {
    for (text, expected) in [
        ("~", json!(null)),
        ("Null", json!(null)),
        ("true", json!(true)),
        ("FALSE", json!(false)),
        ("yes", json!("yes")),
        ("on", json!("on")),
        ("2030-01-01", json!("2030-01-01")),
        ("12", json!(12)),
        ("-12", json!(-12)),
        ("+12", json!(12)),
        ("007", json!(7)),
        ("0o17", json!(15)),
        ("0xff", json!(255)),
        ("0x", json!("0x")),
        ("0x-1", json!("0x-1")),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("18446744073709551616", json!(18446744073709551616.0)),
        ("1.2.3", json!("1.2.3")),
        ("inf", json!("inf")),
        ("e3", json!("e3")),
        ("-", json!([null])),
        ("abc=", json!("abc=")),
        ("'12'", json!("12")),
        ("\"a\\tb\"", json!("a\tb")),
        ("!!str 12", json!("12")),
        ("!!int 12", json!(12)),
        ("! 12", json!("12")),
        (".*", json!(".*")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    assert_eq!(failure("!!int x").1, "the value does not fit its tag");
    assert_eq!(failure("!secret x").1, "this tag is not supported");
    assert_eq!(failure("!!set {a: }").1, "this tag is not supported");
}

#[test]
fn collections_and_block_scalars_are_read() {
    let text = "a: [1, {b: c}]\nd: |\n  x\n  y\ne:\n- f\n- - g\n";
    let expected = json!({ "a": [1, { "b": "c" }], "d": "x\ny\n", "e": ["f", ["g"]] });
    assert_eq!(value(text), expected);
    assert_eq!(value(""), Value::Null);
}

#[test]
fn aliases_and_merge_keys_are_resolved() {
    let text = "base: &base {a: 1, b: 2}\nmore: &more {c: 3}\none:\n  <<: *base\n  b: 9\n\
                two:\n  <<: [*more, *base]\nsame: *base\nplain: {'<<': 1}\n";
    let value = value(text);
    assert_eq!(value["one"], json!({ "a": 1, "b": 9 }));
    assert_eq!(value["two"], json!({ "a": 1, "b": 2, "c": 3 }));
    assert_eq!(value["same"], json!({ "a": 1, "b": 2 }));
    assert_eq!(value["plain"], json!({ "<<": 1 }));
    let expected = "expected a mapping or a list of mappings to merge";
    assert_eq!(failure("a: 1\nb:\n  <<: 3\n"), (3, expected.to_owned()));
}

#[test]
fn aliases_cannot_expand_without_bound() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(failure(&text).1, "too many values");
    assert_eq!(failure(&"[".repeat(100)).1, "nested too deep");
    let (line, message) = failure("a: &a [*a]\n");
    assert_eq!(
        (line, message.as_str()),
        (1, "an alias inside of what it stands for")
    );
}

#[test]
fn of_equal_keys_the_second_is_a_fault_with_its_line() {
    let document = load("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n").unwrap();
    let lines: Vec<_> = document.errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [4, 5]);
}

#[test]
fn a_path_leads_to_its_line_or_to_the_one_around_it() {
    let document =
        load("# first\nclients:\n  - name: a\n    scopes:\n      - path: x\n  - name: b\n")
            .unwrap();
    for (path, line) in [
        ("clients", 2),
        ("clients[0]", 3),
        ("clients[0].name", 3),
        ("clients[0].scopes[0].path", 5),
        ("clients[0].scopes[0].method", 5),
        ("clients[1].token", 6),
        ("(top level)", 2),
    ] {
        assert_eq!(document.line(path), line, "{path}");
    }
}

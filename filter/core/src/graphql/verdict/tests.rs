//! Bodies, honest and hostile. What must not pass for a query is the point.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use serde_json::json;

/// The body of a request for `document`.
fn body(document: &str) -> Vec<u8> {
    json!({"query": document}).to_string().into_bytes()
}

fn named(document: &str, name: &str) -> Vec<u8> {
    let request = json!({"query": document, "operationName": name, "variables": {"n": 1}});
    request.to_string().into_bytes()
}

#[test]
fn documents_are_told_apart() {
    use Verdict::*;
    let cases = [
        ("{ viewer { login } }", Query),
        ("query { viewer { login } }", Query),
        (
            "query Q($n: Int! = 1, $l: [String!]) @a { a(first: $n) @include(if: true) { b } }",
            Query,
        ),
        (
            "fragment F on User { login } query Q { viewer { ...F ... on User { id } } }",
            Query,
        ),
        ("\u{feff}{ viewer { login } }", Query),
        ("# mutation { x }\n{ viewer { login } }", Query),
        ("query mutation { viewer { login } }", Query),
        ("{ mutation(subscription: mutation) { query } }", Query),
        (r#"{ search(query: "mutation { x }") { id } }"#, Query),
        (
            r#"{ search(query: "a \" } mutation { x }") { id } }"#,
            Query,
        ),
        (r#"{ search(query: """ mutation { x } """) { id } }"#, Query),
        ("query A { a } query B { b }", Query),
        ("mutation { a }", Mutation),
        (",,\tmutation\r\nM { a }", Mutation),
        ("mutation M($i: I!) { a(input: $i) { id } }", Mutation),
        (
            "fragment F on User { login } mutation { a { ...F } }",
            Mutation,
        ),
        ("# { a }\nmutation { a }", Mutation),
        ("# { a }\rmutation { a }", Mutation),
        ("query A { a } mutation B { b }", Mutation),
        ("{ a } mutation B { b }", Mutation),
        ("subscription { a }", Subscription),
        ("", Unclear),
        ("   ", Unclear),
        ("# only a comment", Unclear),
        ("fragment F on User { login }", Unclear),
        ("query", Unclear),
        ("{", Unclear),
        ("{}", Unclear),
        ("{ a } }", Unclear),
        ("{ a } mutate { b }", Unclear),
        ("MUTATION { a }", Unclear),
        ("mutation\u{0}{ a }", Unclear),
        ("{ a }\u{0}", Unclear),
        ("{ a(b: \"unterminated) }", Unclear),
        ("{ a(b: \"\"\"unterminated\") }", Unclear),
        ("type A { b: Int } { a }", Unclear),
        ("extend schema { query: Q } { a }", Unclear),
        // One lexer's end of a string is another's middle.
        (
            r#"fragment F on T { f(x: "\\", y: " ) } mutation M { m } #") } query Q { a }"#,
            Unclear,
        ),
        (
            r#"fragment F on T { f(x: """\\""") } mutation B { b(y: """ """) }"#,
            Unclear,
        ),
        (r#"{ a(b: """ \""" """) }"#, Unclear),
    ];
    for (document, expected) in cases {
        assert_eq!(judge(&body(document)), expected, "{document}");
    }
}

#[test]
fn the_name_chooses_among_operations() {
    use Verdict::*;
    let both = "query A { a } mutation B { b } query C { c }";
    for (document, name, expected) in [
        (both, "A", Query),
        (both, "C", Query),
        (both, "B", Mutation),
        (both, "", Mutation),
        // GitHub runs nothing then: no reason to guess.
        (both, "D", Unclear),
        ("{ a }", "A", Unclear),
        ("query A { a }", "a", Unclear),
        ("query A { a } mutation A { b }", "A", Mutation),
        ("mutation A { b } query A { a }", "A", Mutation),
    ] {
        assert_eq!(judge(&named(document, name)), expected, "{document} {name}");
    }
}

#[test]
fn bodies_that_are_no_clear_request_are_no_queries() {
    use Verdict::*;
    for (body, expected) in [
        (r#"{"query":"{a}"}"#, Query),
        (" \r\n\t{\"query\":\"{a}\"} ", Query),
        (
            r#"{"query":"{a}","operationName":null,"variables":null}"#,
            Query,
        ),
        (r#"{"qu\u0065ry":"\u007ba}"}"#, Query),
        (
            r#"{"query":"{a}","variables":{"query":"mutation{b}"},"extensions":{}}"#,
            Query,
        ),
        (
            r#"{"query":"{a}","Query":"mutation{b}","x":1,"x":2}"#,
            Query,
        ),
        // Two of a kind: each reader takes the one it likes.
        (r#"{"query":"{a}","query":"mutation{b}"}"#, Unclear),
        (r#"{"query":"{a}","query":"{a}"}"#, Unclear),
        (r#"{"query":"{a}","qu\u0065ry":"mutation{b}"}"#, Unclear),
        (
            r#"{"query":"query A{a} mutation B{b}","operationName":"A","operationName":"B"}"#,
            Unclear,
        ),
        (r#"{"query":"{a}","operationName":["B"]}"#, Unclear),
        (r#"{"query":["{a}"]}"#, Unclear),
        (r#"{"query":null}"#, Unclear),
        (r#"{"variables":{}}"#, Unclear),
        ("", Unclear),
        ("null", Unclear),
        ("\"{a}\"", Unclear),
        ("{a}", Unclear),
        ("query={a}", Unclear),
        (r#"{"query":"{a}"} {"query":"mutation{b}"}"#, Unclear),
        (r#"{"query":"{a}""#, Unclear),
        (r#"{"query":"{a}",}"#, Unclear),
        (r#"{'query':'{a}'}"#, Unclear),
        (r#"{"query":"{a}"/*,"query":"mutation{b}"*/}"#, Unclear),
        ("\u{feff}{\"query\":\"{a}\"}", Unclear),
        (r#"{"query":"{a} \ud800"}"#, Unclear),
        // Batches.
        (r#"[{"query":"{a}"},{"query":"query B{b}"}]"#, Query),
        (r#"[{"query":"{a}"},{"query":"mutation{b}"}]"#, Mutation),
        (
            r#"[{"query":"{a}"},{"query":"{a}","query":"mutation{b}"}]"#,
            Unclear,
        ),
        (r#"[{"query":"{a}"},7]"#, Unclear),
        ("[]", Unclear),
        ("[[]]", Unclear),
    ] {
        assert_eq!(judge(body.as_bytes()), expected, "{body}");
    }
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(
        "{\"query\":\"{a}\"}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes),
    );
    assert_eq!(judge(&utf16), Unclear);
    assert_eq!(judge(b"{\"query\":\"{a}\",\"x\":\"\xff\"}"), Unclear);
}

#[test]
fn neither_depth_nor_length_harms() {
    let nested = |depth: usize| format!("{}{}", "{a".repeat(depth), "}".repeat(depth));
    assert_eq!(judge(&body(&nested(60))), Verdict::Query);
    let documents = [
        nested(100_000),
        "{a".repeat(400_000),
        "{...".repeat(200_000),
        "{...on A".repeat(100_000),
        "query(".repeat(150_000),
        "fragment F on A".repeat(60_000),
        format!("{{a(x:{}1{})}}", "[".repeat(400_000), "]".repeat(400_000)),
        format!("{{a(x:{}1{})}}", "{b:".repeat(200_000), "}".repeat(200_000)),
        format!(
            "query($a:{}I{}){{a}}",
            "[".repeat(400_000),
            "]".repeat(400_000)
        ),
        format!("{{a{}}}", "@b(c:1)".repeat(130_000)),
        "query A{a}".repeat(100_000),
        "\"".repeat(400_000),
        "}".repeat(900_000),
        "(".repeat(900_000),
    ];
    for document in documents {
        assert_eq!(
            judge(&body(&document)),
            Verdict::Unclear,
            "{}",
            &document[..20]
        );
    }
    let deep = [
        b"{\"query\":\"{a}\",\"variables\":".to_vec(),
        vec![b'['; 500_000],
    ]
    .concat();
    assert_eq!(judge(&deep), Verdict::Unclear);
    assert_eq!(judge(&vec![b'['; 1 << 20]), Verdict::Unclear);
    // A long one that is simply a query.
    let long = format!("{{{}}}", "abcdefghi ".repeat(80_000));
    assert_eq!(judge(&body(&long)), Verdict::Query);
}

#[test]
fn an_answer_has_data_and_no_errors() {
    for (body, expected) in [
        (r#"{"data":{"viewer":{}}}"#, true),
        (r#"{"data":{},"extensions":{}}"#, true),
        (r#"{"data":{},"errors":null}"#, true),
        (r#"{"data":{},"errors":[{}]}"#, false),
        (r#"{"data":null}"#, false),
        (r#"{"errors":[]}"#, false),
        (r#"{"data":{}"#, false),
        ("[]", false),
        ("", false),
    ] {
        assert_eq!(is_answer(body.as_bytes()), expected, "{body}");
    }
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Pieces that documents and their pitfalls are made of.
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "...",
        "query ",
        "mutation ",
        "subscription ",
        "fragment F ",
        "on ",
        "a ",
        "$a",
        ":",
        "\"",
        "\"\"\"",
        "\\",
        "#",
        "\n",
        "@b",
        "1.5e",
        "=",
        "\u{feff}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            judge(&bytes);
            is_answer(&bytes);
        }

        #[test]
        fn no_document_makes_it_panic(pieces in proptest::collection::vec(0..PIECES.len(), 0..60)) {
            let document: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
            judge(&body(&document));
        }

        /// Whatever surrounds it: an operation that is run and mutates is never a query.
        #[test]
        fn a_mutation_is_never_a_query(
            before in proptest::collection::vec(0..PIECES.len(), 0..12),
            after in proptest::collection::vec(0..PIECES.len(), 0..12),
        ) {
            let text = |pieces: &[usize]| -> String {
                let piece = |at: &usize| PIECES[*at].replace(['"', '#'], " ");
                pieces.iter().map(piece).collect()
            };
            let document = format!("{} mutation M {{ m }} {}", text(&before), text(&after));
            prop_assert_ne!(judge(&named(&document, "M")), Verdict::Query);
        }
    }
}

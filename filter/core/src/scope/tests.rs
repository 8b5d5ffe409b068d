#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Pattern, Permission, Rule, Scopes};

fn matches(pattern: &str, path: &str) -> bool {
    Pattern::new(pattern).unwrap().matches(path)
}

fn rule(method: &str, path: &str) -> Rule {
    Rule {
        method: Pattern::any_case(method).unwrap(),
        path: Pattern::new(path).unwrap(),
        queries_only: false,
    }
}

#[test]
fn patterns_match_the_whole_text() {
    for (pattern, path, whole) in [
        (".*", "/anything/at/all", true),
        ("/repos/acme/widgets", "/repos/acme/widgets", true),
        ("/repos/acme/widgets", "/repos/acme/widgets-secret", false),
        ("/repos/acme/widgets", "/x/repos/acme/widgets", false),
        ("/repos/acme/widgets", "/repos/acme/widgets/", false),
        ("/a|/b", "/a", true),
        ("/a|/b", "/b", true),
        ("/a|/b", "/a-secret", false),
        ("/a|/b", "/x/b", false),
        ("/a|/ab", "/ab", true),
        ("^/repos/[^/]+/[^/]+$", "/repos/acme/widgets", true),
        ("^/repos/[^/]+/[^/]+$", "/repos/acme/widgets/issues", false),
        (r"/users/\w+", "/users/octo_cat1", true),
        (r"/issues/\d+", "/issues/42", true),
        (r"/issues/\d+", "/issues/x", false),
        (r"/issues/\D\S\W", "/issues/ab-", true),
        (r"/repos\/acme\-x\_y", "/repos/acme-x_y", true),
        (r"/[\w.-]{1,100}", "/a.b-c_d", true),
        (r"/[\w-]+", "/a-b_c", true),
        (r"/[\w-]+", "/a.b", false),
        (r"/[-\d]+", "/1-2", true),
        (r"/[^\W\d]+", "/ab_", true),
        (r"/[^\W\d]+", "/ab1", false),
        (r"/[\D]+", "/ab", true),
        (r"/[^\s/]+", "/ab", true),
        (r"/\\w", "/a", false),
        (r"/(?i:\w+)x", "/AbX", false),
    ] {
        assert_eq!(matches(pattern, path), whole, "{pattern} {path}");
    }
}

#[test]
fn python_syntax_works() {
    for (pattern, path, whole) in [
        // Global flags hold for all alternatives.
        ("(?i)/a|/b", "/A", true),
        ("(?i)/a|/b", "/B", true),
        ("(?i)/a|/b", "/B-secret", false),
        ("/(?i:a)/b", "/A/b", true),
        ("/(?i:a)/b", "/A/B", false),
        ("(?m)^/a$", "/a", true),
        ("(?s)/a.*", "/a/b", true),
        ("(?x) /a  # all of a", "/a", true),
        ("(?x) /a  # all of a", "/a-secret", false),
        ("(?xi) /a | /b # either", "/B", true),
        ("(?#the user)/user", "/user", true),
        // Anchors.
        (r"\A/a\Z", "/a", true),
        (r"\A/a\Z", "/a-secret", false),
        (r"/a\b.*", "/a-b", true),
        (r"/a\b.*", "/ab", false),
        // Look-around, groups, back references, lazy and counted repetition.
        ("/repos/(?!acme/secret).*", "/repos/acme/widgets", true),
        ("/repos/(?!acme/secret).*", "/repos/acme/secret", false),
        ("/repos/.*(?<!secret)", "/repos/acme/widgets", true),
        ("/repos/.*(?<!secret)", "/repos/acme/secret", false),
        ("/(?P<name>[a-z]+)/(?P=name)", "/ab/ab", true),
        ("/(?P<name>[a-z]+)/(?P=name)", "/ab/cd", false),
        (r"/([a-z]+)/\1", "/ab/ab", true),
        (r"/([a-z]+)/\1", "/ab/ab-secret", false),
        ("/a+?", "/aaa", true),
        ("/a{2,3}", "/aaa", true),
        ("/a{,3}", "/aa", true),
        ("/a{2}", "/aaa", false),
        // A bracket first in a class is literal.
        ("/[]a]+", "/a]", true),
        ("/[^]a]+", "/bc", true),
        // Characters that are something else to other engines.
        (r"/\<a\>", "/<a>", true),
        (r"/\<a\>", "/a", false),
        (r"/\a*b", "/b", true),
        (r"/a\b{start}", "/a", false),
        ("/[[a]", "/[", true),
        ("/[[:alpha:]]", "/a]", true),
        ("/[[:alpha:]]", "/a", false),
        ("/[a-z&&b]", "/&", true),
        ("/[a-z&&b]", "/c", true),
        ("/[a~~b]", "/~", true),
        ("/[^]&&a]", "/&", false),
        ("/[+--]", "/,", true),
        ("/[+--]", "/.", false),
        ("/[--/]", "/.", true),
        ("/[a-]", "/-", true),
        (r"/[a\-z]", "/b", false),
        (r"/[\w-]", "/-", true),
        ("(?x)/[ #]b", "/#b", true),
        ("(?x)/[ #]b", "/b", false),
        // Flags that make no difference here.
        (r"(?a)/\w+", "/ab", true),
        (r"(?ai)/a", "/A", true),
        (r"(?u)/\w+", "/ab", true),
        (r"/(?a:\w)(?ai:b)", "/aB", true),
        ("(?i)(?s)/a.*", "/AB", true),
        ("(?x) (?i) /a", "/A", true),
        // Numbers.
        (r"\057a", "/a", true),
        (r"/\141", "/a", true),
        (r"/[\141-\143]", "/b", true),
        (r"\x2fa", "/a", true),
        (r"\u002f\U00000061", "/a", true),
        (r"/(a)\1", "/aa", true),
        (r"/(a)\08", "/a8", false),
        (r"/(a)()()()()()()()()(b)\109", "/abb9", true),
        // Comments, and what is none.
        ("/a(?#[)/[b]", "/a/b", true),
        (r"/a(?#\)+", "/aa", true),
        ("(?x)/a # it's [x\n/[b]", "/a/b", true),
        ("(?x)(?-x:/#a)", "/#a", true),
        ("(?x:/a # (\n)b", "/ab", true),
        ("/a#[b]", "/a#b", true),
    ] {
        assert_eq!(matches(pattern, path), whole, "{pattern} {path}");
    }
}

#[test]
fn patterns_that_are_no_patterns_are_refused() {
    for pattern in [
        "",
        ")(",
        "/a)|(?:/b",
        "/a)",
        "(/a",
        "[",
        "[a",
        "/a\\",
        "*",
        "/a{2,1}",
        "(?P<a>x)(?P<a",
        "(?#",
        "(?x)/a|(?:/b # )",
        "/a(?x) # swallows the end",
        r"/\1",
        "/[z-a]",
        "/[a--b]",
        r"/[\w-z]",
        // What other engines have.
        r"/a\h",
        r"/\Ka",
        r"\G/a",
        r"/\R",
        r"/\pL",
        r"/a\z",
        r"/\e",
        r"/[\B]",
        r"/[\8]",
        r"/\x{61}",
        r"/\400",
        r"/\N{BULLET}",
        "/(?<x>a)",
        "/(?|a)",
        "/(?~a)",
        "/(a)(?1)",
        "(?U)/a+",
        "(?L)/a",
        "(?-i)/a",
        "/a(?i)b",
        "(?i-:a)",
        "/(*FAIL)|/a",
        "(?ai)/\u{17f}",
        r"(?ai)/\u017f",
    ] {
        let error = Pattern::new(pattern).expect_err(pattern);
        assert!(!error.contains('\n'), "{error}");
    }
    // With backslashes they are what they were.
    assert!(matches(r"/[\[a]", "/["));
    assert!(matches(r"/[a\&\&b]", "/&"));
    assert!(matches(r"/\[&&", "/[&&"));
}

#[test]
fn endless_backtracking_denies() {
    let path = format!("/{}!", "a".repeat(60));
    assert!(!matches(r"/(?=a)(a|a|aa)*\1b", &path));
    assert!(!matches(r"(?!x)/(a+)+(?<!b)$", &path));
}

#[test]
fn without_scopes_everything_is_allowed() {
    let everything = Scopes::everything();
    for (method, path) in [("DELETE", "/repos/a/b"), ("POST", "/graphql")] {
        assert_eq!(everything.permit(method, path), Permission::Everything);
    }
    let nothing = Scopes::only(Vec::new());
    assert_eq!(nothing.permit("GET", "/user"), Permission::Nothing);
}

#[test]
fn one_rule_must_match_method_and_path() {
    let scopes = Scopes::only(vec![rule("GET|head", "/a"), rule("POST", "/b")]);
    for (method, path, allowed) in [
        ("GET", "/a", true),
        ("get", "/a", true),
        ("HEAD", "/a", true),
        ("POST", "/b", true),
        ("GET", "/b", false),
        ("POST", "/a", false),
        ("GETS", "/a", false),
        ("FORGET", "/a", false),
        ("", "/a", false),
    ] {
        let expected = if allowed {
            Permission::Everything
        } else {
            Permission::Nothing
        };
        assert_eq!(scopes.permit(method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_rule_for_queries_leaves_graphql_to_the_document() {
    let queries = |method, path| Rule {
        queries_only: true,
        ..rule(method, path)
    };
    let scopes = Scopes::only(vec![queries(".*", ".*")]);
    assert_eq!(scopes.permit("POST", "/graphql"), Permission::Queries);
    for method in ["GET", "HEAD", "post", "PUT", "DELETE", ""] {
        let permission = scopes.permit(method, "/graphql");
        assert_eq!(permission, Permission::Nothing, "{method}");
    }
    for path in ["/graphql/", "/GraphQL", "/graphql.json", "/graphql/x"] {
        assert_eq!(scopes.permit("POST", path), Permission::Nothing, "{path}");
    }
    assert_eq!(scopes.permit("POST", "/repos"), Permission::Everything);
    // Another rule may allow more.
    let scopes = Scopes::only(vec![queries("POST", "/graphql"), rule("POST", "/g.*")]);
    assert_eq!(scopes.permit("POST", "/graphql"), Permission::Everything);
    assert_eq!(scopes.permit("GET", "/graphql"), Permission::Nothing);
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_literal_matches_itself_alone(
            path in "(/[a-z][a-z0-9-]{0,8}){1,4}",
            more in "[a-z0-9/-]{1,8}",
        ) {
            let longer = format!("{path}{more}");
            let prefixed = format!("/{more}{path}");
            let either = format!("{path}|/other");
            let longer_other = format!("/{more}/other");
            prop_assert!(matches(&path, &path));
            prop_assert!(!matches(&path, &longer));
            prop_assert!(!matches(&path, &prefixed));
            prop_assert!(!matches(&path, &path[..path.len() - 1]));
            prop_assert!(matches(&either, &path));
            prop_assert!(!matches(&either, &longer));
            prop_assert!(!matches(&either, &longer_other));
        }

        #[test]
        fn a_group_cannot_be_closed_from_inside(left in "[a-z/]{0,5}", right in "[a-z/]{0,5}") {
            let pattern = format!("{left})|(?:{right}");
            prop_assert!(Pattern::new(&pattern).is_err());
        }

        #[test]
        fn compiling_never_panics(pattern in r"[\\\[\](){}|?*+^$.&~#:<>=!PixwdZ \n/a-c0-3-]{0,24}") {
            if let Ok(pattern) = Pattern::new(&pattern) {
                pattern.matches("/a/b1");
            }
        }
    }
}

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Mount, Refused, Target};

fn parsed(target: &str) -> Result<(Mount, String), Refused> {
    Target::parse(target.as_bytes()).map(|target| (target.mount, target.path_and_query()))
}

#[test]
fn paths_are_normalised() {
    for (target, normal) in [
        ("/", "/"),
        ("//", "/"),
        ("/.", "/"),
        ("/./", "/"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/repos/acme/widgets", "/repos/acme/widgets"),
        ("/repos/acme/widgets/", "/repos/acme/widgets/"),
        ("//repos///acme//widgets", "/repos/acme/widgets"),
        ("/repos/./acme/././widgets", "/repos/acme/widgets"),
        ("/repos/other/../acme/widgets", "/repos/acme/widgets"),
        ("/repos/other/%2e%2E/acme/widgets", "/repos/acme/widgets"),
        ("/repos/other//../acme", "/repos/acme"),
        ("/a/b/.", "/a/b/"),
        ("/a/b/..", "/a/"),
        (
            "/%72epos/%61cme/w%69dgets%2Dx%5F%7e%2E",
            "/repos/acme/widgets-x_~.",
        ),
        ("/branches/feature%2fx", "/branches/feature%2Fx"),
        ("/git/ref/heads%2Fmain", "/git/ref/heads%2Fmain"),
        ("/compare/v1...v2", "/compare/v1...v2"),
        ("/a/...", "/a/..."),
        ("/a/.hidden", "/a/.hidden"),
        ("/a/..b", "/a/..b"),
        (
            "/labels/good%20first%20issue",
            "/labels/good%20first%20issue",
        ),
        ("/labels/good first issue", "/labels/good%20first%20issue"),
        ("/labels/100%25", "/labels/100%25"),
        ("/a/%3a%40%3B", "/a/%3A%40%3B"),
        ("/a/:@;=!$&'()*+,", "/a/:@;=!$&'()*+,"),
        ("/a/\"<>^`{|}", "/a/%22%3C%3E%5E%60%7B%7C%7D"),
        ("/a/%3F%23", "/a/%3F%23"),
        // Three more decodings away from a dot segment: as it is.
        ("/a/%25252e%25252e/b", "/a/%25252e%25252e/b"),
        ("/contents/caf\u{e9}", "/contents/caf%C3%A9"),
        ("/contents/caf%c3%a9", "/contents/caf%C3%A9"),
    ] {
        assert_eq!(
            parsed(target),
            Ok((Mount::Root, normal.to_owned())),
            "{target}"
        );
    }
}

#[test]
fn mounts_are_found_in_the_normal_form() {
    for (target, mount, path) in [
        ("/user", Mount::Root, "/user"),
        ("/graphql", Mount::Root, "/graphql"),
        ("/api/v3", Mount::ApiV3, "/"),
        ("/api/v3/", Mount::ApiV3, "/"),
        ("/api/v3?q", Mount::ApiV3, "/?q"),
        ("/api/v3/user", Mount::ApiV3, "/user"),
        ("//api//v3//user", Mount::ApiV3, "/user"),
        ("/%61pi/%763/user", Mount::ApiV3, "/user"),
        ("/x/../api/./v3/user", Mount::ApiV3, "/user"),
        ("/api/graphql", Mount::GraphQl, "/graphql"),
        ("/api/graphql/", Mount::GraphQl, "/graphql"),
        ("/api/uploads/repos/a/b", Mount::Uploads, "/repos/a/b"),
        ("/api/v3/../../x", Mount::Root, "/x"),
        ("/api/v3/../v4/x", Mount::Root, "/api/v4/x"),
        ("/api/v3x/user", Mount::Root, "/api/v3x/user"),
        ("/api%2Fv3/user", Mount::Root, "/api%2Fv3/user"),
        ("/API/V3/user", Mount::Root, "/API/V3/user"),
        ("/api/graphqlx", Mount::Root, "/api/graphqlx"),
        ("/api/graphql/x", Mount::Root, "/api/graphql/x"),
        ("/api/v3/api/v3/x", Mount::ApiV3, "/api/v3/x"),
        ("/api", Mount::Root, "/api"),
    ] {
        assert_eq!(parsed(target), Ok((mount, path.to_owned())), "{target}");
    }
}

#[test]
fn queries_go_on_verbatim() {
    for (query, sent) in [
        ("", ""),
        ("per_page=100&page=2", "per_page=100&page=2"),
        ("q=a%2fb+c%zz//../.?x\\", "q=a%2fb+c%zz//../.?x\\"),
        ("q=\u{e9}", "q=%C3%A9"),
    ] {
        let target = Target::parse(format!("/search?{query}").as_bytes()).unwrap();
        assert_eq!(
            (target.path.as_str(), target.query.as_deref()),
            ("/search", Some(sent))
        );
    }
    assert_eq!(Target::parse(b"/search").unwrap().query, None);
}

#[test]
fn unsafe_targets_are_refused() {
    use Refused::*;
    for (target, reason) in [
        ("", NotAPath),
        ("*", NotAPath),
        ("user", NotAPath),
        ("?q", NotAPath),
        ("https://api.github.com/user", NotAPath),
        ("/user#top", Fragment),
        ("/user?q#top", Fragment),
        ("/..", AboveRoot),
        ("/../user", AboveRoot),
        ("/%2e%2e/user", AboveRoot),
        ("/a/../../user", AboveRoot),
        ("/a//../../user", AboveRoot),
        ("/api/v3/../../../user", AboveRoot),
        ("/%", InvalidEscape),
        ("/a%2", InvalidEscape),
        ("/a%zz", InvalidEscape),
        ("/a%2x/b", InvalidEscape),
        ("/a%+1", InvalidEscape),
        ("/a\\b", Backslash),
        ("/a%5cb", Backslash),
        ("/a%255cb", Backslash),
        ("/a\u{1}", ControlCharacter),
        ("/a\tb", ControlCharacter),
        ("/a\u{7f}", ControlCharacter),
        ("/a%00", ControlCharacter),
        ("/a%0d%0aX:%20y", ControlCharacter),
        ("/a%7F", ControlCharacter),
        ("/a%250a", ControlCharacter),
        ("/a?q=\u{0}", ControlCharacter),
        ("/a?q=\n", ControlCharacter),
        ("/a%2F..%2Fb", HiddenDotSegment),
        ("/a%2f%2e%2e", HiddenDotSegment),
        ("/a%2F.", HiddenDotSegment),
        ("/%2F../b", HiddenDotSegment),
        ("/a%252F..%252Fb", HiddenDotSegment),
        ("/a%252F%252e%252e", HiddenDotSegment),
        ("/a/%252e%252e/b", HiddenDotSegment),
        ("/a/%252e/b", HiddenDotSegment),
        ("/a/..;/b", HiddenDotSegment),
        ("/a/.;x=y/b", HiddenDotSegment),
        ("/a/..%3bx/b", HiddenDotSegment),
        ("/a/%2e%2e;x/b", HiddenDotSegment),
        ("/a/%252e.;x/b", HiddenDotSegment),
    ] {
        assert_eq!(parsed(target), Err(reason), "{target}");
    }
}

#[test]
fn a_mount_and_its_path_lead_back_to_the_target() {
    for target in ["/user", "/api/v3/user", "/api/graphql", "/api/uploads/x"] {
        let parsed = Target::parse(target.as_bytes()).unwrap();
        assert_eq!(format!("{}{}", parsed.mount.prefix(), parsed.path), target);
    }
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use proptest::prelude::*;

    use super::super::normalise;
    use super::*;

    /// Targets made of what matters, much denser than random bytes.
    fn hostile_target() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "/", "/", "/", ".", "..", "%2e", "%2E", "%2f", "%2F", "%25", "%252e", "%252F", "%5c",
            "%3b", ";", "a", "B", "%61", "%7E", "%c3%a9", "api", "v3", "graphql", "uploads", "%",
            " ", "\\", "?", "#", ":", "+", "é",
        ]);
        prop::collection::vec(piece, 0..16).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    fn encode_every_byte(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    fn encode_percents(text: &str) -> String {
        text.replace('%', "%25")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn never_panics(target in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Target::parse(&target);
        }

        #[test]
        fn normalising_again_changes_nothing(target in hostile_target()) {
            let path = target.split('?').next().unwrap();
            if let Ok(normal) = normalise(path.as_bytes()) {
                prop_assert_eq!(normalise(normal.as_bytes()), Ok(normal.clone()));
            }
        }

        #[test]
        fn a_normal_path_is_plain(target in hostile_target()) {
            if let Ok(Target { path, query, .. }) = Target::parse(target.as_bytes()) {
                prop_assert!(path.starts_with('/') && !path.contains("//"));
                prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
                prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!path.contains(['?', '#', '\\']));
                prop_assert!(query.is_none_or(|query| !query.contains('#')));
                for (at, _) in path.match_indices('%') {
                    let digits = &path[at + 1..at + 3];
                    let byte = u8::from_str_radix(digits, 16).unwrap();
                    prop_assert!(!byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte));
                    prop_assert_eq!(digits.to_ascii_uppercase(), digits);
                }
            }
        }

        #[test]
        fn encoding_unreserved_characters_changes_nothing(
            segments in prop::collection::vec("[A-Za-z0-9_~-]{1,8}", 1..5),
        ) {
            let plain: String = segments.iter().map(|segment| format!("/{segment}")).collect();
            let encoded: String = segments
                .iter()
                .map(|segment| format!("/{}", encode_every_byte(segment)))
                .collect();
            prop_assert_eq!(parsed(&encoded), parsed(&plain));
        }

        #[test]
        fn what_is_hidden_stays_refused_one_layer_deeper(
            before in "[a-z]{0,5}",
            after in "[a-z]{0,5}",
            hidden in prop::sample::select(vec![
                "%5c", "%00", "%0a", "%7f", "%2f..%2f", "%2f.%2f", "%2f..;x%2f", "%2f%2e%2e%2f",
            ]),
        ) {
            let mut target = format!("/{before}{hidden}{after}");
            for layers in 1..=2 {
                prop_assert!(parsed(&target).is_err(), "{} layers: {}", layers, target);
                target = encode_percents(&target);
            }
        }
    }
}

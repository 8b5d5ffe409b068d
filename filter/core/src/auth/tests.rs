use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use base64::Engine;
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::presented_token;

const T: &str = "H+hYxlecgRq7yfmhq2COlJk7tpSwDmdsp8thdPsnbnQ=";

fn presented(header: &str) -> Option<String> {
    presented_token(header.as_bytes()).map(|token| token.expose().to_owned())
}

fn basic(user_and_password: &str) -> String {
    format!("Basic {}", STANDARD.encode(user_and_password))
}

#[test]
fn every_form_that_github_takes() {
    for header in [
        format!("token {T}"),
        format!("Token {T}"),
        format!("bearer {T}"),
        format!("Bearer {T}"),
        format!("BEARER {T}"),
        format!("  Bearer \t  {T}  "),
        basic(&format!("octocat:{T}")),
        basic(&format!("x-access-token:{T}")),
        basic(&format!("x-oauth-basic:{T}")),
        basic(&format!(":{T}")),
        basic(&format!("{T}:")),
        basic(&format!("{T}:x-oauth-basic")),
        basic(T),
        basic(&format!("octocat:{T}")).replacen("Basic", "bAsIc  ", 1),
        format!("Basic {}", STANDARD_NO_PAD.encode(format!("{T}:"))),
    ] {
        assert_eq!(presented(&header).as_deref(), Some(T), "{header}");
    }
}

#[test]
fn tokens_keep_every_character() {
    for token in ["a", "a:b", "==", "+/=", "~!@#$%^&*()", "token"] {
        assert_eq!(presented(&format!("token {token}")).unwrap(), token);
        assert_eq!(presented(&basic(&format!("u:{token}"))).unwrap(), token);
    }
    let url_safe = format!("Basic {}", URL_SAFE.encode("u:\u{7e}~~?>??"));
    assert_eq!(presented(&url_safe).unwrap(), "~~~?>??");
}

#[test]
fn anything_else_presents_no_token() {
    for header in [
        "",
        " ",
        "token",
        "token ",
        "Bearer",
        "Basic",
        "Basic ",
        "Basic :",
        "Basic !!!!",
        "Basic YQ=B",
        "token two words",
        "Digest username=x",
        "Negotiate abc",
        T,
        "token caf\u{e9}",
    ] {
        assert_eq!(presented(header), None, "{header}");
    }
    for empty in ["", ":", ":x-oauth-basic", "user:two words", "user:\0"] {
        assert_eq!(presented(&basic(empty)), None, "{empty:?}");
    }
    assert!(presented_token(b"token \xff\xfe").is_none());
}

#[test]
fn lengths_are_capped() {
    let longest = "a".repeat(1024);
    assert!(presented(&format!("token {longest}")).is_some());
    assert!(presented(&basic(&format!("octocat:{longest}"))).is_some());
    assert!(presented(&format!("token {longest}a")).is_none());
    let padded = format!("token {}{T}", " ".repeat(5000));
    assert!(presented(&padded).is_none());
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_panics(header in prop::collection::vec(any::<u8>(), 0..300)) {
            presented_token(&header);
        }

        #[test]
        fn never_panics_on_what_resembles_basic(credentials in "[ -~]{0,80}") {
            presented(&format!("Basic {credentials}"));
        }

        #[test]
        fn a_token_comes_out_as_it_went_in(token in "[!-~]{1,100}", user in "[a-z-]{0,20}") {
            let bearer = presented(&format!("Bearer {token}"));
            prop_assert_eq!(bearer.as_ref(), Some(&token));
            let password = presented(&basic(&format!("{user}:{token}")));
            prop_assert_eq!(password.as_ref(), Some(&token));
        }
    }
}

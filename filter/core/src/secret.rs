//! Strings that must never be printed: proxy tokens and pool credentials.
//!
//! A type of its own makes the compiler hold the rule. It has no `Display` and
//! no `Serialize`, and its `Debug` says nothing, so that a secret can neither
//! reach a log line nor an error by accident. The one way out is
//! [`Secret::expose`], which is easy to search for.

use std::fmt;

/// A secret string. Use [`Secret::expose`] only where it is sent or hashed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret over.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself, to send it upstream or to hash it; never to print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn debug_output_does_not_hold_the_secret() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{:?}", Some(&secret)), "Some(Secret(…))");
        assert_eq!(secret.expose(), "hunter2");
    }
}

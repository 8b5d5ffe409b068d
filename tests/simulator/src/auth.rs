//! Tells who sent a request, from every form of the Authorization header that GitHub takes.
//!
//! Tokens are known by a name, which is what the log shows. The simulator's tokens protect
//! nothing; its request log shows them raw on purpose, so that tests can look for leaks.

use base64::{engine::general_purpose::STANDARD, Engine};
use hyper::header::{HeaderMap, AUTHORIZATION};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose rate limit a token uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A user, by login. All tokens of a user share its limits.
    User(String),
    /// An installation of a GitHub App, by its id.
    Installation(u64),
    /// A GitHub App itself, by its id: who sends its JWT.
    App(u64),
}

impl Owner {
    /// The name of the owner in the log, in counters and on the control port.
    pub fn key(&self) -> String {
        match self {
            Owner::User(login) => format!("user/{login}"),
            Owner::Installation(id) => format!("installation/{id}"),
            Owner::App(id) => format!("app/{id}"),
        }
    }
}

/// A token that the simulator accepts.
#[derive(Clone)]
pub struct Token {
    /// How logs and the control port call it.
    pub name: String,
    /// What is sent.
    pub value: String,
    /// Whose limits it uses.
    pub owner: Owner,
    /// Unix seconds after which it is refused.
    pub expires: Option<u64>,
}

impl Token {
    /// A personal access token of the user `login`.
    pub fn of_user(name: &str, value: &str, login: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            owner: Owner::User(login.to_owned()),
            expires: None,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} of {})", self.name, self.owner.key())
    }
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub enum Identity {
    /// No Authorization header.
    Anonymous,
    /// A token that is valid now, or the JWT of an App (then `token` is `jwt`).
    Known {
        /// The token's name.
        token: String,
        /// Whose limits are used.
        owner: Owner,
    },
    /// Something that is no valid credential.
    Bad,
}

impl Identity {
    /// The owner's key, that of all anonymous requests when there is none.
    pub fn owner_key(&self) -> String {
        match self {
            Identity::Known { owner, .. } => owner.key(),
            _ => crate::limits::ANONYMOUS.to_owned(),
        }
    }

    /// The token's name.
    pub fn token(&self) -> Option<&str> {
        match self {
            Identity::Known { token, .. } => Some(token),
            _ => None,
        }
    }

    /// The login of the user, if it is one.
    pub fn login(&self) -> Option<&str> {
        match self {
            Identity::Known {
                owner: Owner::User(login),
                ..
            } => Some(login),
            _ => None,
        }
    }

    /// Whether valid credentials were sent.
    pub fn is_known(&self) -> bool {
        matches!(self, Identity::Known { .. })
    }
}

/// The tokens in force.
#[derive(Default)]
pub struct Tokens {
    tokens: Vec<Token>,
}

impl Tokens {
    /// Accepts `token` from now on, in place of one of the same name.
    pub fn add(&mut self, token: Token) {
        self.tokens.retain(|known| known.name != token.name);
        self.tokens.push(token);
    }

    /// Refuses the token of this name from now on; false when there is none.
    pub fn revoke(&mut self, name: &str) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|known| known.name != name);
        self.tokens.len() < before
    }

    /// All tokens in force.
    pub fn list(&self) -> &[Token] {
        &self.tokens
    }

    /// The key of the owner that `name` stands for: a token's name, or an owner's key itself.
    pub fn owner_key(&self, name: &str) -> String {
        self.tokens
            .iter()
            .find(|token| token.name == name)
            .map_or_else(|| name.to_owned(), |token| token.owner.key())
    }

    /// The token with this value, unless it has expired at `now`.
    pub fn find(&self, value: &str, now: u64) -> Option<&Token> {
        self.tokens
            .iter()
            .find(|token| token.value == value && token.expires.is_none_or(|end| now < end))
    }
}

/// The secret in an Authorization header: `Ok(None)` without a header, `Err` for what cannot be
/// read.
pub fn secret(headers: &HeaderMap) -> Result<Option<String>, Unreadable> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Unreadable)?;
    let (scheme, rest) = text.trim().split_once(' ').ok_or(Unreadable)?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "token" | "bearer" => Ok(Some(rest.to_owned())),
        "basic" => basic(rest).map(Some).ok_or(Unreadable),
        _ => Err(Unreadable),
    }
}

/// An Authorization header that holds no credential.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The token in Basic credentials: the password, or the user name when the password is empty or
/// `x-oauth-basic`.
fn basic(encoded: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let secret = match password {
        "" | "x-oauth-basic" => user,
        password => password,
    };
    Some(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn read(value: &str) -> Result<Option<String>, Unreadable> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        secret(&headers)
    }

    #[test]
    fn every_form_gives_the_token() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for value in [
            "token T".to_owned(),
            "bearer T".to_owned(),
            "Bearer T".to_owned(),
            basic("anyone:T"),
            basic("x-access-token:T"),
            basic("T:"),
            basic("T:x-oauth-basic"),
        ] {
            assert_eq!(read(&value), Ok(Some("T".to_owned())), "{value}");
        }
        assert_eq!(read("Digest T"), Err(Unreadable));
        assert_eq!(read("T"), Err(Unreadable));
        assert_eq!(secret(&HeaderMap::new()), Ok(None));
    }
}

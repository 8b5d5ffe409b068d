//! GitHub Apps: verifies their JWTs and mints installation tokens.
//!
//! Tokens are numbered and not random, so that runs can be repeated; they protect nothing.

use crate::auth::{Owner, Token};
use jsonwebtoken::{decode, decode_header, Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest life of a JWT that GitHub accepts, in seconds, and the leeway for clocks.
const JWT_LIFETIME: u64 = 600;
const LEEWAY: u64 = 60;

/// A GitHub App.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The App's id, the `iss` of its JWTs.
    pub id: u64,
    /// The App's client id, the other possible `iss`.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its slug.
    #[serde(default = "default_slug")]
    pub slug: String,
    /// The public key in PEM; signatures are not looked at when absent.
    #[serde(default)]
    pub public_key: Option<String>,
    /// Its installations.
    #[serde(default)]
    pub installations: Vec<Installation>,
}

fn default_slug() -> String {
    "simulated-app".to_owned()
}

/// An installation of an App.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// Its id.
    pub id: u64,
    /// The login of the account that has it installed.
    pub account: String,
    /// Whether it is suspended.
    #[serde(default)]
    pub suspended: bool,
    /// Lifetime of its tokens in seconds.
    #[serde(default = "default_lifetime")]
    pub token_seconds: u64,
}

fn default_lifetime() -> u64 {
    3600
}

/// The Apps that are known.
#[derive(Default)]
pub struct Apps {
    apps: Vec<App>,
    minted: u64,
}

impl Apps {
    /// Knows `app` from now on, in place of one with the same id.
    pub fn add(&mut self, app: App) {
        self.apps.retain(|known| known.id != app.id);
        self.apps.push(app);
    }

    /// The App with this id.
    pub fn app(&self, id: u64) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// An installation, whichever App it is of.
    pub fn installation(&self, id: u64) -> Option<&Installation> {
        self.apps
            .iter()
            .flat_map(|app| &app.installations)
            .find(|installation| installation.id == id)
    }

    /// Changes an installation; false when there is none with this id.
    pub fn change(&mut self, id: u64, change: impl FnOnce(&mut Installation)) -> bool {
        let found = self
            .apps
            .iter_mut()
            .flat_map(|app| &mut app.installations)
            .find(|installation| installation.id == id);
        found.map(change).is_some()
    }

    /// The App whose JWT this is, when it is valid at `now`.
    pub fn verify(&self, jwt: &str, now: u64) -> Option<u64> {
        if decode_header(jwt).ok()?.alg != Algorithm::RS256 {
            return None;
        }
        // The claims are read first without a look at the signature: they say whose key it is.
        let claims = claims(jwt)?;
        let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|at| at as u64);
        let (issued, expires) = (time("iat")?, time("exp")?);
        if issued > now + LEEWAY || expires <= now || expires > now + JWT_LIFETIME + LEEWAY {
            return None;
        }
        let issuer = match claims.get("iss")? {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        let app = self.apps.iter().find(|app| {
            app.id.to_string() == issuer || app.client_id.as_deref() == Some(&issuer)
        })?;
        if let Some(pem) = &app.public_key {
            let key = DecodingKey::from_rsa_pem(pem.as_bytes()).ok()?;
            decode::<Value>(jwt, &key, &lax(Algorithm::RS256)).ok()?;
        }
        Some(app.id)
    }

    /// A new token for an installation of the App; `None` when it has no such installation.
    pub fn mint(&mut self, app: u64, installation: u64, now: u64) -> Option<Token> {
        let app = self.apps.iter().find(|known| known.id == app)?;
        let installation = app
            .installations
            .iter()
            .find(|known| known.id == installation)?;
        self.minted += 1;
        let number = self.minted;
        Some(Token {
            name: format!("installation-{}-{number}", installation.id),
            value: format!("ghs_{:012}sim{number:021}", installation.id),
            owner: Owner::Installation(installation.id),
            expires: Some(now + installation.token_seconds),
        })
    }
}

/// Times are checked by hand, against the simulator's rules.
fn lax(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

fn claims(jwt: &str) -> Option<Value> {
    use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine};
    let part = jwt.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

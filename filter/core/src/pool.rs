//! The pool: which credential serves a request, by the rate limit that is left.
//!
//! Rate state is kept per credential and per GitHub *resource* (core, search, graphql, …),
//! shared by all workers, and learnt from the `x-ratelimit-*` fields of every response. A
//! request that will be counted takes one off in advance, so that workers which choose at the
//! same time do not all pick the same credential; the next response sets it right.

use crate::config::{Credential, CredentialKind};
use crate::header::Headers;
use crate::secret::Secret;
use crate::shared::{update, SharedData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// GitHub's hourly limit of a user, assumed until the first response tells.
const ASSUMED_LIMIT: u64 = 5_000;
/// Resources kept per credential; GitHub has about fifteen.
const MOST_RESOURCES: usize = 32;

/// A credential, ready to be sent.
#[derive(Debug)]
pub struct Member {
    /// Its name in the configuration, in stats and logs.
    pub name: String,
    /// The pool it serves.
    pub pool: String,
    /// Identifies the secret without revealing it.
    pub tag: u64,
    authorization: Secret,
}

impl Member {
    /// `None` for an App: it has no token before one is exchanged.
    fn new(credential: &Credential) -> Option<Self> {
        let CredentialKind::Pat { token } = &credential.kind else {
            return None;
        };
        let authorization = format!("Bearer {}", token.expose());
        let mut hash = Sha256::new();
        hash.update(b"github-proxy credential\0");
        hash.update(&authorization);
        let tag = hash.finalize();
        Some(Self {
            name: credential.name.clone(),
            pool: credential.pool.clone(),
            tag: tag
                .iter()
                .take(8)
                .fold(0, |sum, b| (sum << 8) | u64::from(*b)),
            authorization: Secret::new(authorization),
        })
    }

    /// The Authorization value.
    pub fn authorization(&self) -> &[u8] {
        self.authorization.expose().as_bytes()
    }

    fn rate_key(&self) -> String {
        format!("rate/{:016x}", self.tag)
    }
}

/// What GitHub said about one resource of one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// `x-ratelimit-resource`.
    pub resource: String,
    /// Requests per window.
    pub limit: u64,
    /// Requests left in it.
    pub remaining: u64,
    /// Requests used in it.
    pub used: u64,
    /// When the window ends, Unix seconds.
    pub reset: u64,
}

impl Rate {
    /// Reads the `x-ratelimit-*` fields of a response; `None` when they are not all there.
    pub fn of(response: &Headers) -> Option<Self> {
        let number = |name: &str| response.text(name)?.trim().parse::<u64>().ok();
        let limit = number("x-ratelimit-limit")?;
        let remaining = number("x-ratelimit-remaining")?;
        let resource = response.text("x-ratelimit-resource").unwrap_or("core");
        Some(Self {
            resource: resource_name(resource).to_owned(),
            limit,
            remaining,
            used: number("x-ratelimit-used").unwrap_or(limit.saturating_sub(remaining)),
            reset: number("x-ratelimit-reset")?,
        })
    }

    /// Requests left at `now` (Unix milliseconds): all of them once the window is over.
    pub fn left(&self, now: u64) -> u64 {
        if now / 1_000 >= self.reset {
            self.limit
        } else {
            self.remaining
        }
    }
}

/// A resource name fit for a stat: what is not looks like `core`.
fn resource_name(name: &str) -> &str {
    let fits = (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits {
        name
    } else {
        "core"
    }
}

/// The resource that a request will be counted against, as GitHub documents it.
pub fn resource_of(path: &str) -> &'static str {
    match path {
        "/graphql" => "graphql",
        "/search/code" => "code_search",
        _ if path.starts_with("/search/") => "search",
        _ => "core",
    }
}

/// No credential of the pool can serve a counted request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The earliest reset among them, Unix seconds; 0 when the pool is empty.
    pub reset: u64,
}

/// The pool's limit as its clients see it: the sum over its credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolRate {
    /// Requests per window.
    pub limit: u64,
    /// Requests left.
    pub remaining: u64,
    /// Requests used.
    pub used: u64,
    /// The earliest reset, Unix seconds.
    pub reset: u64,
}

/// All credentials, in the order of the configuration.
#[derive(Debug)]
pub struct Pool {
    members: Vec<Member>,
}

impl Pool {
    /// Readies the credentials of a configuration.
    pub fn new(credentials: &[Credential]) -> Self {
        Self {
            members: credentials.iter().filter_map(Member::new).collect(),
        }
    }

    /// The credentials of one pool.
    pub fn of<'a: 'b, 'b>(&'a self, pool: &'b str) -> impl Iterator<Item = &'a Member> + 'b {
        self.members
            .iter()
            .filter(move |member| member.pool == pool)
    }

    /// The credential with this tag.
    pub fn by_tag(&self, tag: u64) -> Option<&Member> {
        self.members.iter().find(|member| member.tag == tag)
    }

    /// The credential with most requests left for `resource`. `favourite` is taken whenever it
    /// has any left: it alone can use the stored validator.
    pub fn choose<'a>(
        &'a self,
        shared: &dyn SharedData,
        pool: &str,
        resource: &str,
        favourite: Option<u64>,
        now: u64,
    ) -> Result<&'a Member, Exhausted> {
        let mut best: Option<(u64, &Member)> = None;
        let mut reset = 0;
        for member in self.of(pool) {
            let rate = rate(shared, member, resource);
            let left = rate.as_ref().map_or(ASSUMED_LIMIT, |rate| rate.left(now));
            if left == 0 {
                let theirs = rate.map_or(0, |rate| rate.reset);
                reset = if reset == 0 {
                    theirs
                } else {
                    theirs.min(reset)
                };
                continue;
            }
            if favourite == Some(member.tag) {
                return Ok(member);
            }
            if best.is_none_or(|(most, _)| left > most) {
                best = Some((left, member));
            }
        }
        best.map(|(_, member)| member).ok_or(Exhausted { reset })
    }

    /// What the clients of `pool` have of `resource`.
    pub fn view(&self, shared: &dyn SharedData, pool: &str, resource: &str, now: u64) -> PoolRate {
        let mut sum = PoolRate::default();
        for member in self.of(pool) {
            let rate = rate(shared, member, resource);
            let limit = rate.as_ref().map_or(ASSUMED_LIMIT, |rate| rate.limit);
            let left = rate.as_ref().map_or(ASSUMED_LIMIT, |rate| rate.left(now));
            sum.limit = sum.limit.saturating_add(limit);
            sum.remaining = sum.remaining.saturating_add(left);
            sum.used = sum.used.saturating_add(limit.saturating_sub(left));
            let reset = rate.map_or(0, |rate| rate.reset);
            if reset * 1_000 > now && (sum.reset == 0 || reset < sum.reset) {
                sum.reset = reset;
            }
        }
        if sum.reset == 0 {
            sum.reset = now / 1_000 + 3_600;
        }
        sum
    }
}

/// Takes one request off a credential before GitHub does.
pub fn reserve(shared: &dyn SharedData, member: &Member, resource: &str) {
    update(shared, &member.rate_key(), |bytes| {
        let mut rates = read(bytes);
        let Some(rate) = rates.iter_mut().find(|rate| rate.resource == resource) else {
            return (None, ());
        };
        rate.remaining = rate.remaining.saturating_sub(1);
        (postcard::to_allocvec(&rates).ok(), ())
    });
}

/// Notes what a response said. One that was overtaken by a later one of the same window
/// (its `used` is lower) says nothing new.
pub fn learn(shared: &dyn SharedData, member: &Member, seen: &Rate) {
    update(shared, &member.rate_key(), |bytes| {
        let mut rates = read(bytes);
        if let Some(known) = rates.iter_mut().find(|rate| rate.resource == seen.resource) {
            if known.reset == seen.reset && known.used > seen.used {
                return (None, ());
            }
            *known = seen.clone();
        } else if rates.len() < MOST_RESOURCES {
            rates.push(seen.clone());
        } else {
            return (None, ());
        }
        (postcard::to_allocvec(&rates).ok(), ())
    });
}

fn rate(shared: &dyn SharedData, member: &Member, resource: &str) -> Option<Rate> {
    let (bytes, _) = shared.get(&member.rate_key())?;
    read(&bytes)
        .into_iter()
        .find(|rate| rate.resource == resource)
}

fn read(bytes: &[u8]) -> Vec<Rate> {
    postcard::from_bytes(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::Map;

    fn pool(names: &[&str]) -> Pool {
        let credentials: Vec<Credential> = names
            .iter()
            .map(|name| Credential {
                name: name.to_string(),
                pool: "default".into(),
                user: None,
                kind: CredentialKind::Pat {
                    token: Secret::new(format!("token-of-{name}")),
                },
            })
            .collect();
        Pool::new(&credentials)
    }

    fn rate(remaining: u64, used: u64, reset: u64) -> Rate {
        Rate {
            resource: "core".into(),
            limit: 10,
            remaining,
            used,
            reset,
        }
    }

    fn chosen(
        pool: &Pool,
        map: &Map,
        favourite: Option<u64>,
        now: u64,
    ) -> Result<String, Exhausted> {
        pool.choose(map, "default", "core", favourite, now)
            .map(|m| m.name.clone())
    }

    #[cfg_attr(target_family = "wasm", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_family = "wasm"), test)]
    fn the_richest_serves_until_its_window_is_over() {
        let (pool, map) = (pool(&["A", "B"]), Map::default());
        let members: Vec<&Member> = pool.of("default").collect();
        learn(&map, members[0], &rate(0, 10, 100));
        learn(&map, members[1], &rate(3, 7, 200));
        assert_eq!(chosen(&pool, &map, None, 99_000).unwrap(), "B");
        assert_eq!(
            chosen(&pool, &map, None, 100_000).unwrap(),
            "A",
            "reset: 10 left"
        );
        learn(&map, members[1], &rate(0, 10, 200));
        assert_eq!(
            chosen(&pool, &map, None, 99_000),
            Err(Exhausted { reset: 100 })
        );
    }

    #[test]
    fn resources_are_apart() {
        let (pool, map) = (pool(&["A"]), Map::default());
        let member = pool.of("default").next().unwrap();
        learn(
            &map,
            member,
            &Rate {
                resource: "search".into(),
                ..rate(0, 10, 100)
            },
        );
        assert!(chosen(&pool, &map, None, 0).is_ok());
        assert!(pool.choose(&map, "default", "search", None, 0).is_err());
        assert!(pool.choose(&map, "nobody", "core", None, 0).is_err());
    }

    #[test]
    fn the_favourite_serves_while_it_can() {
        let (pool, map) = (pool(&["A", "B"]), Map::default());
        let members: Vec<&Member> = pool.of("default").collect();
        learn(&map, members[0], &rate(1, 9, 100));
        learn(&map, members[1], &rate(9, 1, 100));
        let favourite = Some(members[0].tag);
        assert_eq!(chosen(&pool, &map, favourite, 0).unwrap(), "A");
        learn(&map, members[0], &rate(0, 10, 100));
        assert_eq!(chosen(&pool, &map, favourite, 0).unwrap(), "B");
    }

    #[test]
    fn reservations_spread_the_load_and_late_news_are_ignored() {
        let (pool, map) = (pool(&["A", "B"]), Map::default());
        for member in pool.of("default") {
            learn(&map, member, &rate(10, 0, 100));
        }
        let mut order = String::new();
        for _ in 0..4 {
            let member = pool.choose(&map, "default", "core", None, 0).unwrap();
            reserve(&map, member, "core");
            order.push_str(&member.name);
        }
        assert_eq!(order, "ABAB");
        let member = pool.of("default").next().unwrap();
        learn(&map, member, &rate(2, 8, 100));
        learn(&map, member, &rate(5, 5, 100));
        assert_eq!(pool.view(&map, "default", "core", 0).remaining, 2 + 8);
    }

    #[test]
    fn rate_fields_are_read_whole_or_not_at_all() {
        let fields = |list: &[(&str, &str)]| {
            Headers::new(
                list.iter()
                    .map(|(n, v)| (n.to_string(), (*v).into()))
                    .collect(),
            )
        };
        let all = [
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "3"),
            ("x-ratelimit-reset", "9"),
            ("x-ratelimit-resource", "bad;name"),
        ];
        assert_eq!(Rate::of(&fields(&all)), Some(rate(3, 7, 9)));
        assert_eq!(Rate::of(&fields(&all[..2])), None);
    }
}

//! The cache cluster, and other replicas behind it.

use super::*;

#[test]
fn the_cluster_is_asked_before_github() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    let mut other = Fixture::new("");
    other.warm("one");
    let key = Key::of("default", "api.github.com", "/user", &Headers::default());
    let stored = other.proxy.memory.get(&other.map, &key, other.now).unwrap();

    let flow = fixture.get();
    assert!(flow.edits().is_none());
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":[true,"OK"]}"#);
    assert_eq!(flow.asked(), ["get"], "read after the claim is granted");
    let flow = fixture.cluster(flow, Operation::Get, 200, stored.encoded());
    assert!(flow.forwarded("if-none-match").is_some());
    let flow = fixture.answer(flow, "304", &[], true);
    assert_eq!(flow.reply().unwrap().body.bytes(), b"one");
    let unlocked =
        |effect: &Effect| matches!(effect, Effect::Deposit(d) if d.unlock && d.entry.is_none());
    assert!(
        flow.effects.iter().any(unlocked),
        "nothing to write, only the claim to give back"
    );

    // Now in memory: a peek suffices, and a newer version is fetched whole.
    let flow = fixture.get();
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":[true,"OK"]}"#);
    let newer = Entry::new(stored.head.clone(), fixture.now + 5, b"two");
    let flow = fixture.cluster(flow, Operation::Peek, 200, &newer.encoded()[..44]);
    assert!(flow.edits().is_none());
    let flow = fixture.cluster(flow, Operation::Get, 200, newer.encoded());
    let flow = fixture.answer(flow, "304", &[], true);
    assert_eq!(flow.reply().unwrap().body.bytes(), b"two");
}

#[test]
fn another_replica_that_asks_is_waited_for() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    let flow = fixture.get();
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":null}"#);
    assert_eq!(flow.phase.wants_ticks(), Some(true));
    let flow = fixture.step(flow.phase, Event::Tick);
    assert!(flow.effects.is_empty(), "not yet");
    fixture.now += 20;
    let flow = fixture.step(flow.phase, Event::Tick);
    assert_eq!(flow.asked(), ["lock"]);
    // Not for ever: a replica that died is overtaken.
    fixture.now += crate::cache::cluster::LEASE_MILLIS;
    let flow = fixture.cluster(flow, Operation::Lock, 200, br#"{"SET":null}"#);
    let flow = fixture.cluster(flow, Operation::Get, 404, b"");
    assert!(flow.edits().is_some());
}

#[test]
fn a_cluster_that_fails_is_a_miss_and_soon_left_alone() {
    let mut fixture = Fixture::new("\"cluster\":\"cache\"");
    for n in 0..3 {
        let flow = fixture.request("GET", &format!("/{n}"), &[]);
        let flow = fixture.cluster(flow, Operation::Lock, 503, b"");
        assert!(flow.edits().is_some());
        assert!(flow.recorded("github_proxy_cache_errors.operation=lock;"));
    }
    let flow = fixture.request("GET", "/3", &[]);
    assert!(flow.edits().is_some(), "not even asked");
}

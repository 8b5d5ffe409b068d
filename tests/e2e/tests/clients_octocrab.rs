//! octocrab, unmodified: the same results straight and through the proxy (see `e2e::clients`).
//!
//! It is a library, so its flows are functions here. They return what they saw as JSON.

use e2e::clients::{mapping, proof, Mount, Place, World};
use octocrab::models::issues::Issue;
use octocrab::models::{pulls::PullRequest, repos::Asset, repos::Release, IssueState, Label};
use octocrab::{params, Error, Octocrab, Page};
use serde_json::{json, Value};

const OWNER: &str = "octocat";
const REPO: &str = "hello-world";

fn octocrab(place: &Place) -> Octocrab {
    let uploads = match place.mount {
        Mount::Root => place.origin.clone(),
        Mount::ApiV3 => format!("{}/api/uploads", place.origin),
    };
    let builder = Octocrab::builder().base_uri(place.rest()).expect("a URI");
    let builder = builder.upload_uri(uploads).expect("a URI");
    let builder = builder.personal_token(place.token.clone());
    builder.build().expect("a client")
}

/// What a refused request came to.
fn refused(error: Error) -> Value {
    match error {
        Error::GitHub { source, .. } => {
            json!({ "status": source.status_code.as_u16(), "message": source.message })
        }
        other => panic!("no refusal of GitHub's: {other:?}"),
    }
}

/// Lists with all their pages, files, search, GraphQL with cursors, conditional requests, errors.
async fn read(place: Place) -> Value {
    let octocrab = octocrab(&place);
    let widgets = octocrab.issues("octo-org", "widgets");
    let issues = widgets.list().state(params::State::All).per_page(100);
    let issues = issues.send().await;
    let issues: Vec<Issue> = octocrab
        .all_pages(issues.expect("issues"))
        .await
        .expect("pages");
    let pulls = octocrab.pulls(OWNER, REPO).list().per_page(1).send().await;
    let pulls: Vec<PullRequest> = octocrab
        .all_pages(pulls.expect("pulls"))
        .await
        .expect("pages");
    let repository = octocrab.repos(OWNER, REPO);
    let mut readme = repository.get_content().path("README.md").send().await;
    let readme = readme.as_mut().expect("a file").take_items();
    let search = octocrab.search();
    let search = search.issues_and_pull_requests("Topic repo:octocat/hello-world");
    let found: Page<Issue> = search.send().await.expect("results");
    let hello = octocrab.issues(OWNER, REPO);
    let labels: Page<Label> = hello.list_labels_for_repo().send().await.expect("labels");
    let missing = hello.get(4000).await;
    json!({
        "issues": issues,
        "pulls": pulls,
        "readme": readme.iter().map(|it| it.decoded_content()).collect::<Vec<_>>(),
        "found": [json!(found.total_count), json!(found.items)],
        "labels": labels.items,
        "missing": refused(missing.expect_err("no such issue")),
        "graphql": cursors(&octocrab, &place).await,
        "conditional": conditional(&octocrab).await,
    })
}

/// Every issue by GraphQL, ten at a time.
async fn cursors(octocrab: &Octocrab, place: &Place) -> Value {
    let query = "query($after: String) { repository(owner: \"octocat\", name: \"hello-world\") { \
        issues(first: 10, after: $after) { nodes { number title } \
        pageInfo { hasNextPage endCursor } } } }";
    let (mut after, mut seen) = (Value::Null, Vec::new());
    loop {
        let body = json!({ "query": query, "variables": { "after": after } });
        // Below /api/v3 there is no GraphQL, where `Octocrab::graphql` looks for it.
        let answer: Value = match place.mount {
            Mount::Root => octocrab.graphql(&body).await.expect("an answer"),
            Mount::ApiV3 => return Value::Null,
        };
        let issues = &answer["repository"]["issues"];
        seen.push(issues["nodes"].clone());
        after = issues["pageInfo"]["endCursor"].clone();
        if issues["pageInfo"]["hasNextPage"] == false {
            return json!(seen);
        }
    }
}

/// The statuses without a tag, with the one that was given, and with another.
async fn conditional(octocrab: &Octocrab) -> Value {
    let target = format!("/repos/{OWNER}/{REPO}/issues/1");
    let ask = |tag: Option<hyper::http::HeaderValue>| {
        let fields = tag.map(|tag| {
            hyper::http::HeaderMap::from_iter([(hyper::http::header::IF_NONE_MATCH, tag)])
        });
        octocrab._get_with_headers(target.as_str(), fields)
    };
    let first = ask(None).await.expect("an answer");
    let tag = first.headers().get("etag").cloned();
    let again = ask(tag).await.expect("an answer");
    let other = hyper::http::HeaderValue::from_static("\"nothing\"");
    let other = ask(Some(other)).await.expect("an answer");
    let statuses = [first, again, other].map(|answer| answer.status().as_u16());
    json!(statuses)
}

/// A file without its URLs: the answer to an upload has those of `/api/v3` at every mount.
fn shape(asset: &Asset) -> Value {
    json!([asset.name, asset.size, asset.content_type, asset.state])
}

/// Issues, comments, labels, a release with a file; each change is seen by the next read.
async fn write(place: Place) -> Value {
    let octocrab = octocrab(&place);
    let issues = octocrab.issues(OWNER, REPO);
    let created = issues.create("From octocrab").body("Text");
    let created = created.labels(vec!["bug".to_owned()]).send().await;
    let number = created.as_ref().expect("an issue").number;
    let comment = issues.create_comment(number, "A comment").await;
    let closed = issues
        .update(number)
        .title("Renamed")
        .state(IssueState::Closed);
    let closed = closed.send().await.expect("the issue");
    let seen = issues.get(number).await.expect("the issue");
    let label = issues.create_label("new", "aabbcc", "Of octocrab").await;
    let untitled = issues.create("").send().await;
    let repository = octocrab.repos(OWNER, REPO);
    let releases = repository.releases();
    let release = releases
        .create("v2.0.0")
        .name("Two")
        .body("New")
        .send()
        .await;
    let release = release.expect("a release");
    let file = bytes::Bytes::from_static(&[7; 100_000]);
    let asset = releases
        .upload_asset(*release.id, "file.bin", file)
        .send()
        .await;
    let tagged: Release = releases.get_by_tag("v2.0.0").await.expect("the release");
    json!({
        "created": created.expect("an issue"),
        "comment": comment.expect("a comment"),
        "closed": closed,
        "seen": seen,
        "label": label.expect("a label"),
        "untitled": refused(untitled.expect_err("a title is needed")),
        "release": release,
        // Beside /api/v3 octocrab does not find the uploads' path, on a GitHub Enterprise Server
        // neither.
        "asset": asset.map_or_else(refused, |asset| shape(&asset)),
        "tagged": tagged,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn reading() {
    for mount in [Mount::Root, Mount::ApiV3] {
        let straight = World::straight(mount).await;
        let place = straight.place(mount);
        let expected = mapping::mapped(&read(place.clone()).await, &place, &[]);
        assert_eq!(expected["issues"].as_array().map(Vec::len), Some(250));
        assert_eq!(expected["conditional"], json!([200, 304, 200]));
        let proxied = World::proxied(|setup| setup).await;
        let place = proxied.place(mount);
        for what in ["cold", "warm"] {
            proxied.github.reset_log();
            let actual = mapping::mapped(&read(place.clone()).await, &place, &[]);
            mapping::assert_same(&format!("{mount:?}, {what}"), &expected, &actual);
            proof::only_through_the_proxy(what, &proxied.github);
        }
        // What is not there has no validator, so it is asked for anew.
        let mut paid = proof::paid_reads(&proxied.github);
        paid.retain(|request| !request.ends_with("Some(404)"));
        assert!(paid.is_empty(), "paid again for {paid:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writing() {
    for mount in [Mount::Root, Mount::ApiV3] {
        let straight = World::straight(mount).await;
        let place = straight.place(mount);
        let expected = mapping::mapped(&write(place.clone()).await, &place, &[]);
        if mount == Mount::Root {
            assert_eq!(expected["asset"][1], 100_000);
        }
        let proxied = World::proxied(|setup| setup).await;
        let place = proxied.place(mount);
        let actual = mapping::mapped(&write(place.clone()).await, &place, &[]);
        mapping::assert_same(&format!("{mount:?}"), &expected, &actual);
        proof::only_through_the_proxy("octocrab", &proxied.github);
    }
}

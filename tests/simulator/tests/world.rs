//! Repositories and what belongs to them, read and changed over real HTTP.

mod common;

use base64::{engine::general_purpose::STANDARD, Engine};
use common::{field, Fixture};
use github_simulator::{BaseUrl, Mount, Options};
use reqwest::Method;
use serde_json::json;

const HELLO: &str = "/repos/octocat/hello-world";

#[tokio::test]
async fn pages_are_linked_by_the_number_of_the_repository() {
    let options = Options {
        base_url: BaseUrl::github_com(),
        ..Options::default()
    };
    let fixture = Fixture::new(options).await;
    let path = "/repos/octo-org/widgets/issues?state=all&per_page=100";
    let response = fixture.get(path).send().await.unwrap();
    let id = fixture.read("/repos/octo-org/widgets").await.1["id"]
        .as_u64()
        .unwrap();
    let base = format!("https://api.github.com/repositories/{id}/issues?state=all&per_page=100");
    assert_eq!(
        field(&response, "link"),
        format!("<{base}&page=2>; rel=\"next\", <{base}&page=3>; rel=\"last\"")
    );
    let path = format!("/repositories/{id}/issues?state=all&per_page=100&page=3");
    let response = fixture.get(&path).send().await.unwrap();
    assert_eq!(
        field(&response, "link"),
        format!("<{base}&page=2>; rel=\"prev\", <{base}&page=1>; rel=\"first\"")
    );
    assert_eq!(
        response
            .json::<Vec<serde_json::Value>>()
            .await
            .unwrap()
            .len(),
        50
    );
}

#[tokio::test]
async fn a_full_last_page_gains_a_link_while_its_tag_stays() {
    let fixture = Fixture::usual().await;
    fixture.simulator.add_repo("octocat", "five", 5);
    let path = "/repos/octocat/five/issues?state=all&per_page=5&direction=asc";
    let first = fixture.get(path).send().await.unwrap();
    assert_eq!(field(&first, "link"), "");
    let wanted = json!({"title": "Sixth"});
    fixture
        .json(Method::POST, "/repos/octocat/five/issues", wanted)
        .await;
    let again = fixture
        .get(path)
        .header("if-none-match", field(&first, "etag"));
    let again = again.send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert!(field(&again, "link").contains("page=2>; rel=\"next\""));
}

#[tokio::test]
async fn issues_are_made_changed_and_commented() {
    let fixture = Fixture::usual().await;
    let wanted = json!({"title": "New", "labels": ["bug", "fresh"]});
    let (status, issue) = fixture
        .json(Method::POST, &format!("{HELLO}/issues"), wanted)
        .await;
    assert_eq!((status, &issue["number"]), (201, &46.into()));
    assert_eq!(issue["labels"][1]["name"], "fresh");
    let path = format!("{HELLO}/issues/46");
    let (status, issue) = fixture
        .json(Method::PATCH, &path, json!({"state": "closed"}))
        .await;
    assert_eq!((status, &issue["state"]), (200, &"closed".into()));
    let comments = format!("{path}/comments");
    let (status, comment) = fixture
        .json(Method::POST, &comments, json!({"body": "Hm"}))
        .await;
    assert_eq!(status, 201);
    assert_eq!(fixture.read(&comments).await.1[0]["id"], comment["id"]);
    assert_eq!(fixture.read(&path).await.1["comments"], 1);
    let (status, error) = fixture
        .json(Method::POST, &format!("{HELLO}/issues"), json!({}))
        .await;
    assert_eq!(
        (status, &error["errors"][0]["code"]),
        (422, &"missing_field".into())
    );
    let (status, _) = fixture
        .json(
            Method::POST,
            &format!("{HELLO}/labels"),
            json!({"name": "bug"}),
        )
        .await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn files_are_written_against_the_version_that_was_read() {
    let fixture = Fixture::usual().await;
    let path = format!("{HELLO}/contents/notes/a%20b.txt");
    let put = |text: &str, sha: Option<&str>| json!({"message": "m", "content": STANDARD.encode(text), "sha": sha});
    let (status, made) = fixture.json(Method::PUT, &path, put("one", None)).await;
    assert_eq!(
        (status, &made["content"]["path"]),
        (201, &"notes/a b.txt".into())
    );
    let (_, file) = fixture.read(&path).await;
    assert_eq!(file["content"], "b25l\n");
    let sha = file["sha"].as_str().unwrap();
    assert_eq!(
        fixture
            .json(Method::PUT, &path, put("two", Some("0000")))
            .await
            .0,
        409
    );
    assert_eq!(
        fixture.json(Method::PUT, &path, put("two", None)).await.0,
        422
    );
    assert_eq!(
        fixture
            .json(Method::PUT, &path, put("two", Some(sha)))
            .await
            .0,
        200
    );
    let raw = fixture
        .get(&path)
        .header("accept", "application/vnd.github.raw+json");
    assert_eq!(raw.send().await.unwrap().text().await.unwrap(), "two");
    let (_, file) = fixture.read(&path).await;
    let gone = json!({"message": "m", "sha": file["sha"]});
    assert_eq!(fixture.json(Method::DELETE, &path, gone).await.0, 200);
    assert_eq!(fixture.status(&path).await, 404);
    let (_, folder) = fixture.read(&format!("{HELLO}/contents/src")).await;
    assert_eq!(folder[0]["path"], "src/main.rs");
}

#[tokio::test]
async fn a_commit_is_made_from_its_objects() {
    let fixture = Fixture::usual().await;
    let git = |kind: &str| format!("{HELLO}/git/{kind}");
    let head = fixture.read(&git("ref/heads%2Fmain")).await.1["object"]["sha"].clone();
    let (_, commit) = fixture
        .read(&git(&format!("commits/{}", head.as_str().unwrap())))
        .await;
    let (status, blob) = fixture
        .json(Method::POST, &git("blobs"), json!({"content": "hi"}))
        .await;
    assert_eq!(status, 201);
    let entry = json!({"path": "new/file", "mode": "100644", "type": "blob", "sha": blob["sha"]});
    let tree = json!({"base_tree": commit["tree"]["sha"], "tree": [entry]});
    let (status, tree) = fixture.json(Method::POST, &git("trees"), tree).await;
    assert_eq!(status, 201);
    let commit = json!({"message": "m", "tree": tree["sha"], "parents": [head]});
    let (status, commit) = fixture.json(Method::POST, &git("commits"), commit).await;
    assert_eq!(status, 201);
    let (status, _) = fixture
        .json(
            Method::PATCH,
            &git("refs/heads/main"),
            json!({"sha": commit["sha"]}),
        )
        .await;
    assert_eq!(status, 200);
    let (status, tree) = fixture.read(&git("trees/main?recursive=1")).await;
    assert_eq!(status, 200);
    let paths: Vec<&str> = tree["tree"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.contains(&"new/file") && paths.contains(&"src/main.rs"),
        "{paths:?}"
    );
}

#[tokio::test]
async fn pull_requests_have_diffs_and_are_merged() {
    let fixture = Fixture::usual().await;
    let path = format!("{HELLO}/pulls/43");
    let (_, pull) = fixture.read(&path).await;
    assert_eq!(
        (&pull["commits"], &pull["changed_files"]),
        (&1.into(), &1.into())
    );
    let diff = fixture
        .get(&path)
        .header("accept", "application/vnd.github.diff");
    let diff = diff.send().await.unwrap();
    assert!(diff
        .text()
        .await
        .unwrap()
        .starts_with("diff --git a/topics/1.txt"));
    assert_eq!(fixture.status(&format!("{path}/merge")).await, 404);
    let (status, _) = fixture
        .json(Method::PUT, &format!("{path}/merge"), json!({}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(fixture.status(&format!("{path}/merge")).await, 204);
    assert_eq!(
        fixture
            .status(&format!("{HELLO}/contents/topics/1.txt"))
            .await,
        200
    );
}

#[tokio::test]
async fn releases_take_uploads() {
    let fixture = Fixture::usual().await;
    let wanted = json!({"tag_name": "v2"});
    let (status, release) = fixture
        .json(Method::POST, &format!("{HELLO}/releases"), wanted)
        .await;
    assert_eq!(status, 201);
    let path = format!("{HELLO}/releases/{}/assets?name=a.bin", release["id"]);
    let body = vec![7_u8; 3 << 20];
    let upload = fixture
        .send(Method::POST, &path)
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(upload.status(), 201);
    let asset: serde_json::Value = upload.json().await.unwrap();
    let path = format!("{HELLO}/releases/assets/{}", asset["id"]);
    let bytes = fixture
        .get(&path)
        .header("accept", "application/octet-stream");
    assert_eq!(bytes.send().await.unwrap().bytes().await.unwrap(), body);
}

#[tokio::test]
async fn unusual_answers_have_their_statuses() {
    let fixture = Fixture::usual().await;
    let moved = fixture
        .get("/repos/octocat/old-name/labels?page=1")
        .send()
        .await
        .unwrap();
    assert_eq!(moved.status(), 301);
    let to = field(&moved, "location").to_owned();
    assert!(
        to.ends_with("/labels?page=1") && to.contains("/repositories/"),
        "{to}"
    );
    let write = fixture
        .send(Method::POST, "/repos/octocat/old-name/labels")
        .body("{}");
    assert_eq!(write.send().await.unwrap().status(), 307);
    for (path, status) in [
        ("/repos/octo-org/blocked", 451),
        ("/repos/octo-org/no-issues/issues", 410),
        ("/repos/octo-org/missing", 404),
        ("/repos/octocat/hello-world/tarball/main", 302),
        ("/repos/octocat/hello-world/stats/contributors", 202),
        ("/repos/octocat/hello-world/stats/contributors", 200),
        ("/repos/octocat/hello-world/branches/feature%2Fx", 200),
        ("/repos/octocat/hello-world/branches/feature/x", 200),
        ("/repos/octocat/hello-world/contents/src%2Fmain.rs", 200),
        ("/repos/octo-org/secret", 200),
    ] {
        assert_eq!(fixture.status(path).await, status, "{path}");
    }
    let secret = fixture.bare(Method::GET, "/repos/octo-org/secret");
    assert_eq!(secret.send().await.unwrap().status(), 404);
    let write = fixture
        .bare(Method::POST, "/repos/octocat/hello-world/issues")
        .body("{}");
    assert_eq!(write.send().await.unwrap().status(), 401);
    let odd = fixture
        .get("/zen")
        .header("x-github-api-version", "1999-01-01");
    assert_eq!(odd.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn search_filters_by_qualifiers() {
    let fixture = Fixture::usual().await;
    let path = "/search/issues?q=is:issue+is:open+repo:octocat/hello-world+label:bug&per_page=5";
    let response = fixture.get(path).send().await.unwrap();
    assert_eq!(field(&response, "x-ratelimit-resource"), "search");
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["items"].as_array().unwrap().len(), 5);
    assert_eq!(body["items"][0]["labels"][0]["name"], "bug");
    let (_, code) = fixture
        .read("/search/code?q=println+repo:octocat/hello-world")
        .await;
    assert_eq!(code["items"][0]["path"], "src/main.rs");
}

#[tokio::test]
async fn graphql_pages_with_cursors_and_mutates() {
    let fixture = Fixture::usual().await;
    let query = "query($after: String) { repository(owner: \"octo-org\", name: \"widgets\") { id \
        issues(first: 100, after: $after) { totalCount ...page } } } \
        fragment page on Connection { nodes { number } pageInfo { hasNextPage endCursor } }";
    let (mut seen, mut after) = (0, json!(null));
    let id = loop {
        let body = json!({"query": query, "variables": {"after": after}});
        let (_, answer) = fixture.json(Method::POST, "/graphql", body).await;
        let repository = &answer["data"]["repository"];
        let issues = &repository["issues"];
        seen += issues["nodes"].as_array().unwrap().len();
        after = issues["pageInfo"]["endCursor"].clone();
        if issues["pageInfo"]["hasNextPage"] == false {
            break repository["id"].clone();
        }
    };
    assert_eq!(seen, 250);
    let mutation = "mutation($id: ID!) { createIssue(input: {repositoryId: $id, title: \"T\"}) \
        { issue { number title } } }";
    let body = json!({"query": mutation, "variables": {"id": id}});
    let (_, answer) = fixture.json(Method::POST, "/graphql", body).await;
    assert_eq!(
        answer["data"]["createIssue"]["issue"],
        json!({"number": 251, "title": "T"})
    );
}

/// What GitHub's own command line program relies on.
#[tokio::test]
async fn graphql_has_defaults_orders_searches_and_introspection() {
    let fixture = Fixture::usual().await;
    let query = "query($owner: String!, $state: [IssueState!] = CLOSED) { \
        __type(name: \"Issue\") { fields(includeDeprecated: true) { name } } \
        repository(owner: $owner, name: \"hello-world\") { \
          issues(states: $state, first: 2, orderBy: {field: CREATED_AT, direction: DESC}) { \
            totalCount nodes { number author { ... on Actor { login } } comments { totalCount } } } \
          pullRequest(number: 44) { id state ... on Issue { stateReason } } \
          label(name: \"BUG\") { name } release(tagName: \"nothing\") { id } } \
        search(query: \"Topic is:pr\", type: ISSUE, first: 1) { issueCount \
          edges { node { ... on PullRequest { headRefName } } } } }";
    let body = json!({"query": query, "variables": {"owner": "octocat"}});
    let (_, answer) = fixture.json(Method::POST, "/graphql", body).await;
    let data = &answer["data"];
    let fields = data["__type"]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!({"name": "stateReason"})), "{answer}");
    let repository = &data["repository"];
    assert_eq!(
        repository["issues"],
        json!({"totalCount": 8, "nodes": [
            {"number": 40, "author": {"login": "hubot"}, "comments": {"totalCount": 0}},
            {"number": 35, "author": {"login": "octocat"}, "comments": {"totalCount": 0}},
        ]})
    );
    assert_eq!(repository["label"], json!({"name": "bug"}));
    assert_eq!(repository["release"], json!(null));
    let found = json!({"issueCount": 3, "edges": [{"node": {"headRefName": "topic-3"}}]});
    assert_eq!(data["search"], found);
    let pull = &repository["pullRequest"];
    assert_eq!(pull.as_object().unwrap().len(), 2, "{pull}");

    let mutation = "mutation($id: ID!) { mergePullRequest(input: {pullRequestId: $id}) \
        { pullRequest { state } } }";
    let body = json!({"query": mutation, "variables": {"id": pull["id"]}});
    let (_, answer) = fixture.json(Method::POST, "/graphql", body.clone()).await;
    let merged = &answer["data"]["mergePullRequest"]["pullRequest"];
    assert_eq!(*merged, json!({"state": "MERGED"}));
    let (_, again) = fixture.json(Method::POST, "/graphql", body).await;
    assert_eq!(again["errors"][0]["type"], "UNPROCESSABLE");
}

/// What Renovate asks in order to find out what is new.
#[tokio::test]
async fn graphql_lists_refs_by_name_and_by_date() {
    let fixture = Fixture::usual().await;
    let git = "/repos/octocat/hello-world/git";
    let (_, latest) = fixture.read(&format!("{git}/ref/heads/topic-3")).await;
    let new = json!({"ref": "refs/tags/a", "sha": latest["object"]["sha"]});
    let refs = format!("{git}/refs");
    assert_eq!(fixture.json(Method::POST, &refs, new).await.0, 201);
    for (order, names) in [
        ("ALPHABETICAL", ["v1.0.0", "a"]),
        ("TAG_COMMIT_DATE", ["a", "v1.0.0"]),
    ] {
        let query = format!(
            "{{ repository(owner: \"octocat\", name: \"hello-world\") {{ autoMergeAllowed \
              refs(first: 100, refPrefix: \"refs/tags/\", orderBy: {{field: {order}, direction: DESC}}) \
              {{ nodes {{ name target {{ ... on Commit {{ oid committedDate }} }} }} }} }} }}"
        );
        let (_, answer) = fixture
            .json(Method::POST, "/graphql", json!({"query": query}))
            .await;
        let nodes = answer["data"]["repository"]["refs"]["nodes"]
            .as_array()
            .expect("refs");
        let found: Vec<&str> = nodes
            .iter()
            .filter_map(|node| node["name"].as_str())
            .collect();
        assert_eq!(found, names, "{order}");
        assert!(nodes
            .iter()
            .all(|node| node["target"]["committedDate"].is_string()));
    }
}

#[tokio::test]
async fn an_enterprise_server_is_mounted_below_api() {
    let options = Options {
        mount: Mount::EnterpriseServer,
        ..Options::default()
    };
    let fixture = Fixture::new(options).await;
    assert_eq!(fixture.status("/user").await, 404);
    let (status, user) = fixture.read("/api/v3/user").await;
    assert_eq!(status, 200);
    let own = format!("{}/api/v3/users/octocat", fixture.simulator.api_url());
    assert_eq!(user["url"], own);
    let query = json!({"query": "{viewer{login}}"});
    assert_eq!(
        fixture.json(Method::POST, "/api/graphql", query).await.0,
        200
    );
}

#[tokio::test]
async fn equal_histories_give_equal_bytes() {
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let options = Options {
            base_url: BaseUrl::github_com(),
            ..Options::default()
        };
        let fixture = Fixture::new(options).await;
        fixture
            .json(
                Method::POST,
                &format!("{HELLO}/issues"),
                json!({"title": "T"}),
            )
            .await;
        let response = fixture
            .get(&format!("{HELLO}/issues"))
            .send()
            .await
            .unwrap();
        bodies.push(response.text().await.unwrap());
    }
    assert_eq!(bodies[0], bodies[1]);
}

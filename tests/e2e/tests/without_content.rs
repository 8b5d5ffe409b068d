//! Answers without content have the fields that GitHub gave them, whoever sends them: Envoy takes
//! Content-Type off such a reply of a filter's, and has no length for a HEAD.

use e2e::cache_status::{HIT, MISS, REVALIDATED, STALE};
use e2e::proxy::Setup;
use e2e::stock::{envoy, printed};
use e2e::{raw, wait, GitHub, Proxy, Request, TOKEN};
use github_simulator::{Action, Content, Document};
use std::net::SocketAddr;

const RAW: &str = "application/vnd.github.raw; charset=utf-8";

/// A document with this text.
fn text(text: &str, kind: &str) -> Document {
    let mut document = Document::new(Content::Text(text.to_owned()));
    document.content_type = Some(kind.to_owned());
    document
}

fn setup(github: &GitHub) -> Setup {
    Proxy::before(github).env("GITHUB_RATE_POLL_INTERVAL", "0")
}

/// An empty file: when it is new, once GitHub has confirmed it, and unasked.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_has_a_type_each_time() {
    let github = GitHub::start().await;
    github.put("/things/empty", text("", RAW));
    let seconds = [("0", REVALIDATED), ("60", HIT)];
    for (fresh, again) in seconds {
        let proxy = setup(&github).env("CACHE_SERVE_FRESH", fresh).start().await;
        for (method, expected) in [("GET", MISS), ("GET", again), ("HEAD", again)] {
            let response = proxy.request(method, "/things/empty").send().await;
            assert_eq!((response.status, response.cache()), (200, expected));
            assert_eq!(response.header("content-type"), RAW, "{method} {expected}");
            assert_eq!(
                response.header("content-length"),
                "0",
                "{method} {expected}"
            );
            assert_eq!(response.header("transfer-encoding"), "");
            assert!(response.body.is_empty());
        }
    }
}

/// The same while GitHub fails, and while it cannot be reached.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_has_a_type_while_github_fails() {
    let github = GitHub::start().await;
    let proxy = setup(&github).start().await;
    for (number, failure) in [refusal(500, "no", &[]), Action::Reset].iter().enumerate() {
        let path = format!("/things/{number}");
        github.put(&path, text("", RAW));
        proxy.get(&path).await;
        for method in ["GET", "HEAD"] {
            github.fail_next(1, &path, failure.clone());
            let response = proxy.request(method, &path).send().await;
            assert_eq!((response.status, response.cache()), (200, STALE));
            assert_eq!(response.header("content-type"), RAW, "{method} {failure:?}");
            assert_eq!(
                response.header("content-length"),
                "0",
                "{method} {failure:?}"
            );
            assert!(response.body.is_empty());
        }
    }
}

/// Gets `request` answered by the second credential. Returns the whole answer: a byte of what
/// GitHub said to the first one would stand behind it.
async fn on_another_credential(
    github: &GitHub,
    address: SocketAddr,
    (method, path): (&str, &str),
    refusal: &Action,
) -> String {
    github.reset_log();
    github.fail_next(1, path, refusal.clone());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nuser-agent: e2e\r\nconnection: close\r\n\
         authorization: token {TOKEN}\r\n\r\n"
    );
    let answer = raw::until_closed(address, request.as_bytes()).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let asked = github.requests_to(path).len();
    assert_eq!(asked, 2, "{method} {path}: {answer}");
    answer
}

/// Things without content, and a large one for HEAD.
async fn github() -> GitHub {
    let github = GitHub::start().await;
    let large = text(&"x".repeat(3_000), "application/octet-stream");
    github.put("/things/large", large);
    let mut moved = text("", "text/html; charset=utf-8");
    moved.status = 302;
    let location = ("location".to_owned(), "https://example.com/".to_owned());
    moved.headers.extend([location]);
    github.put("/things/moved", moved);
    let mut written = text("", "text/plain");
    written.method = Some("PUT".to_owned());
    github.put("/things/written", written);
    github.put("/things/empty", text("", RAW));
    github
}

/// What is asked for, and the status, type and length of the answer.
const CASES: [((&str, &str), u16, &str, usize); 5] = [
    (
        ("HEAD", "/things/large"),
        200,
        "application/octet-stream",
        3_000,
    ),
    (("GET", "/things/moved"), 302, "text/html; charset=utf-8", 0),
    (("PUT", "/things/written"), 200, "text/plain", 0),
    (("GET", "/things/empty"), 200, RAW, 0),
    (("HEAD", "/things/empty"), 200, RAW, 0),
];

fn is_whole(answer: &str, (request, status, kind, length): ((&str, &str), u16, &str, usize)) {
    let has = |field: String| answer.contains(&format!("\r\n{field}\r\n"));
    assert_eq!(raw::status(answer), status, "{request:?}: {answer}");
    assert!(
        has(format!("content-type: {kind}")),
        "{request:?}: {answer}"
    );
    assert!(
        has(format!("content-length: {length}")),
        "{request:?}: {answer}"
    );
    assert!(
        !answer.contains("transfer-encoding"),
        "{request:?}: {answer}"
    );
    assert!(answer.ends_with("\r\n\r\n"), "{request:?}: {answer}");
}

fn refusal(status: u16, message: &str, fields: &[(&str, &str)]) -> Action {
    let fields = fields.iter().map(|(n, v)| (n.to_string(), v.to_string()));
    Action::Status {
        status,
        body: Some(format!("{{\"message\":\"{message}\"}}")),
        headers: fields.collect(),
    }
}

/// What another credential gets is whole as well, whether the first one's refusal was known by its
/// fields or by its message; of that nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn another_credentials_answer_is_whole() {
    let github = github().await;
    let by_field = refusal(429, "wait", &[("retry-after", "60")]);
    let by_message = refusal(403, "You have exceeded a secondary rate limit.", &[]);
    for refusal in [by_field, by_message] {
        for case in CASES {
            let (request @ (method, _), ..) = case;
            // A HEAD has no message.
            if method == "HEAD" && matches!(refusal, Action::Status { status: 403, .. }) {
                continue;
            }
            let proxy = setup(&github).start().await;
            let answer = on_another_credential(&github, proxy.address(), request, &refusal).await;
            is_whole(&answer, case);
        }
    }
}

/// The same where Envoy withholds the body as well as the header section, as in Istio.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_whole_where_envoy_withholds_the_body_too() {
    let github = github().await;
    let refusal = refusal(429, "wait", &[("retry-after", "60")]);
    for case in CASES {
        let (request, ..) = case;
        let printed = printed(&setup(&github));
        let text = &printed.bootstrap;
        let settings = ["allow_on_headers_stop_iteration: ", "\"inspect_bodies\": "];
        let text = settings.iter().fold(text.clone(), |text, it| {
            let (yes, no) = (format!("{it}true"), format!("{it}false"));
            assert!(text.contains(&yes));
            text.replace(&yes, &no)
        });
        let (_process, _folder) = envoy(&text);
        let ready = || async {
            let request = Request::new(printed.listen, "GET", "/");
            request.outcome().await.ok()
        };
        wait::until("an Envoy that answers", ready).await;
        let answer = on_another_credential(&github, printed.listen, request, &refusal).await;
        is_whole(&answer, case);
    }
}

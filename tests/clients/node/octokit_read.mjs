// @octokit/rest reads a repository: lists with paginate, files in several media types, the Git
// database, search, conditional requests.
import { Octokit } from "@octokit/rest";
import { BASE_URL, TOKEN, print, refused, repository } from "./flow.mjs";

const octokit = new Octokit({ baseUrl: BASE_URL, auth: TOKEN });
const { rest } = octokit;
const data = async (request) => (await request).data;
const all = (method, parameters) =>
  octokit.paginate(method, { ...repository, per_page: 10, ...parameters });

// The pages of a list, each with its links, which stay where Octokit came from.
async function pages() {
  const seen = [];
  const issues = octokit.paginate.iterator(rest.issues.listForRepo, {
    owner: "octo-org",
    repo: "widgets",
    state: "all",
    per_page: 100,
  });
  for await (const page of issues) {
    const links = [...page.headers.link.matchAll(/<([^>]*)>; (rel="\w+")/g)];
    seen.push({
      links: links.map(([, url, rel]) => [url.startsWith(`${BASE_URL}/`), rel]),
      numbers: page.data.map((issue) => issue.number),
    });
  }
  return seen;
}

// What has not changed is a 304, which Octokit throws; with another tag it is there again.
async function conditional() {
  const route = "GET /repos/{owner}/{repo}/issues/{number}";
  const wanted = { ...repository, number: 1 };
  const { headers } = await octokit.request(route, wanted);
  const again = (fields) =>
    octokit.request(route, { ...wanted, headers: fields }).then(
      ({ status, data }) => [status, data.number],
      ({ status }) => [status],
    );
  return {
    tag: await again({ "if-none-match": headers.etag }),
    list: await again({ "if-none-match": `"nothing", ${headers.etag}` }),
    other: await again({ "if-none-match": '"nothing"' }),
    date: await again({ "if-modified-since": headers["last-modified"] }),
    earlier: await again({ "if-modified-since": "Mon, 01 Jan 2018 00:00:00 GMT" }),
  };
}

async function database() {
  const branch = await data(rest.repos.getBranch({ ...repository, branch: "feature/x" }));
  const tree = await data(
    rest.git.getTree({ ...repository, tree_sha: branch.commit.sha, recursive: "1" }),
  );
  const file = tree.tree.find((entry) => entry.path === "src/x.rs");
  return {
    branch,
    tree,
    blob: await data(rest.git.getBlob({ ...repository, file_sha: file.sha })),
    ref: await data(rest.git.getRef({ ...repository, ref: "heads/feature/x" })),
    refs: await data(rest.git.listMatchingRefs({ ...repository, ref: "heads/topic" })),
    commit: await data(rest.git.getCommit({ ...repository, commit_sha: branch.commit.sha })),
  };
}

// GitHub computes them when they are first asked for: 202 until it has.
async function statistics() {
  for (;;) {
    const { status, data } = await rest.repos.getContributorsStats(repository);
    if (status !== 202) return data;
  }
}

// Below a former name, GitHub answers with where the repository is now, and fetch goes there.
async function renamed() {
  const { status, url, data } = await rest.repos.get({ owner: "octocat", repo: "old-name" });
  return { status, url, name: data.full_name };
}

await print({
  user: () => data(rest.users.getAuthenticated()),
  repository: () => data(rest.repos.get(repository)),
  root: () => data(rest.meta.root()),
  pages,
  issues: () => all(rest.issues.listForRepo, { state: "closed" }),
  mapped: () =>
    octokit.paginate(rest.issues.listForRepo, { ...repository, per_page: 5 }, ({ data }, done) => {
      if (data.some((issue) => issue.number < 20)) done();
      return data.map((issue) => issue.title);
    }),
  pulls: () => all(rest.pulls.list, { state: "all", per_page: 2 }),
  pull: () => data(rest.pulls.get({ ...repository, pull_number: 43 })),
  "pull as a diff": () =>
    data(rest.pulls.get({ ...repository, pull_number: 43, mediaType: { format: "diff" } })),
  files: () => all(rest.pulls.listFiles, { pull_number: 43 }),
  commits: () => all(rest.repos.listCommits),
  "commit as a patch": () =>
    data(rest.repos.getCommit({ ...repository, ref: "main", mediaType: { format: "patch" } })),
  "commit as a hash": () =>
    data(rest.repos.getCommit({ ...repository, ref: "main", mediaType: { format: "sha" } })),
  comparison: () =>
    data(rest.repos.compareCommitsWithBasehead({ ...repository, basehead: "main...feature/x" })),
  folder: () => data(rest.repos.getContent({ ...repository, path: "" })),
  file: () => data(rest.repos.getContent({ ...repository, path: "docs/guide/first steps.md" })),
  "raw file": () =>
    data(rest.repos.getContent({ ...repository, path: "src/main.rs", mediaType: { format: "raw" } })),
  "readme as HTML": () =>
    data(rest.repos.getReadme({ ...repository, mediaType: { format: "html" } })),
  database,
  labels: () => all(rest.issues.listLabelsForRepo),
  release: () => data(rest.repos.getLatestRelease(repository)),
  branches: () => all(rest.repos.listBranches, { per_page: 2 }),
  statistics,
  "search for issues": () =>
    octokit.paginate(rest.search.issuesAndPullRequests, {
      q: "repo:octocat/hello-world is:open",
      advanced_search: "true",
      per_page: 10,
    }),
  "search for code": () => data(rest.search.code({ q: "repo:octocat/hello-world println" })),
  conditional,
  renamed,
  text: () => data(rest.meta.getZen()),
  markdown: () => data(rest.markdown.render({ text: "a < b" })),
  collaborator: async () =>
    (await rest.repos.checkCollaborator({ ...repository, username: "octocat" })).status,
  "no such repository": () => refused(rest.repos.get({ owner: "octocat", repo: "none" })),
  blocked: () => refused(rest.repos.get({ owner: "octo-org", repo: "blocked" })),
  "no issues": () =>
    refused(rest.issues.listForRepo({ owner: "octo-org", repo: "no-issues" })),
  limits: async () => {
    const { resources } = await data(rest.rateLimit.get());
    const { limit, remaining, used, reset } = resources.search;
    return [limit >= remaining + used, used > 0, reset * 1000 > Date.now()];
  },
});

// @octokit/rest changes a repository, and sees each change at once.
import { Octokit } from "@octokit/rest";
import { BASE_URL, TOKEN, print, refused, repository } from "./flow.mjs";

const { rest, request } = new Octokit({ baseUrl: BASE_URL, auth: TOKEN });
const data = async (promise) => (await promise).data;

async function issues() {
  const open = async () =>
    (await data(rest.issues.listForRepo({ ...repository, per_page: 100 }))).map((it) => it.number);
  const before = await open();
  const created = await rest.issues.create({
    ...repository,
    title: "Something is wrong",
    body: "It is ✓ 😀.",
    labels: ["bug", "new label"],
    assignees: ["octocat"],
  });
  const issue = { ...repository, issue_number: created.data.number };
  const comment = await data(rest.issues.createComment({ ...issue, body: "First" }));
  await rest.issues.updateComment({ ...repository, comment_id: comment.id, body: "First, edited" });
  await rest.issues.createComment({ ...issue, body: "Second" });
  const comments = await data(rest.issues.listComments(issue));
  await rest.issues.deleteComment({ ...repository, comment_id: comment.id });
  await rest.issues.addLabels({ ...issue, labels: ["enhancement"] });
  await rest.issues.removeLabel({ ...issue, name: "new label" });
  await rest.issues.lock(issue);
  const closed = await data(rest.issues.update({ ...issue, state: "closed", title: "It is not" }));
  return {
    created: [created.status, created.headers.location, created.data],
    comments,
    left: await data(rest.issues.listComments(issue)),
    labels: await data(rest.issues.listLabelsOnIssue(issue)),
    closed,
    now: await data(rest.issues.get(issue)),
    open: [before.length, (await open()).length],
    empty: await refused(rest.issues.create({ ...repository, title: "" })),
  };
}

async function files() {
  const path = "notes/a b.txt";
  const content = (text) => Buffer.from(text).toString("base64");
  const first = await data(
    rest.repos.createOrUpdateFileContents({
      ...repository,
      path,
      message: "Add a note",
      content: content("first\n"),
    }),
  );
  const second = await data(
    rest.repos.createOrUpdateFileContents({
      ...repository,
      path,
      message: "Change it",
      content: content("second\n"),
      sha: first.content.sha,
    }),
  );
  const there = await data(
    rest.repos.getContent({ ...repository, path, mediaType: { format: "raw" } }),
  );
  await rest.repos.deleteFile({ ...repository, path, message: "Remove", sha: second.content.sha });
  return { first, there, gone: await refused(rest.repos.getContent({ ...repository, path })) };
}

// A commit made of its parts, on a branch of its own, and a pull request for it.
async function pull() {
  const main = await data(rest.git.getRef({ ...repository, ref: "heads/main" }));
  const parent = await data(rest.git.getCommit({ ...repository, commit_sha: main.object.sha }));
  const blob = await data(
    rest.git.createBlob({ ...repository, content: "by hand\n", encoding: "utf-8" }),
  );
  const tree = await data(
    rest.git.createTree({
      ...repository,
      base_tree: parent.tree.sha,
      tree: [{ path: "by-hand.txt", mode: "100644", type: "blob", sha: blob.sha }],
    }),
  );
  const commit = await data(
    rest.git.createCommit({
      ...repository,
      message: "By hand",
      tree: tree.sha,
      parents: [parent.sha],
    }),
  );
  await rest.git.createRef({ ...repository, ref: "refs/heads/by-hand", sha: commit.sha });
  const opened = await data(
    rest.pulls.create({ ...repository, title: "By hand", head: "by-hand", base: "main" }),
  );
  const one = { ...repository, pull_number: opened.number };
  const before = await refused(rest.pulls.checkIfMerged(one));
  const merge = await data(rest.pulls.merge(one));
  await rest.git.deleteRef({ ...repository, ref: "heads/by-hand" });
  return {
    commit,
    opened,
    before,
    merge,
    after: (await rest.pulls.checkIfMerged(one)).status,
    now: await data(rest.pulls.get(one)),
  };
}

// GitHub says where files go: in upload_url, a template.
async function release() {
  const made = await data(
    rest.repos.createRelease({ ...repository, tag_name: "v2.0.0", name: "Two", body: "Second." }),
  );
  const content = Buffer.alloc(1 << 20, "0123456789abcdef");
  const asset = await rest.repos.uploadReleaseAsset({
    ...repository,
    url: made.upload_url,
    release_id: made.id,
    name: "a file.bin",
    label: "A file",
    data: content,
    headers: { "content-type": "application/x-thing" },
  });
  const { id, name, size, content_type } = asset.data;
  const one = { ...repository, asset_id: id };
  const file = await request("GET /repos/{owner}/{repo}/releases/assets/{asset_id}", {
    ...one,
    headers: { accept: "application/octet-stream" },
  });
  const listed = await data(rest.repos.listReleaseAssets({ ...repository, release_id: made.id }));
  await rest.repos.deleteReleaseAsset(one);
  await rest.repos.deleteRelease({ ...repository, release_id: made.id });
  return {
    made,
    uploaded: [asset.status, name, size, content_type],
    same: Buffer.from(file.data).equals(content),
    listed,
    gone: await refused(rest.repos.getReleaseByTag({ ...repository, tag: "v2.0.0" })),
  };
}

await print({ issues, files, pull, release });

// @actions/github as the scripts of a workflow use it. It reads where the API is from the
// environment that the runner gives, when it is loaded.
import { BASE_URL, GRAPHQL_URL, OWNER, REPO, TOKEN, print, refused } from "./flow.mjs";

Object.assign(process.env, {
  GITHUB_API_URL: BASE_URL,
  GITHUB_GRAPHQL_URL: GRAPHQL_URL,
  GITHUB_REPOSITORY: `${OWNER}/${REPO}`,
  GITHUB_TOKEN: TOKEN,
});
const { context, getOctokit } = await import("@actions/github");
const octokit = getOctokit(process.env.GITHUB_TOKEN);
const { rest } = octokit;
const data = async (request) => (await request).data;

// A bot that keeps one comment on a pull request, and writes it anew when it is there.
async function sticky(text) {
  const pull = { ...context.repo, issue_number: 43 };
  const comments = await octokit.paginate(rest.issues.listComments, { ...pull, per_page: 2 });
  const mine = comments.find(({ body }) => body.startsWith("<!-- bot -->"));
  const body = `<!-- bot -->\n${text}`;
  const written = mine
    ? rest.issues.updateComment({ ...context.repo, comment_id: mine.id, body })
    : rest.issues.createComment({ ...pull, body });
  return [(await written).status, await data(rest.issues.listComments(pull))];
}

async function check() {
  const { data: pull } = await rest.pulls.get({ ...context.repo, pull_number: 43 });
  const files = await octokit.paginate(rest.pulls.listFiles, { ...context.repo, pull_number: 43 });
  await rest.issues.addLabels({ ...context.repo, issue_number: 43, labels: ["bug"] });
  const labels = await data(rest.issues.listLabelsOnIssue({ ...context.repo, issue_number: 43 }));
  return { pull, files: files.map((file) => file.filename), labels };
}

await print({
  context: () => [context.apiUrl, context.repo, context.graphqlUrl === GRAPHQL_URL],
  sticky: async () => [await sticky("One"), await sticky("Two")],
  check,
  issues: async () =>
    (await octokit.paginate("GET /repos/{owner}/{repo}/issues", { ...context.repo, per_page: 10 })).map(
      ({ number }) => number,
    ),
  graphql: () =>
    octokit.graphql(
      `query ($owner: String!, $repo: String!) {
        repository(owner: $owner, name: $repo) { nameWithOwner issues(last: 3) { nodes { number title } } }
      }`,
      context.repo,
    ),
  "no such file": () => refused(rest.repos.getContent({ ...context.repo, path: "none.txt" })),
});

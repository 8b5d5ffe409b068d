// @octokit/graphql by itself, and paginate-graphql in an Octokit: cursors, variables, fragments,
// errors, mutations.
import { graphql } from "@octokit/graphql";
import { Octokit } from "@octokit/core";
import { paginateGraphQL } from "@octokit/plugin-paginate-graphql";
import { BASE_URL, OWNER, REPO, TOKEN, print } from "./flow.mjs";

const query = graphql.defaults({ baseUrl: BASE_URL, headers: { authorization: `token ${TOKEN}` } });
const octokit = new (Octokit.plugin(paginateGraphQL))({ baseUrl: BASE_URL, auth: TOKEN });
const ISSUES = `
  query issues($owner: String!, $name: String!, $cursor: String) {
    repository(owner: $owner, name: $name) {
      issues(first: 20, after: $cursor) {
        totalCount
        nodes { number title author { login } labels(first: 2) { nodes { name } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`;
const variables = { owner: OWNER, name: REPO };

async function byHand() {
  const seen = [];
  let cursor = null;
  do {
    const { repository } = await query(ISSUES, { ...variables, cursor });
    seen.push(repository.issues);
    cursor = repository.issues.pageInfo.hasNextPage && repository.issues.pageInfo.endCursor;
  } while (cursor);
  return seen;
}

async function iterated() {
  const seen = [];
  for await (const page of octokit.graphql.paginate.iterator(ISSUES, variables)) {
    seen.push(page.repository.issues.nodes.map((issue) => issue.number));
  }
  return seen;
}

// Errors come with a 200, and with the data that there is.
async function fails(text, values) {
  try {
    return await query(text, values);
  } catch (error) {
    return { name: error.name, errors: error.errors, data: error.response?.data };
  }
}

async function mutation() {
  const { repository } = await query(
    "query ($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { id } }",
    variables,
  );
  const { createIssue } = await query(
    `mutation ($input: CreateIssueInput!) {
      createIssue(input: $input) { issue { id number title author { login } } }
    }`,
    { input: { repositoryId: repository.id, title: "By GraphQL", body: "✓" } },
  );
  const { addComment } = await query(
    `mutation ($id: ID!) {
      addComment(input: { subjectId: $id, body: "A comment" }) { subject { id } }
    }`,
    { id: createIssue.issue.id },
  );
  const number = createIssue.issue.number;
  const now = await query(
    `query ($owner: String!, $name: String!, $number: Int!) {
      repository(owner: $owner, name: $name) {
        issue(number: $number) { title comments(first: 5) { nodes { body author { login } } } }
      }
    }`,
    { ...variables, number },
  );
  return { createIssue, addComment, now };
}

await print({
  viewer: () => query("{ viewer { login databaseId } }"),
  byHand,
  all: () => octokit.graphql.paginate(ISSUES, variables),
  iterated,
  fragments: () =>
    query(
      `query ($owner: String!, $name: String!) {
        repository(owner: $owner, name: $name) { one: issue(number: 1) { ...it } two: issue(number: 2) { ...it } }
      }
      fragment it on Issue { number state url }`,
      variables,
    ),
  "no such repository": () => fails("{ repository(owner: \"octocat\", name: \"none\") { id } }"),
  "no such field": () => fails("{ viewer { shoeSize } }"),
  "not a query": () => fails("{ viewer {"),
  mutation,
});

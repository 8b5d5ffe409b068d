// An installation of a GitHub App at work. Straight at GitHub, `octokit`'s App signs as the App and
// exchanges tokens; the proxy does that by itself, and its client has a proxy token.
import { App, Octokit } from "octokit";
import { BASE_URL, TOKEN, print, refused, repository } from "./flow.mjs";

const { APP_ID, APP_KEY, INSTALLATION } = process.env;

async function installation() {
  const At = Octokit.defaults({ baseUrl: BASE_URL });
  if (TOKEN !== "") return new At({ auth: TOKEN });
  const app = new App({ appId: APP_ID, privateKey: APP_KEY, Octokit: At });
  return app.getInstallationOctokit(Number(INSTALLATION));
}

const octokit = await installation();
const { rest } = octokit;
const data = async (request) => (await request).data;

await print({
  repositories: async () =>
    (await octokit.paginate(rest.apps.listReposAccessibleToInstallation, { per_page: 2 })).map(
      (it) => it.full_name,
    ),
  issue: () => data(rest.issues.get({ ...repository, issue_number: 1 })),
  // An installation is nobody.
  user: () => refused(rest.users.getAuthenticated()),
  comment: async () => {
    const comment = { ...repository, issue_number: 1, body: "By the App" };
    const { user, body } = await data(rest.issues.createComment(comment));
    return [user.login, body];
  },
  graphql: () => octokit.graphql('{ repository(owner: "octo-org", name: "widgets") { name } }'),
});

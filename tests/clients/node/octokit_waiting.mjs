// What an Octokit with the throttling and the retry plugin does in bad times: limits that are used
// up, secondary limits, and a server that fails.
import { Octokit } from "@octokit/core";
import { retry } from "@octokit/plugin-retry";
import { throttling } from "@octokit/plugin-throttling";
import { BASE_URL, TOKEN, print, repository } from "./flow.mjs";

const waited = { primary: 0, secondary: 0 };
const octokit = new (Octokit.plugin(throttling, retry))({
  baseUrl: BASE_URL,
  auth: TOKEN,
  retry: { retryAfterBaseValue: 100 },
  throttle: {
    // What is new after a second is worth another try; a wait of a minute would be a fault.
    onRateLimit: (seconds) => {
      waited.primary += 1;
      return seconds < 30 && waited.primary < 10;
    },
    onSecondaryRateLimit: (seconds) => {
      waited.secondary += 1;
      return seconds < 30 && waited.secondary < 10;
    },
  },
});

// More requests than the limits of all credentials allow.
async function limits() {
  const seen = [];
  for (let number = 1; number <= 5; number += 1) {
    const { data } = await octokit.request("GET /repos/{owner}/{repo}/issues/{number}", {
      ...repository,
      number,
    });
    seen.push(data.title);
  }
  return { seen, waited: waited.primary > 0 };
}

await print({
  limits,
  failing: async () => (await octokit.request("GET /flaky")).data,
  banned: async () => (await octokit.request("GET /banned")).data,
});

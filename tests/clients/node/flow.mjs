// What every flow needs: where the API is, and a way to say what it saw.
export const { BASE_URL, GRAPHQL_URL, TOKEN, OWNER, REPO } = process.env;

// The repository, as parameters of nearly every method.
export const repository = { owner: OWNER, repo: REPO };

// Runs each part and prints what they returned, as one JSON document.
export async function print(parts) {
  const seen = {};
  for (const [name, part] of Object.entries(parts)) {
    seen[name] = await part();
  }
  process.stdout.write(JSON.stringify(seen));
}

// What an error of a request says, for those that are expected.
export async function refused(request) {
  try {
    await request;
    return "not refused";
  } catch (error) {
    if (error.status === undefined) throw error;
    return { status: error.status, data: error.response?.data };
  }
}

// The JavaScript SDK's part: takes the steps of a JSON file, one after the other, and prints a line of JSON about each.
//
// FERROMESH_JAVASCRIPT_SDK is the folder where `npm ci` has been, with the package.json and the lock beside this file.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const sdk = createRequire(`${process.env.FERROMESH_JAVASCRIPT_SDK}/`)("@aws-sdk/client-app-mesh");

// The endpoint comes from the environment, as a user's would.
const client = new sdk.AppMeshClient({ maxAttempts: 1 });

const say = (line) => console.log(JSON.stringify(line));

// Dates become epoch seconds, as the others print them.
Date.prototype.toJSON = function () {
  return this.getTime() / 1000;
};

async function take({ call, input, pages }) {
  if (pages === undefined) return { output: await client.send(new sdk[`${call}Command`](input)) };
  const found = [];
  for await (const page of sdk[`paginate${call}`]({ client, pageSize: pages }, input)) found.push(page);
  return { pages: found };
}

for (const step of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  try {
    say(await take(step));
  } catch (error) {
    const own = sdk[error.name];
    if (error instanceof sdk.AppMeshServiceException && own !== undefined && error.constructor === own) {
      say({ refused: error.name, status: error.$metadata.httpStatusCode, message: error.message });
    } else {
      say({ broken: `${error.constructor.name} ${error.name}: ${error.message}` });
    }
  }
}

// Reads one call a line, makes it on the package named by the first argument, writes its answer as one line.
"use strict";

const { createInterface } = require("node:readline");
const policy = require(process.argv[2]);

let session;
// What JSON writes as null was absent.
const present = (value) => Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
const calls = {
  check: ({ function: name, config }) => policy[name](config),
  start: ({ module, seed, unix }) => {
    session?.free();
    session = new policy.Session(module, BigInt(seed), unix);
  },
  configure: ({ at, plugin }) => session.configure(at, plugin),
  request: ({ at, stream, request }) => session.request(at, stream, present(request)),
  response: ({ at, stream, response }) => session.response(at, stream, present(response)),
  end: ({ at, stream }) => session.end(at, stream),
  tick: ({ at }) => session.tick(at),
  metrics: () => session.metrics(),
};

createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    const call = JSON.parse(line);
    answer = { answer: calls[call.call](call) ?? null };
  } catch (error) {
    answer = { error: String(error.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});

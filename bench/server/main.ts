/** `npm run bench -- server --what WHAT` measures the server under load and faults. docs/server.md has the figures. */
import { count, readOptions, word } from "../options.ts";
import { measureFaults } from "./faults.ts";
import { measureKills } from "./kills.ts";
import { measureStarts } from "./starts.ts";
import { measureSteady } from "./steady.ts";

const options = {
  what: word(
    ["faults", "kills", "starts", "steady"],
    "faults: many workers on Postgres, killed and cut off; kills: the server with its embedded queue, killed; starts: the same, killed while it starts; steady: one server without faults",
    "steady",
  ),
  jobs: count("small jobs: of faults", 1000),
  edits: count("small edits: of steady", 1000),
  clients: count("clients: of faults", 20),
  workers: count("workers: of faults", 3),
  kill: count("seconds between two kills of a worker: of faults", 6),
  cut: count("seconds for which one worker has no network: of faults", 30),
  kills: count("how often the server is killed: of kills; how many servers: of starts", 50),
};

export async function main(args: readonly string[]): Promise<void> {
  const about =
    "Measures the server under load and faults. Run `npm run build` before; faults needs Linux, root and Postgres.";
  const { what, kills, edits, ...faults } = readOptions("server", about, options, args);
  if (what === "faults") await measureFaults(faults);
  else if (what === "kills") await measureKills(kills);
  else if (what === "starts") await measureStarts(kills);
  else await measureSteady(edits);
}

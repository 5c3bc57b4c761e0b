import { noBrowser, noPostgres, noPythonClient } from "./needs.ts";

const debian = "apt-get install -y --no-install-recommends chromium postgresql && npm run test:more";
const venv = "/tmp/baret-python";
const pip = `python3 -m venv ${venv} && ${venv}/bin/pip install openai && BARET_PYTHON=${venv}/bin/python npm run test:more`;

/** Vitest's global set-up. Its end says which tests were not run, since a summary gives their number alone. */
export default function tellNeeds(): () => void {
  return () => {
    const packages = [...(noBrowser ? ["in Chromium"] : []), ...(noPostgres ? ["with Postgres"] : [])];
    const tell = (what: string, command: string): void =>
      console.warn(`\nNOT RUN: ${what}. To run it:\n  ${command}\n`);
    if (packages.length > 0) tell(`what is tested ${packages.join(" and ")}`, debian);
    if (noPythonClient()) tell("the example of docs/server.md with OpenAI's client for Python", pip);
  };
}

import { noBrowser, noPostgres } from "./needs.ts";

/** Vitest's global set-up. Its end says which tests were not run, since a summary gives their number alone. */
export default function tellNeeds(): () => void {
  return () => {
    const lacking = [...(noBrowser ? ["in Chromium"] : []), ...(noPostgres ? ["with Postgres"] : [])];
    if (lacking.length === 0) return;
    console.warn(
      `\nNOT RUN: tests ${lacking.join(" and ")}. To run them:\n` +
        "  apt-get install -y --no-install-recommends chromium postgresql && npm run test:more\n",
    );
  };
}

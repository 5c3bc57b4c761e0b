/**
 * Runs before `npm publish`. Refuses if package.json lacks the repository's addresses: the registry's page resolves the
 * README's relative links with `repository`.
 */
import { readFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const missing = ["repository", "homepage", "bugs"].filter((field) => manifest[field] === undefined);
if (missing.length > 0) {
  process.stderr.write(
    `package.json: ${missing.join(", ")} missing.\nSet them to the addresses of the public repository before publishing.\n`,
  );
  process.exitCode = 1;
}

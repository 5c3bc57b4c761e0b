import { Command, Option } from "commander";
import { formatBytes } from "../core/index.ts";
import { type WrittenSite, writeSite } from "../server/node/index.ts";
import { jsonOption, nonEmpty, option, quietOption } from "./options.ts";
import { note, print, printJson } from "./print.ts";

interface Flags {
  readonly out: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Says what to do next with the folder of a site. */
const next = ({ files, bytes }: WrittenSite): string => `${files} files, ${formatBytes(bytes)}.
Serve the folder with any web host, over https. To try it here: python3 -m http.server --directory FOLDER, and open http://localhost:8000.
To compute with several threads from the first visit on, the host sends these headers with every file:
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
If it cannot, the page's service worker adds them after the first load. More: docs/site.md`;

/** `baret site`. */
export function siteCommand(): Command {
  return new Command("site")
    .description(
      "write the studio as a static site that edits in the browser, without a server: the page, its engine, the Menagerie " +
        "and its judge",
    )
    .addOption(
      option(
        "-o, --out <folder>",
        "folder to write: a new or an empty one",
        nonEmpty("a folder"),
      ).makeOptionMandatory(),
    )
    .addOption(new Option("--force", "replace a site that the folder has. A folder with other files is never replaced"))
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async ({ out, force, json, quiet }: Flags) => {
      const site = await writeSite(out, { replace: force });
      if (json) printJson(site);
      else print(site.folder);
      if (!json && !quiet) note(next(site));
    });
}

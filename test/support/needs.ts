import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Chromium of this machine: Debian's, or that of BARET_CHROMIUM. Tests download no browser. */
export const chromiumPath = process.env.BARET_CHROMIUM ?? "/usr/bin/chromium";

/** The reason why tests in a browser are not run. Undefined if there is a browser. */
export const noBrowser: string | undefined = existsSync(chromiumPath)
  ? undefined
  : `skipped, there is no ${chromiumPath}: install Chromium or set BARET_CHROMIUM`;

const versions = "/usr/lib/postgresql";

/** Folder of the programs of Debian's newest Postgres. Undefined if there is none. */
export const postgresPrograms: string | undefined = existsSync(versions)
  ? join(versions, readdirSync(versions).sort().at(-1)!, "bin")
  : undefined;

/** The reason why tests with a Postgres server are not run. Undefined if there is one. */
export const noPostgres: string | undefined = postgresPrograms
  ? undefined
  : "skipped, there is no Postgres: install Debian's package postgresql";

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { CheckpointError } from "../../../core/index.ts";
import { BUNDLE_ADVICE, packagePath } from "../../../storage/node/index.ts";
import type { Asset, PageAssets } from "../../report/page/document.ts";

async function asset(name: string): Promise<Asset> {
  const path = packagePath(`dist/experiments/report/web/${name}`);
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new CheckpointError("a file of the package baret is missing", { where: path, advice: BUNDLE_ADVICE, cause });
  });
  return { text, hash: createHash("sha256").update(text).digest("base64") };
}

/** Reads the script and the style sheet of a report's page, which the build bundles. */
export const pageAssets = async (): Promise<PageAssets> => ({
  script: await asset("page.js"),
  style: await asset("page.css"),
});

import type { Hono } from "hono";
import type { ServerEnv } from "./access.ts";

/** A file of the studio. */
export interface StudioFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
}

/** A year: names of such files contain the hash of their content. */
const kept = "private, max-age=31536000, immutable";

/** Serves the studio's files, by their paths: "index.html", "assets/index-1a2b.js". Nothing else is reached by any path. */
export function addStudio(app: Hono<ServerEnv>, files: ReadonlyMap<string, StudioFile>): void {
  const answer = ({ bytes, type }: StudioFile, caching: string): Response =>
    new Response(bytes, { headers: { "Content-Type": type, "Cache-Control": caching } });
  for (const [path, file] of files) {
    if (path !== "index.html") app.get(`/${path}`, () => answer(file, path.startsWith("assets/") ? kept : "no-cache"));
    else for (const page of ["/", "/index.html"]) app.get(page, () => answer(file, "no-cache"));
  }
}

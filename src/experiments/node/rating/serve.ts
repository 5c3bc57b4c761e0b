import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StorageError, throwIfCancelled } from "../../../core/index.ts";
import { listen } from "../../../http/node/index.ts";
import { resize } from "../../../image/index.ts";
import { decodePhoto, encodePng } from "../../../image/node/index.ts";
import { lock, packagePath, requireFolder, systemMessage } from "../../../storage/node/index.ts";
import { PictureFolder } from "../cases/folder.ts";
import { ratingApp } from "./app.ts";
import { ratingsFolder } from "./raterFiles.ts";
import { type SessionOptions, Sessions } from "./sessions.ts";
import { checkPictures, readStudy } from "./study.ts";

export interface ServeOptions extends SessionOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** If given, the only rater. */
  readonly rater?: string;
  readonly signal?: AbortSignal;
}

export interface RatingServer {
  readonly url: string;
  /** Number of photos and of edits. */
  readonly photos: number;
  readonly edits: number;
  close(): Promise<void>;
}

const address = "127.0.0.1";
/** Longest side of a shown picture in pixels. */
const MAX_SHOWN_SIDE = 1024;

/** Reads a picture upright and without its text, in which baret's own edits name their method. */
async function shownPicture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const { picture } = await decodePhoto(path);
  const scale = Math.min(1, MAX_SHOWN_SIDE / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(scale * side)));
  return new Uint8Array(await encodePng(scale < 1 ? resize(picture, width, height, "lanczos") : picture));
}

/** Reads a file that the build bundles for the page. */
const builtFile = async (name: string): Promise<string> =>
  readFile(packagePath(`dist/experiments/rating/web/${name}`), "utf8").catch((cause: unknown) => {
    const advice = "Run npm run build.";
    throw new StorageError(`cannot be read: ${systemMessage(cause)}`, { where: name, advice, cause });
  });

/**
 * Serves the rating page of FOLDER/rating.json on this machine alone. Answers go to FOLDER/ratings. Throws UsageError that
 * lists every problem of the study, or if the port is taken; StorageError, also if another server has the folder;
 * CancelledError.
 */
export async function serveRating(folder: string, options: ServeOptions): Promise<RatingServer> {
  const { port = 0, rater, signal } = options;
  const study = await readStudy(folder);
  await checkPictures(folder, study, signal);
  const assets = { script: await builtFile("page.js"), style: await builtFile("page.css") };

  await requireFolder(ratingsFolder(folder));
  const release = await lock(join(ratingsFolder(folder), ".lock"));
  if (!release) {
    const advice = "One server is enough for all raters. Stop the other one first.";
    throw new StorageError("another server has these ratings", { where: ratingsFolder(folder), advice });
  }
  try {
    throwIfCancelled(signal, "the rating");
    const pictures = new PictureFolder(folder);
    let ownPort = port;
    const app = ratingApp({
      sessions: new Sessions(folder, study, options),
      rater,
      assets,
      picture: async (path) => shownPicture(await pictures.locate(path)),
      isOwnHost: (host) => [address, "localhost"].some((name) => host === `${name}:${ownPort}`),
    });
    const { port: bound, close } = await listen({ fetch: app.fetch, address, port });
    ownPort = bound;
    return {
      url: `http://${address}:${bound}/`,
      photos: study.cases.length,
      edits: study.cases.reduce((sum, { edits }) => sum + edits.length, 0),
      close: async () => {
        await close();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

import { CheckpointError, version } from "../../core/index.ts";
import { KeptValues, openStorage } from "../../storage/web/index.ts";
import { PageQueue, runJobs } from "../page/index.ts";
import { FolderBlobs } from "./blobs.ts";
import { ChosenModels } from "./chosen/index.ts";
import { JobFiles } from "./jobFiles.ts";
import { readSiteModels, requireBrowser, SiteModelShelf } from "./models.ts";
import { openSiteModel, sitePlatform } from "./openSiteModel.ts";
import { webPictures } from "./pictures.ts";
import { Pieces } from "./pieces.ts";
import { SiteService } from "./siteService.ts";

/** Returns the folder of all pages of one site. Sites of one host share a storage, so each has a folder of its own. */
export const siteFolder = (site: string): string => `baret ${new URL(site).pathname}`.replaceAll("/", " ").trim();

/** Pictures and results may take so many bytes, or a third of what the browser offers if that is less. */
const ROOM_BYTES = 500e6;

/** Opens the pictures of a site. Any tab may read them. */
export const openBlobs = async (site: string): Promise<FolderBlobs> =>
  new FolderBlobs(await openStorage(siteFolder(site), "pictures"));

/** Estimates of memory open no other model and no picture. */
const nothing = (name: string): never => {
  throw new CheckpointError("not opened for an estimate", { where: name });
};

/**
 * Starts the service in the tab that computes: the queue goes on where it was, and the model arrives meanwhile. site: URL of the
 * page. Throws EngineError if the browser lacks something, StorageError.
 */
export async function startService(site: string): Promise<SiteService> {
  requireBrowser();
  const folder = siteFolder(site);
  const pieces = new Pieces(await openStorage(folder, "models"), site);
  const chosen = await ChosenModels.open(new KeptValues(`${folder} models`), sitePlatform(nothing, nothing));
  const models = new SiteModelShelf(
    await readSiteModels(await openStorage(folder), site),
    pieces,
    chosen,
    openSiteModel(`${folder} steps`),
  );
  const queue = await PageQueue.open(new JobFiles(await openStorage(folder, "jobs")));
  const blobs = await openBlobs(site);
  const { quota = ROOM_BYTES } = await navigator.storage.estimate();
  const roomBytes = Math.min(ROOM_BYTES, Math.floor(quota / 3));
  const service = new SiteService({ queue, blobs, models, chosen, pictures: webPictures, version, roomBytes });
  // The page tells why it has stopped, and the first edit tries again.
  models.download().catch(() => undefined);
  void runJobs(
    { queue, blobs, models, pictures: webPictures, onEnd: async () => void (await service.keepRoom()) },
    new AbortController().signal,
  );
  return service;
}

// The service of a page without a server: the queue of one person, its jobs, and what is kept of them, over small interfaces.
// Knows of: what runs a job, requests, jobs and events.
// Does not know of: where things are stored, tabs, workers, how models are loaded.
export type { JobStore, StoredJob } from "./jobStore.ts";
export type { DownloadNews, News } from "./news.ts";
export { PageQueue } from "./pageQueue.ts";
export { PageService, type PageServiceParts, type RoomFacts } from "./pageService.ts";
export type {
  DecodedPhoto,
  LoadedModel,
  LoadWork,
  PageBlobs,
  PageModels,
  PagePictures,
} from "./parts.ts";
export { type Answer, answerTo, type Call, failureOf } from "./protocol.ts";
export { type RunParts, runJobs } from "./runJobs.ts";
export { MODELS_FILE, PIECE_BYTES, PIECES_FOLDER, type SiteModel, type SiteModels, siteModels } from "./siteModels.ts";

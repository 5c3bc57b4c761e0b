import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { getConnInfo } from "@hono/node-server/conninfo";
import { version } from "../../../core/index.ts";
import { ownHosts } from "../../../http/index.ts";
import { listen } from "../../../http/node/index.ts";
import { type EngineChoice, engineChoice } from "../../../runtime/index.ts";
import { serverApp, UploadRoom } from "../../http/index.ts";
import type { JobQueue } from "../../queue.ts";
import { openBlobs } from "../blobs/index.ts";
import { serverDialects } from "../dialects.ts";
import { describeModels, runnerModels } from "../models/index.ts";
import { removeAbandonedPictures } from "../pictures/index.ts";
import { openQueue, requireUnlocked } from "../queue/index.ts";
import { ServerService } from "../service.ts";
import { startWorker, type WorkerEvent } from "../worker/index.ts";
import { MachineMetrics } from "./machineMetrics.ts";
import { keepWithin, type Retention } from "./retention.ts";
import { studioFiles } from "./studioFiles.ts";

export interface ServerOptions extends EngineChoice {
  /** Names or paths of the models to offer. The first one is the default. */
  readonly models: readonly string[];
  /** Folder of the embedded queue and of the blobs, unless `database` and `blobs` are given. */
  readonly folder: string;
  /** A Postgres database for many machines: postgres://USER:PASSWORD@HOST/NAME. Default: a queue in `folder`. */
  readonly database?: string;
  /** A folder or s3://BUCKET/PREFIX. Default: in `folder`. */
  readonly blobs?: string;
  /** Network address to listen on. Default 127.0.0.1. */
  readonly address?: string;
  /** 0, the default: any free port. */
  readonly port?: number;
  /** Names under which the server answers besides localhost and addresses in digits. */
  readonly hosts?: readonly string[];
  /** Origins of other sites whose pages may use the server. Default: none. */
  readonly origins?: readonly string[];
  /** If given, nobody is served without it. Made if `address` is not this machine's own. */
  readonly token?: string;
  /** Runs jobs in this process's children too. Default: true. */
  readonly works?: boolean;
  /** Jobs of one client that may wait. Default 50. */
  readonly queuedJobs?: number;
  readonly retention?: Partial<Retention>;
  readonly onWorkerEvent?: (event: WorkerEvent) => void;
  /** Gets errors that are the server's own. */
  readonly onFault?: (error: unknown) => void;
}

export interface Server {
  /** Address of the studio. Has the token after #, if there is one: browsers keep that part to themselves. */
  readonly url: string;
  readonly token?: string;
  /** Resolves when jobs can be queued. Rejects if they never can, because of the database, its folder or a model. */
  readonly ready: Promise<void>;
  /** Puts running jobs back into the queue and ends all connections. */
  close(): Promise<void>;
}

const usualRetention: Retention = { jobs: 2000, days: 90, bytes: 10e9 };
const RETENTION_MS = 3600_000;
const QUEUED_JOBS = 50;

/** Addresses that no other machine can reach. */
const isLoopback = (address: string): boolean => /^(127\.|::1$|localhost$)/.test(address);

/** Writes an address for a URL. Addresses that stand for all of this machine's are written as localhost. */
function hostOf(address: string): string {
  if (address === "0.0.0.0" || address === "::") return "localhost";
  return address.includes(":") ? `[${address}]` : address;
}

/**
 * Starts a server. Its pages answer at once, and its queue when `ready` resolves. Throws UsageError if the address cannot be used,
 * StorageError if a folder cannot.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { address = "127.0.0.1", port = 0, hosts = [], origins, folder, works = true } = options;
  const { onFault = () => undefined, queuedJobs = QUEUED_JOBS } = options;
  const engine = engineChoice(options);
  const token = options.token ?? (isLoopback(address) ? undefined : randomBytes(18).toString("base64url"));
  const queueFolder = join(folder, "queue");
  // Before any page opens: a second server on one folder would end at once.
  if (options.database === undefined) await requireUnlocked(queueFolder);
  const blobs = await openBlobs(options.blobs ?? join(folder, "blobs"));
  const studio = await studioFiles();
  // Before the queue is opened: that takes seconds, which a taken port would waste. Nothing is answered before the app is made,
  // since nothing is waited for until then.
  const listening = await listen({ fetch: (...args) => app.fetch(...args), address, port });

  // Nothing of this is waited for before the page can answer. Whoever awaits `ready` hears of failures.
  const settings = { queuedPerClient: queuedJobs };
  const opening: Promise<JobQueue> = openQueue(
    options.database ? { database: options.database, settings } : { folder: queueFolder, settings },
  );
  const describing = describeModels(options.models);
  const service = new ServerService({
    ...{ queue: opening, blobs, models: describing, version, engine },
    limits: { queuedJobs },
  });
  void removeAbandonedPictures();
  const machine = new MachineMetrics();
  const room = new UploadRoom();
  const app = serverApp({
    ...{ service, version, origins, token, studio, onFault, room },
    metrics: () => machine.metrics(),
    isOwnHost: ownHosts(hosts),
    addressOf: (c) => getConnInfo(c).remote.address ?? "unknown",
    dialects: serverDialects({ service, onFault, room }),
  });

  const stopping = new AbortController();
  let working: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const start = async (): Promise<void> => {
    const [queue, descriptions] = await Promise.all([opening, describing]);
    const models = await runnerModels(options.models, descriptions);
    if (stopping.signal.aborted) return;
    if (works) {
      const name = `${hostname()}-${process.pid}`;
      const { onWorkerEvent: onEvent } = options;
      const worker = startWorker({ queue, blobs, models, name, ...engine, signal: stopping.signal, onEvent });
      working = worker.stopped;
    }
    const clean = (): void => {
      keepWithin({ ...usualRetention, ...options.retention }, { queue, blobs }).catch((error) => {
        // A queue that was closed meanwhile is no fault.
        if (!stopping.signal.aborted) onFault(error);
      });
    };
    timer = setInterval(clean, RETENTION_MS).unref();
    clean();
  };

  const ready = start();
  // It may reject before anyone awaits it.
  ready.catch(() => undefined);
  return {
    url: `http://${hostOf(address)}:${listening.port}/${token === undefined ? "" : `#token=${token}`}`,
    token,
    ready,
    async close() {
      stopping.abort();
      clearInterval(timer);
      await ready.catch(() => undefined);
      await working;
      await opening.then((queue) => queue.close()).catch(() => undefined);
      await listening.close();
      service.close();
      machine.close();
    },
  };
}

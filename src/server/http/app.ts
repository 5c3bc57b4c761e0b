import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { cut } from "../../core/index.ts";
import { guard, pageHeaders, refusal } from "../../http/index.ts";
import type { Service } from "../service.ts";
import { Access, type ServerEnv } from "./access.ts";
import { UploadRoom } from "./body.ts";
import { type Endpoint, refuseOtherMethods } from "./endpoint.ts";
import { endpoints } from "./endpoints.ts";
import { errorAnswer } from "./errorAnswer.ts";
import { type Metric, RequestCounts } from "./metrics.ts";
import { addNative } from "./native.ts";
import { QueueState } from "./queueState.ts";
import { addStudio, type StudioFile } from "./studio.ts";

/** The API of another program, under its own paths. */
export interface Dialect {
  /** "/v1". */
  readonly path: string;
  readonly app: Hono<ServerEnv>;
  /** Its endpoints, for the OpenAPI document. Their paths are whole. */
  readonly endpoints: readonly Endpoint[];
}

export interface ServerAppOptions {
  readonly service: Service;
  readonly version: string;
  /** Tells if the server answers under a name: see `ownHosts`. */
  readonly isOwnHost: (host: string) => boolean;
  /** Origins of other sites whose pages may use the server. Default: none. */
  readonly origins?: readonly string[];
  /** If given, nobody is served without it. */
  readonly token?: string;
  /** Returns the network address of the client. */
  readonly addressOf?: (c: Context) => string;
  readonly studio?: ReadonlyMap<string, StudioFile>;
  readonly dialects?: readonly Dialect[];
  /** Memory for uploads. Default: its own. */
  readonly room?: UploadRoom;
  /** Returns measures besides those of requests and of the queue. */
  readonly metrics?: () => readonly Metric[];
  /** Gets errors that are the server's own. */
  readonly onFault?: (error: unknown) => void;
}

const advice = {
  host: "Use localhost or its address in digits, or give baret serve the option allowed-host with this name.",
  origin: "To let the pages of a site use it, give baret serve the option cors with its origin.",
};

/** Answers with the native API, other dialects, and the studio's files. Everything is behind one guard. */
export function serverApp(options: ServerAppOptions): Hono<ServerEnv> {
  const { service, version, isOwnHost, origins = [], token, addressOf = () => "unknown" } = options;
  const { studio, dialects = [], room = new UploadRoom(), metrics = () => [], onFault = () => undefined } = options;
  const access = new Access({ token, addressOf });
  const counts = new RequestCounts();
  const queue = new QueueState(service);
  const app = new Hono<ServerEnv>();

  app.use(async (c, next) => {
    const began = performance.now();
    await next();
    counts.add(c.req.method, c.res.status, (performance.now() - began) / 1000);
  });
  app.use(pageHeaders(["data:", "blob:"]));
  app.use(async (c, next) => {
    await next();
    if (!c.res.headers.has("Cache-Control")) c.header("Cache-Control", "no-store");
  });
  app.use(guard({ isOwnHost, origins, advice }));
  if (origins.length > 0) {
    app.use(
      cors({
        origin: (origin) => (origins.includes(origin) ? origin : undefined),
        allowHeaders: ["Authorization", "Content-Type", "Last-Event-ID"],
        exposeHeaders: ["Location", "Retry-After"],
      }),
    );
  }
  app.use(access.middleware);

  const ofDialects = dialects.flatMap((dialect) => dialect.endpoints);
  addNative(app, {
    dialects: ofDialects,
    service,
    access,
    version,
    room,
    queue,
    metrics: () => [...metrics(), ...counts.metrics()],
  });
  for (const dialect of dialects) app.route(dialect.path, dialect.app);
  if (studio) addStudio(app, studio);
  refuseOtherMethods(app, [...endpoints, ...ofDialects]);
  app.notFound((c) => {
    const path = JSON.stringify(cut(c.req.path, 80));
    return refusal(404, `there is nothing at this address: found ${path}, expected one of /openapi.json`, "not_found");
  });
  app.onError((error) => errorAnswer(error, onFault));
  return app;
}

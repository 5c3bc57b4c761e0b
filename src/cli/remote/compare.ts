import type { Command } from "commander";
import type { Method } from "../../editing/index.ts";
import { psnr } from "../../metrics/index.ts";
import type { JobRequestInput, JobResult, MadePicture } from "../../server/index.ts";
import { typedError } from "../../server/index.ts";
import {
  type ChosenOptions,
  type ComparedEdit,
  type CompareEvent,
  type Estimate,
  finishedPicture,
  noCost,
  type Photo,
  photoLike,
} from "../../tasks/index.ts";
import type { PhotoFlags, PrintedTask } from "../edit/tasks.ts";
import { runBlocking } from "../interrupt.ts";
import type { Reporter } from "../print.ts";
import { commonRequest } from "./edits.ts";
import { firstOfKind, taskEventsOf } from "./events.ts";
import { RemoteJobs } from "./jobs.ts";
import { refuseOnServer, type ServerFlags } from "./options.ts";
import { fetchPicture } from "./pictures.ts";
import { type Session, withServer } from "./session.ts";
import { Uploads } from "./uploads.ts";

/** One comparison that a server makes. */
export interface RemoteComparison {
  readonly photo: Photo;
  readonly target: string;
  readonly tasks: readonly PrintedTask[];
  readonly events: AsyncIterable<CompareEvent>;
  /** Name of the CLIP model of the scores. Known when the events have ended; undefined if there is none. */
  readonly clip: () => string | undefined;
}

/** Methods, options, photos and prompts of the comparisons of one command. */
export interface ComparisonInput {
  readonly chosen: readonly Method[];
  readonly options: ReadonlyMap<Method, ChosenOptions>;
  readonly wanted: readonly { readonly source: string; readonly prompt: string }[];
}

/** Lets a server make the comparisons of a command. use: prints and writes them one after the other. */
export async function remoteComparisons(
  command: Command,
  flags: PhotoFlags & ServerFlags & { readonly server: string },
  { chosen, options, wanted }: ComparisonInput,
  reporter: Reporter,
  use: (comparisons: readonly RemoteComparison[], session: Session) => Promise<void>,
): Promise<void> {
  refuseOnServer(command, []);
  await withServer(command, flags, reporter, async (session) => {
    const uploads = new Uploads(session);
    const photos = await uploads.photos(
      wanted.map(({ source }) => source),
      flags,
    );
    const sent: Record<string, Record<string, unknown>> = {};
    for (const [method, { prepare, edit, preset }] of options) {
      const own = await uploads.options(method, { ...prepare, ...edit, ...(preset !== undefined && { preset }) });
      if (Object.keys(own).length > 0) sent[method.name] = own;
    }
    const requests = wanted.map(
      ({ source, prompt }): JobRequestInput => ({
        ...{ kind: "compare", ...commonRequest(flags, session.model.name), photo: photos.get(source)!.id },
        ...{ target: prompt, methods: chosen.map(({ name }) => name), options: sent },
        priority: wanted.length > 1 ? "batch" : "interactive",
      }),
    );
    const jobs = new RemoteJobs(session, requests);
    const comparisons = wanted.map(({ source, prompt }, k): RemoteComparison => {
      const { photo } = photos.get(source)!;
      const maker = { model: { name: session.model.name } };
      const shared = { source, photo, plan: { target: prompt }, maker, server: session.url };
      const tasks = chosen.map((method) => ({ ...shared, method }));
      const of = { source, photo, uploads, isQuiet: flags.quiet ?? false };
      let clip: string | undefined;
      const onResult = (result: JobResult): void => {
        clip = result.clip;
      };
      const events = compareEvents(jobs, k, chosen, of, session, onResult);
      return { photo, target: prompt, tasks, events, clip: () => clip };
    });
    try {
      await use(comparisons, session);
    } finally {
      await jobs.close();
    }
  });
}

type Of = Omit<Parameters<typeof taskEventsOf>[1], "method">;

/** Yields the events of one comparison, as it would yield them here. Methods that failed come last. */
async function* compareEvents(
  jobs: RemoteJobs,
  index: number,
  chosen: readonly Method[],
  of: Of,
  session: Session,
  onResult: (result: JobResult) => void,
): AsyncGenerator<CompareEvent, void> {
  const isFirst = firstOfKind();
  const events = jobs.run(index);
  const edits: ComparedEdit[] = [];
  const estimates = new Map<string, Estimate>();
  let method = chosen[0];
  const begin = (name: string): CompareEvent => {
    const at = Math.max(
      0,
      chosen.findIndex((one) => one.name === name),
    );
    method = chosen[at];
    return { type: "method", method: name, index: at, count: chosen.length };
  };
  let next = await events.next();
  for (; !next.done; next = await events.next()) {
    const event = next.value;
    if (!isFirst(event)) continue;
    if (event.type === "settings" && event.method !== undefined) yield begin(event.method);
    if (event.type === "picture") {
      if (edits.some((edit) => edit.method === event.made.name)) continue;
      yield begin(event.made.name);
      const edit = {
        ...(await madeEdit(event.made, { ...of, method }, session)),
        estimate: estimates.get(method.name),
      };
      edits.push(edit);
      yield { type: "compared", edit };
    }
    for (const told of await taskEventsOf(event, { ...of, method })) {
      if (told.type === "estimate") estimates.set(method.name, told.estimate);
      if (told.type !== "preview") yield told;
    }
  }
  onResult(next.value);
  for (const edit of failedEdits(next.value)) {
    yield begin(edit.method);
    edits.push(edit);
    yield { type: "compared", edit };
  }
  yield { type: "done", edits };
}

async function madeEdit(made: MadePicture, of: Of & { method: Method }, session: Session): Promise<ComparedEdit> {
  const { picture: fitted, record } = await fetchPicture(made, session, of);
  const finished = await finishedPicture(of.photo, fitted, runBlocking);
  return {
    method: made.name,
    record,
    ...finished,
    costs: made.costs ?? { prepare: noCost, edit: noCost },
    psnr: psnr(finished.picture, photoLike(of.photo, finished.picture)),
    ...(made.clipScore !== undefined && { clipScore: made.clipScore }),
    isReused: false,
  };
}

const failedEdits = ({ failures = [] }: JobResult): ComparedEdit[] =>
  failures
    .filter(({ error }) => error.code !== "left_out")
    .map(({ method, error }) => ({ method, settings: {}, error: typedError(error) }));

import type { Command } from "commander";
import type { Work } from "../../core/index.ts";
import { nodePlatform } from "../../diffusion/node/index.ts";
import type { JobRequestInput, JobResult, MadePicture } from "../../server/index.ts";
import { type Costs, modes, noCost, type TaskEvent, type TaskResult, withMasks } from "../../tasks/index.ts";
import { type Arguments, isPreparedFile } from "../edit/sources.ts";
import { checkUse, type Edit, type PhotoFlags } from "../edit/tasks.ts";
import { chosenMethod, givenValues } from "../methodOptions.ts";
import type { Reporter } from "../print.ts";
import { type EventsOf, firstOfKind, qualityOf, taskEventsOf } from "./events.ts";
import { RemoteJobs } from "./jobs.ts";
import { refuseOnServer, type ServerFlags } from "./options.ts";
import { fetchPicture } from "./pictures.ts";
import { type Session, withServer } from "./session.ts";
import { Uploads } from "./uploads.ts";

/** Flags of baret edit that a server needs. */
export interface RemoteEditFlags extends PhotoFlags, ServerFlags {
  readonly server: string;
  readonly preview?: string;
  readonly saveAll?: boolean;
}

const sizeText = ({ size }: PhotoFlags): string | undefined => size && `${size.width}x${size.height}`;

/** Returns the fields of every kind of request, from flags. Photos are put back into their own size here, so the server only fits them. */
export const commonRequest = (flags: PhotoFlags, model: string) => ({
  model,
  size: sizeText(flags),
  fit: modes[flags.fit],
  source: flags.source,
});

/** Lets a server make the edits of a command. use: makes them one after the other, and prints and writes them. */
export async function remoteEdits(
  command: Command,
  flags: RemoteEditFlags,
  named: Arguments,
  reporter: Reporter,
  use: (edits: readonly Edit[], model: string, work: Required<Work>) => Promise<void>,
): Promise<void> {
  refuseOnServer(command, named.sources.filter(isPreparedFile));
  const method = chosenMethod(command);
  checkUse(command, flags, named, method);
  const given = { ...givenValues(command, method, "prepare"), ...givenValues(command, method, "edit") };
  await withServer(command, flags, reporter, async (session) => {
    const uploads = new Uploads(session);
    const photos = await uploads.photos(named.sources, flags);
    const size = flags.size ?? session.model.size;
    for (const { photo } of photos.values()) {
      const { warnings } = await withMasks(method, given, { size, photo }, nodePlatform);
      for (const { message } of warnings) reporter.warn(message);
    }
    const options = await uploads.options(method, given);
    const pairs = named.sources.flatMap((source) => named.prompts.map((target) => ({ source, target })));
    const requests = pairs.map(({ source, target }): JobRequestInput => {
      const images = flags.saveAll ? Object.keys(method.pictures) : ["edit"];
      return {
        ...{ kind: "edit", ...commonRequest(flags, session.model.name), photo: photos.get(source)!.id, target },
        ...{ method: method.name, preset: flags.preset, options, images, previews: flags.preview !== undefined },
        strip: Boolean(flags.saveAll && method.strip),
        priority: pairs.length > 1 ? "batch" : "interactive",
      };
    });
    const jobs = new RemoteJobs(session, requests);
    const edits = pairs.map(({ source, target }, k): Edit => {
      const { photo } = photos.get(source)!;
      const maker = { model: { name: session.model.name } };
      const task = { method, source, photo, plan: { target }, maker, server: session.url };
      const of = { method, source, photo, uploads, isQuiet: flags.quiet ?? false };
      return { task, make: () => editEvents(jobs, k, of, session) };
    });
    try {
      await use(edits, session.model.sha256, session.work);
    } finally {
      await jobs.close();
    }
  });
}

/** Yields the events of one edit, as it would yield them here. */
async function* editEvents(
  jobs: RemoteJobs,
  index: number,
  of: EventsOf,
  session: Session,
): AsyncGenerator<TaskEvent, void> {
  const isFirst = firstOfKind();
  const events = jobs.run(index);
  let iterations: number | undefined;
  let estimate: TaskResult["estimate"];
  let next = await events.next();
  for (; !next.done; next = await events.next()) {
    if (!isFirst(next.value)) continue;
    for (const event of await taskEventsOf(next.value, of)) {
      if (event.type === "prepared") iterations = event.iterations;
      if (event.type === "estimate") estimate = event.estimate;
      yield event;
    }
  }
  yield { type: "done", result: { ...(await resultOf(next.value, of, session)), iterations, estimate } };
}

async function resultOf(result: JobResult, of: EventsOf, session: Session): Promise<TaskResult> {
  const fetch = (made: MadePicture) => fetchPicture(made, session, of);
  const pictures = await Promise.all(result.pictures.map(async (made) => ({ made, ...(await fetch(made)) })));
  const edit = pictures.find(({ made }) => made.name === "edit") ?? pictures[0];
  const strip = await Promise.all(
    (result.strip ?? []).map(async (made) => {
      const { picture, record } = await fetch(made);
      return { keep: made.keep!, match: made.match!, picture, settings: record.settings };
    }),
  );
  const costs: Costs = edit.made.costs ?? { prepare: noCost, edit: noCost };
  return {
    images: Object.fromEntries(pictures.map(({ made, picture }) => [made.name, picture])),
    record: edit.record,
    quality: qualityOf(result.quality ?? {}),
    roundTrip: of.photo.picture,
    rows: costs.prepare.evaluations + costs.edit.evaluations,
    costs,
    warnings: result.warnings,
    ...(strip.length > 0 && { strip }),
  };
}

import { hasEnded, type Job, type JobProgress, type ModelDescription } from "../../api/index.ts";
import type { Service } from "../../service.ts";
import { type DialectOptions, fromBase64, toBase64 } from "../dialect.ts";
import { FileInJson, jsonResponse } from "../jsonFiles.ts";
import { pictureOfEdit, waitingErrorAnswer } from "../waiting/index.ts";
import type { Img2ImgSettings } from "./fields.ts";
import type { AskedEdit } from "./request.ts";
import { fieldOf } from "./request.ts";

/** Clients know a model by its title, which has the first digits of its hash. */
export const modelReply = ({ name, sha256 }: ModelDescription) => ({
  title: `${name} [${sha256.slice(0, 10)}]`,
  model_name: name,
  hash: sha256.slice(0, 10),
  sha256,
  filename: name,
  config: null,
});

export const optionsReply = (model: ModelDescription) => ({
  sd_model_checkpoint: modelReply(model).title,
  sd_checkpoint_hash: model.sha256,
  samples_format: "png",
});

export const samplersReply = [{ name: "DDIM", aliases: ["ddim"], options: {} }];

export const schedulersReply = [
  { name: "automatic", label: "Automatic", aliases: null, default_rho: -1, need_inner_model: false },
];

/** Answers with an error in the shape of AUTOMATIC1111, with the facts of this server's other APIs. */
export async function errorReply(error: unknown, onFault: (error: unknown) => void): Promise<Response> {
  const answer = waitingErrorAnswer(error, onFault, fieldOf);
  const { error: facts } = (await answer.json()) as { error: { code: string; message: string; param: string | null } };
  const { code, message, param } = facts;
  const body = { error: code, detail: message, body: "", errors: message, param };
  return Response.json(body, { status: answer.status, headers: answer.headers });
}

/** Returns the reply with the edits. Its images are PNGs with their settings. */
export async function img2imgReply(
  service: Pick<Service, "openPicture">,
  asked: Img2ImgSettings,
  edits: readonly AskedEdit[],
  jobs: readonly Job[],
): Promise<Response> {
  const made = jobs.map(pictureOfEdit);
  const pictures = await Promise.all(asked.send_images ? made.map(({ id }) => service.openPicture(id)) : []);
  const images = pictures.map((picture) => new FileInJson(() => picture.read()));
  const { overrides: _, ...parameters } = asked;
  const [{ result }] = jobs;
  const settings = result?.settings ?? {};
  const info = {
    prompt: asked.prompt,
    all_prompts: jobs.map(() => asked.prompt),
    negative_prompt: "",
    seed: edits[0].seed,
    all_seeds: edits.map(({ seed }) => seed),
    width: made[0].width,
    height: made[0].height,
    sampler_name: "DDIM",
    steps: settings.steps,
    cfg_scale: settings.guidance,
    denoising_strength: asked.denoising_strength,
    batch_size: asked.batch_size,
    index_of_first_image: 0,
    infotexts: jobs.map((job) => JSON.stringify(job.result?.settings ?? {})),
    baret: { jobs: jobs.map(({ id }) => id), warnings: jobs.flatMap((job) => job.result?.warnings ?? []) },
  };
  return jsonResponse({ images, parameters, info: JSON.stringify(info) });
}

/** Parts of a job's time by the phases of its methods, so that one number grows through all of them. */
const parts: Readonly<Record<string, readonly [from: number, to: number]>> = {
  tune: [0.1, 0.5],
  "tune embedding": [0.1, 0.2],
  "fine-tune": [0.2, 0.5],
  edit: [0.5, 0.99],
};

/** Returns how far a running job is. Phases before tuning are short. */
function shareOf(progress: JobProgress | undefined): number {
  if (!progress || progress.total === 0) return 0;
  const [from, to] = parts[progress.phase] ?? [0, 0.1];
  return from + ((to - from) * progress.done) / progress.total;
}

/** How far the jobs of a client are, as one number. */
export async function progressReply(
  { convert }: Pick<DialectOptions, "convert">,
  jobs: readonly Job[],
  isSkipped: boolean,
) {
  const ended = jobs.filter(({ state }) => hasEnded(state)).length;
  const running = jobs.find(({ state }) => state === "running");
  const { done = 0, total = 0, secondsLeft = 0, phase = "" } = running?.progress ?? {};
  const preview = isSkipped ? undefined : fromBase64(running?.preview ?? "");
  return {
    progress: jobs.length === 0 ? 0 : Math.min(1, (ended + shareOf(running?.progress)) / jobs.length),
    eta_relative: secondsLeft,
    state: {
      skipped: false,
      interrupted: jobs.some(({ state }) => state === "cancelled"),
      job: running?.id ?? "",
      job_count: jobs.length - ended,
      job_timestamp: running?.started ?? "0",
      job_no: ended,
      sampling_step: done,
      sampling_steps: total,
    },
    current_image: preview?.length ? toBase64((await convert(preview, { format: "png" })).bytes) : null,
    textinfo: jobs.length > ended && !running ? "waiting in the queue" : phase || null,
  };
}

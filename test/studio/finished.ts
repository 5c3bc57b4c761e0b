import sharp from "sharp";
import {
  type Job,
  type JobRequestInput,
  type JobResult,
  jobRequest,
  type MadePicture,
} from "../../src/server/api/index.ts";
import { startScripted } from "./scripted.ts";

/** Colours of pictures, so that a test sees which one the page shows. */
export const colours = {
  red: [220, 30, 30],
  green: [30, 160, 30],
  blue: [30, 30, 220],
  yellow: [230, 220, 40],
  white: [250, 250, 250],
} as const;
export type Colour = keyof typeof colours;

/** Returns a PNG of one colour, 64 x 64, with a record inside. */
async function plain(colour: Colour, note: string): Promise<Buffer> {
  const [r, g, b] = colours[colour];
  return sharp({ create: { width: 64, height: 64, channels: 3, background: { r, g, b } } })
    .withExif({ IFD0: { ImageDescription: note } })
    .png()
    .toBuffer();
}

export type Finished = Awaited<ReturnType<typeof startFinished>>;

/** Starts a scripted server with finished jobs. Their photo is red. */
export async function startFinished(token?: string) {
  const server = await startScripted({}, token);
  const photo = (await server.picture(await plain("red", "photo"))).id;
  let count = 0;

  /** Makes a picture of a result. */
  const made = async (name: string, colour: Colour, facts: Partial<MadePicture> = {}): Promise<MadePicture> => ({
    name,
    picture: await server.picture(await plain(colour, `${name} ${colour}`)),
    ...facts,
  });

  /** Adds a finished job, newer than those before. Returns its id. */
  const add = (
    input: { readonly kind: JobRequestInput["kind"]; readonly target?: string } & Record<string, unknown>,
    result: Partial<JobResult>,
    facts: Partial<Job> = {},
  ): string => {
    const id = (++count).toString(16).padStart(32, "0");
    const created = new Date(Date.UTC(2026, 0, 1) + 60_000 * count).toISOString();
    server.add({
      id,
      request: jobRequest.parse({ photo, target: "a dog lying down", ...input }),
      state: "done",
      created,
      ended: created,
      attempts: 1,
      result: { pictures: [], settings: {}, reusedPreparation: false, warnings: [], seconds: 8.4, ...result },
      ...facts,
    });
    return id;
  };

  const settings = {
    method: "baret",
    target: "a dog lying down",
    size: "128x128",
    fit: "crop",
    steps: 20,
    alpha: [0.8, 0.1],
  };
  const cost = { seconds: 4, evaluations: 120, gradients: 45 };
  /** An edit with other pictures and a warning. */
  const addEdit = async (target = "a dog lying down"): Promise<string> =>
    add(
      { kind: "edit", target, options: { steps: 20 } },
      {
        pictures: [
          await made("edit", "blue", { settings, costs: { prepare: cost, edit: cost }, psnr: 17.2 }),
          await made("reconstruction", "green", { settings }),
        ],
        settings,
        quality: { inversion: 23.1, vae: 30.2, photo: 22.4 },
        reusedPreparation: true,
        warnings: [{ code: "poor-reconstruction", message: "the inversion is poor", remedies: { iterations: 10 } }],
      },
    );
  const addComparison = async (warnings: JobResult["warnings"] = []): Promise<string> => {
    const costs = (seconds: number) => ({ prepare: { ...cost, seconds }, edit: cost });
    return add(
      { kind: "compare" },
      {
        pictures: [
          await made("baret", "blue", { settings, costs: costs(30), psnr: 17.2 }),
          await made("plain", "green", { settings: { ...settings, method: "plain" }, costs: costs(1), psnr: 12 }),
        ],
        warnings,
        failures: [
          {
            method: "imagic",
            error: { code: "memory", message: "It needs 34 GB of memory.", advice: "Name a smaller size." },
          },
        ],
      },
    );
  };
  const addSweep = async (): Promise<string> => {
    const points = [0.2, 0.8].flatMap((alpha) => [true, false].map((earlyStop) => ({ alpha, earlyStop })));
    const order: readonly Colour[] = ["blue", "green", "yellow", "white"];
    return add(
      { kind: "sweep", options: { steps: 20 }, axes: { alpha: [0.2, 0.8], earlyStop: [true, false] } },
      {
        pictures: await Promise.all(
          points.map((point, k) => made(`${k}`, order[k], { settings: { ...settings, ...point } })),
        ),
        columns: 2,
        settings,
      },
    );
  };
  const addAttention = async (): Promise<string> =>
    add({ kind: "attention" }, { pictures: [await made("dog", "blue"), await made("lying", "green")], settings });

  return { ...server, photo, made, add, addEdit, addComparison, addSweep, addAttention };
}

import { Hono } from "hono";
import { refusal } from "../../../http/index.ts";
import type { ModelDescription } from "../../api/index.ts";
import { NotFoundError, RequestError } from "../../errors.ts";
import { clientOf, type ServerEnv } from "../access.ts";
import { readJson } from "../body.ts";
import { type DialectOptions, fromBase64, holdingBody, readyCapabilities } from "../dialect.ts";
import { patientJson, storePhoto, submitEdits, type Waiting, whenDone } from "../waiting/index.ts";
import {
  errorReply,
  img2imgReply,
  modelReply,
  optionsReply,
  progressReply,
  samplersReply,
  schedulersReply,
} from "./answers.ts";
import { Clients } from "./clients.ts";
import { type Img2ImgSettings, readImg2Img, readOptions } from "./fields.ts";
import { emptyLists } from "./lists.ts";
import { type AskedEdit, editsOf, fieldOf } from "./request.ts";

/** Bytes of a body besides its photos. */
const BODY_BYTES = 2 << 20;

/** Returns the model that a client names, by its name or by its title, which has its hash. */
function modelNamed(models: readonly ModelDescription[], name: string): ModelDescription {
  const found = models.find((model) => name === model.name || name === modelReply(model).title);
  if (found) return found;
  const expected = models.map((model) => model.name).join(", ");
  throw new NotFoundError("no such model", { where: "sd_model_checkpoint", found: name, expected });
}

/** AUTOMATIC1111's API, as far as its clients need it to edit photos. A client stops and sees its own edits alone. */
export function a1111App(options: DialectOptions): Hono<ServerEnv> {
  const { service, interests, onFault } = options;
  const clients = new Clients();
  const failed = (error: unknown): Promise<Response> => errorReply(error, onFault);

  /** Reads a body and runs work that holds it. */
  const withBody = async <T>(request: Request, work: (body: unknown) => Promise<T>): Promise<T> => {
    const { limits } = await readyCapabilities(options);
    // Base64 has four characters for three bytes.
    const bytes = Math.ceil((limits.photoBytes * 4) / 3) + BODY_BYTES;
    return holdingBody(options, request, bytes, async () => work(await readJson(request, bytes)));
  };

  async function storePhotos(images: readonly string[]): Promise<string[]> {
    const ids: string[] = [];
    for (const [k, image] of images.entries()) {
      const bytes = fromBase64(image);
      const field = `init_images.${k}`;
      if (!bytes?.length)
        throw new RequestError([{ field, message: `${field}: expected a picture in base64; no URL is fetched` }]);
      ids.push(await storePhoto(service, bytes, field));
    }
    return ids;
  }

  /** Waits for all edits and answers with them. Never rejects. */
  const reply = (
    asked: Img2ImgSettings,
    edits: readonly AskedEdit[],
    waiting: readonly Waiting[],
    client: string,
    signal: AbortSignal,
  ): Promise<Response> =>
    whenDone(service, waiting, signal, (jobs) => img2imgReply(service, asked, edits, jobs))
      .catch(failed)
      .finally(() => clients.end(client, waiting));

  const app = new Hono<ServerEnv>();
  app.post("/img2img", async (c) => {
    const client = clientOf(c);
    const { models } = await readyCapabilities(options);
    const { asked, edits, waiting } = await withBody(c.req.raw, async (body) => {
      const { init_images: images, ...asked } = readImg2Img(body);
      const name = asked.overrides.sd_model_checkpoint ?? clients.model(client);
      const model = name === undefined ? undefined : modelNamed(models, name).name;
      const edits = editsOf(asked, images.length, model);
      const photos = await storePhotos(images);
      const whole = edits.map(({ photo, request }) => ({ ...request, photo: photos[photo] }));
      return { asked, edits, waiting: await submitEdits(service, interests, whole, client, fieldOf) };
    });
    clients.begin(client, waiting);
    return patientJson((signal) => reply(asked, edits, waiting, client, signal), c.req.raw.signal, options);
  });
  app.get("/progress", async (c) => {
    const isSkipped = c.req.query("skip_current_image") === "true";
    const jobs = await Promise.all(clients.waiting(clientOf(c)).map(({ id }) => service.job(id)));
    return c.json(await progressReply(options, jobs, isSkipped));
  });
  const stop = async (client: string): Promise<void> => {
    await Promise.all(clients.waiting(client).map(({ id }) => service.cancel(id, client)));
  };
  for (const path of ["/interrupt", "/skip"]) {
    app.post(path, async (c) => {
      await stop(clientOf(c));
      return c.json({});
    });
  }
  app.get("/options", async (c) => {
    const { models } = await readyCapabilities(options);
    const name = clients.model(clientOf(c));
    return c.json(optionsReply(models.find((model) => model.name === name) ?? models[0]));
  });
  app.post("/options", async (c) => {
    const { models } = await readyCapabilities(options);
    const { sd_model_checkpoint: name } = await withBody(c.req.raw, async (body) => readOptions(body));
    if (name !== undefined) clients.choose(clientOf(c), modelNamed(models, name).name);
    return c.json(null);
  });
  app.get("/sd-models", async (c) => c.json((await readyCapabilities(options)).models.map(modelReply)));
  app.get("/samplers", (c) => c.json(samplersReply));
  app.get("/schedulers", (c) => c.json(schedulersReply));
  app.get("/cmd-flags", (c) => c.json({}));
  app.post("/refresh-checkpoints", (c) => c.json(null));
  for (const list of emptyLists) {
    app.get(`/${list}`, (c) => c.json([]));
  }
  app.get("/embeddings", (c) => c.json({ loaded: {}, skipped: {} }));
  app.get("/scripts", (c) => c.json({ txt2img: [], img2img: [] }));
  app.post("/txt2img", () =>
    refusal(404, "this server edits photos and makes none: POST /sdapi/v1/img2img", "not_found"),
  );
  app.onError(failed);
  return app;
}

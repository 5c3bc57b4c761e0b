import { McpServer, type ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import { BaretError, between, fits, oneOf, type Progress, version } from "../../core/index.ts";
import { methods } from "../../editing/index.ts";
import { resize } from "../../image/index.ts";
import { decodePhoto, encodePicture } from "../../image/node/index.ts";
import type { Editor } from "./editor.ts";
import type { AllowedFolders } from "./folders.ts";

/** Longest side in pixels of the picture that an assistant sees. */
const MAX_SHOWN_SIDE = 512;
/** Time between two notifications of progress. */
const PROGRESS_MS = 300;

const inputSchema = z.strictObject({
  photo: z.string().min(1).max(4096).describe("path of the photo on this machine: PNG, JPEG, WebP, TIFF, AVIF or GIF"),
  prompt: z
    .string()
    .min(1)
    .max(100_000)
    .describe('what the edited photo shall show, all of it: "a dog lying on grass"'),
  output: z
    .string()
    .min(1)
    .max(4096)
    .describe("path of the picture to write: .png, .jpg or .webp. No file may have this name yet"),
  method: oneOf(methods().map(({ name }) => name))
    .optional()
    .describe(`editing method; default ${methods()[0].name}`),
  keep: between(0, 1)
    .optional()
    .describe("how much of the photo to keep: 1 keeps the photo, 0 follows the prompt; default chosen by the model"),
  source: z
    .string()
    .max(100_000)
    .optional()
    .describe("what the photo shows now, for methods that need it; auto: the model says it, if it can"),
  fit: oneOf(fits)
    .default("crop")
    .describe(
      "crop: the centre of the photo; whole: all of it, at its own size; paste: the centre, put back into the photo",
    ),
  options: z
    .record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.array(z.union([z.number(), z.string()]))]))
    .default({})
    .describe('more options of the method by name, as "baret methods" lists them: {"steps": 20}'),
});

const outputSchema = z.object({
  path: z.string(),
  settings: z.record(z.string(), z.unknown()).describe("all settings of the edit"),
  warnings: z.array(z.string()),
});

const description = `Edits a photo on this machine so that it shows what a prompt says, and keeps the rest of the photo. \
Writes the result as a new file and returns a small copy of it. The work takes seconds to minutes on a small model, and longer on a \
large one. The prompt describes the whole wanted picture; it is not an instruction.`;

/** Returns a server with the tool edit_image. */
export function editServer(editor: Editor, folders: AllowedFolders): McpServer {
  const server = new McpServer({ name: "baret", title: "baret", version }, { capabilities: { tools: {} } });
  const annotations = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
  const config = { title: "Edit a photo", description, inputSchema, outputSchema, annotations };
  server.registerTool("edit_image", config, async (input, context) => {
    try {
      const { keep, ...asked } = input;
      const photo = await folders.existing(input.photo, "photo");
      const output = await folders.fresh(input.output, "output");
      const options = { ...input.options, ...(keep !== undefined && { keep }) };
      const work = { onProgress: notifying(context), signal: context.mcpReq.signal };
      const edited = await editor.edit({ ...asked, photo, output, options }, work);
      const { data, mimeType } = await shown(output);
      const lines = [`Wrote ${output}.`, ...edited.warnings.map((warning) => `Warning: ${warning}.`)];
      return {
        content: [
          { type: "text", text: lines.join("\n") },
          { type: "image", data, mimeType },
        ],
        structuredContent: { path: output, ...edited },
      };
    } catch (error) {
      return { isError: true, content: [{ type: "text", text: errorText(error) }] };
    }
  });
  return server;
}

function errorText(error: unknown): string {
  if (error instanceof BaretError) return `${error.name}: ${error.message}`;
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return "Unexpected error. This is a bug in baret; the log of the server has its stack.";
}

/** Returns a small copy of a picture. */
async function shown(path: string): Promise<{ data: string; mimeType: string }> {
  const { picture } = await decodePhoto(path);
  const scale = Math.min(1, MAX_SHOWN_SIDE / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(scale * side)));
  const small = scale < 1 ? resize(picture, width, height, "lanczos") : picture;
  const bytes = await encodePicture(small, { format: "webp" });
  return { data: Buffer.from(bytes).toString("base64"), mimeType: "image/webp" };
}

/** Returns a callback that tells the client of progress, if it asked for it. Steps of all phases are counted together. */
function notifying({ mcpReq }: ServerContext): (progress: Progress) => void {
  const progressToken = mcpReq._meta?.progressToken;
  let steps = 0;
  let notBefore = 0;
  return ({ phase, done, total }) => {
    steps++;
    const now = performance.now();
    if (progressToken === undefined || now < notBefore) return;
    notBefore = now + PROGRESS_MS;
    const message = `${phase}: ${done} of ${total}`;
    const params = { progressToken, progress: steps, message };
    // A client that is gone needs no progress. Its request is cancelled by the transport.
    void mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  };
}

import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { FileInJson, jsonPieces } from "../../src/server/http/jsonFiles.ts";
import { dialectServer } from "../support/dialectServer.ts";

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, k) => (k * 37) % 256);

test("JSON with files is JSON.stringify's with their base64, wherever a file's pieces end", async () => {
  for (const sizes of [[], [1], [2], [3], [1, 1, 1], [5, 0, 2, 3], [64, 1], [1, 65_536, 2]]) {
    const pieces = sizes.map((size) => bytes(size));
    const base64 = Buffer.concat(pieces).toString("base64");
    const value = (file: unknown) => ({
      "ä\n": [file, undefined, { file, none: undefined }],
      text: 'a "b" \u2028',
      n: 1,
    });
    const written: Uint8Array[] = [];
    for await (const piece of jsonPieces(value(new FileInJson(() => pieces)))) written.push(piece);
    expect(Buffer.concat(written).toString()).toBe(JSON.stringify(value(base64)));
  }
});

const [MIB, PIECES] = [1 << 20, 32];
const dog = readFileSync("examples/dog.png");
const prompt = "a dog lying down";

/** A server whose stored pictures have 32 MiB, and how many of their pieces were read. */
async function largePictures() {
  const { service, url } = await dialectServer();
  const read = { pieces: 0, readers: 0 };
  service.openPicture = async () => ({
    bytes: PIECES * MIB,
    async *read() {
      read.readers++;
      try {
        for (let k = 0; k < PIECES; k++) {
          read.pieces++;
          yield new Uint8Array(MIB).fill(k);
        }
      } finally {
        read.readers--;
      }
    },
  });
  const post = (path: string, body: FormData | object): Promise<Response> => {
    const isForm = body instanceof FormData;
    const headers = { "content-type": "application/json" };
    return fetch(`${url}${path}`, { method: "POST", ...(isForm ? { body } : { headers, body: JSON.stringify(body) }) });
  };
  return { read, post };
}

function form(fields: Readonly<Record<string, string>>): FormData {
  const form = new FormData();
  form.set("image", new Blob([new Uint8Array(dog)]), "photo.png");
  for (const [name, value] of Object.entries({ prompt, ...fields })) form.set(name, value);
  return form;
}

const a1111 = { init_images: [dog.toString("base64")], prompt, batch_size: 2 };

test.each([
  ["OpenAI's reply", "/v1/images/edits", () => form({ n: "2", "baret[method]": "sdedit" }), 2],
  ["OpenAI's stream", "/v1/images/edits", () => form({ stream: "true" }), 1],
  ["AUTOMATIC1111's reply", "/sdapi/v1/img2img", () => a1111, 2],
])("%s is read from the store as fast as the client takes it, and is whole", async (_, path, body, pictures) => {
  const { read, post } = await largePictures();
  const reply = await post(path, body());
  expect(reply.status).toBe(200);
  const reader = reply.body!.getReader();
  let length = (await reader.read()).value!.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  // What is under way is in the buffers of the two sockets.
  expect(read.pieces).toBeLessThan(20);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
  }
  expect(read.pieces).toBe(pictures * PIECES);
  expect(length).toBeGreaterThan((pictures * PIECES * MIB * 4) / 3);
});

test("a client that leaves in the middle of a reply ends the reading", async () => {
  const { read, post } = await largePictures();
  const reply = await post("/sdapi/v1/img2img", a1111);
  const reader = reply.body!.getReader();
  await reader.read();
  expect(read.readers).toBe(1);
  await reader.cancel();
  await vi.waitFor(() => expect(read.readers).toBe(0), 10_000);
  const { pieces } = read;
  expect(pieces).toBeLessThan(PIECES);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(read.pieces).toBe(pieces);
});

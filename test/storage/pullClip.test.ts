import { join } from "node:path";
import { expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { Clip } from "../../src/metrics/index.ts";
import { copyModel, findModel, listModels, openLocal } from "../../src/storage/node/index.ts";
import {
  encodeSafetensors,
  type Folder,
  memorySource,
  openCheckpoint,
  readSafetensors,
  readTensor,
} from "../../src/weights/index.ts";
import { fixturePath } from "../support/files.ts";
import type { Files } from "../support/hub.ts";
import { clipFiles, clipName, clipNeeded, clipRepository } from "./clipHub.ts";
import { cache, differences, failure, hub, pathsIn, placed, pull, repository, useHub } from "./hub.ts";

useHub();

const checkClip = (folder: Folder): Promise<void> => Clip.check(folder);
const folder = (): string => placed("openai--clip-vit-base-patch32");

test("clip is OpenAI's ViT-B/32, from the commit that has safetensors, and is found by both names", async () => {
  hub.repositories[clipName] = clipRepository;
  for (const name of ["clip", clipName]) {
    const model = await pull({ name, checkClip });
    expect(model).toMatchObject({ name: clipName, kind: "CLIP", path: folder(), files: clipNeeded.length });
    expect(differences(clipNeeded, clipFiles, folder())).toEqual([]);
    expect((await findModel(name, { cache: cache() })).path).toBe(folder());
  }
  expect(hub.count("blob")).toBe(1);
  const [{ kind, place }] = (await listModels({ cache: cache(), hubCache: cache() })).filter(
    ({ name }) => name === clipName,
  );
  expect([kind, place]).toEqual(["CLIP", "pulled"]);
  await Clip.check(await openLocal(folder()));
});

test("PIE-Bench's CLIP, in shards or in a variant, is taken from the branch main", async () => {
  const name = "openai/clip-vit-large-patch14";
  const { "model.safetensors": weights, ...rest } = clipFiles;
  repository({ ...rest, "model.fp16.safetensors": weights, "model.safetensors": Buffer.alloc(9) }, name);
  expect((await pull({ name, variant: "fp16", checkClip })).variant).toBe("fp16");
  expect(pathsIn(placed("openai--clip-vit-large-patch14"))).toContain("model.fp16.safetensors");
  const keys = [...(await readSafetensors(memorySource("weights", weights))).tensors.keys()];
  const map = Object.fromEntries(keys.map((key) => [key, "model-00001-of-00001.safetensors"]));
  const index = Buffer.from(JSON.stringify({ weight_map: map }));
  repository({ ...rest, "model.safetensors.index.json": index, "model-00001-of-00001.safetensors": weights }, name);
  await pull({ name, checkClip });
  expect(pathsIn(placed("openai--clip-vit-large-patch14"))).toContain("model-00001-of-00001.safetensors");
  expect(pathsIn(placed("openai--clip-vit-large-patch14"))).not.toContain("model.fp16.safetensors");
});

test("a CLIP repository whose weights are pickles is refused before they are downloaded, with what to do", async () => {
  const { "model.safetensors": _, ...rest } = clipFiles;
  repository({ ...rest, "pytorch_model.bin": Buffer.alloc(10) }, "tiny/clip");
  const error = await failure(pull({ name: "tiny/clip", checkClip }));
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toMatch(
    /^tiny\/clip: these weights are a Python pickle.*found pytorch_model\.bin, expected safetensors.*\n.*--revision refs\/pr\/NUMBER.*baret pull tiny\/clip --from FOLDER/,
  );
  expect(hub.count("blob")).toBe(0);
  expect(pathsIn(join(cache(), "models"))).toEqual([]);
});

/** The weights with another width of the projection of pictures. */
async function otherWidth(): Promise<Buffer> {
  const { tensors } = await readSafetensors(memorySource("weights", clipFiles["model.safetensors"]));
  const entries = [...tensors].map(async ([key, ref]) => {
    const { shape, data } = await readTensor(ref);
    const rows = key === "visual_projection.weight" ? shape[0] - 1 : shape[0];
    const kept = shape.length === 0 ? shape : [rows, ...shape.slice(1)];
    return [
      key,
      {
        dtype: "F32",
        shape: kept,
        data: data.slice(
          0,
          kept.reduce((n, d) => n * d, 1),
        ),
      },
    ] as const;
  });
  return Buffer.from(encodeSafetensors(Object.fromEntries(await Promise.all(entries))));
}

test("a CLIP that the metric's check refuses is not installed", async () => {
  const without = (...paths: string[]): Files =>
    Object.fromEntries(Object.entries(clipFiles).filter(([path]) => !paths.includes(path)));
  for (const [files, says] of [
    [{ ...clipFiles, "model.safetensors": await otherWidth() }, /visual_projection\.weight/],
    [
      without("preprocessor_config.json"),
      /not a CLIP model that baret can use.*expected also preprocessor_config\.json/,
    ],
    [without("model.safetensors", "pytorch_model.bin"), /no weights.*expected model\.safetensors/],
  ] as const) {
    repository(files, "tiny/clip");
    expect((await failure(pull({ name: "tiny/clip", checkClip }))).message).toMatch(says);
    expect(pathsIn(join(cache(), "models"))).toEqual([]);
  }
});

test("a CLIP is installed from a folder without the hub", async () => {
  const model = await copyModel("clip", fixturePath("judge-tiny"), { cache: cache(), checkClip });
  expect(model).toMatchObject({ name: clipName, kind: "CLIP", files: clipNeeded.length });
  expect(differences(clipNeeded, clipFiles, folder())).toEqual([]);
  expect(hub.requests).toEqual([]);
});

test("a CLIP that is given as a model to edit with is refused, with what it is for", async () => {
  const opening = openCheckpoint(await openLocal(fixturePath("judge-tiny")));
  await expect(opening).rejects.toThrow(
    /judge-tiny: this is a CLIP model, which scores edits and makes none: .*as the scorer of an edit, or as the clip of a comparison/s,
  );
});

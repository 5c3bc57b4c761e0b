import { isRecordedFile } from "../core/index.ts";
import { recordSchema } from "../tasks/index.ts";
import type { StoredPhoto } from "./api/index.ts";

/** Returns the last part of a path of any system. */
const lastPart = (path: string): string => path.split(/[/\\]/).at(-1) ?? "";

/** Reads the record of a picture, and takes paths of the machine that made it out. Undefined if it is none. */
export function ownRecord(text: string): StoredPhoto["record"] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = recordSchema.safeParse(json);
  if (!data) return undefined;
  const { command, version, model, engine, photo, strength } = data;
  // A file of that machine says nothing here.
  const settings = Object.fromEntries(Object.entries(data.settings).filter(([, value]) => !isRecordedFile(value)));
  const isPath = /^\.|[/\\].*[/\\]|^[/\\]|\.safetensors$/.test(model.name);
  return {
    command,
    version,
    model: { ...model, name: isPath ? lastPart(model.name) : model.name },
    engine,
    ...(photo && { photo: { ...photo, path: lastPart(photo.path) } }),
    settings,
    ...(strength && { strength }),
  };
}

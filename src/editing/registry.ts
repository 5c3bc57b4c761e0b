import { few, UsageError } from "../core/index.ts";
import type { Method } from "./method.ts";
import { baret } from "./methods/baret/index.ts";
import { masactrl } from "./methods/masactrl/index.ts";
import { negativePrompt } from "./methods/negativePrompt/index.ts";
import { plain } from "./methods/plain/index.ts";
import { sdedit } from "./methods/sdedit/index.ts";

const registered: Method[] = [baret, plain, masactrl, sdedit, negativePrompt];

/** Returns all methods in the order of their display. The first one is the default. */
export const methods = (): readonly Method[] => registered;

/** Returns the names of the methods that need no caption of the photo, for messages. */
export const methodsWithoutCaption = (): string =>
  few(registered.filter(({ needs }) => !needs.sourceCaption).map(({ name }) => name));

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

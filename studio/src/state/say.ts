import { signal } from "@preact/signals";

/** Text for a screen reader: what has just happened. `count` tells equal texts apart. */
export const said = signal({ text: "", count: 0 });

/** Tells a screen reader what has happened. */
export const say = (text: string): void => {
  said.value = { text, count: said.value.count + 1 };
};

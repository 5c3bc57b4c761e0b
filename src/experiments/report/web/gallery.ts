import type { Viewer } from "./viewer.ts";
import { neighbour } from "./walk.ts";

const steps: Readonly<Record<string, readonly [columns: number, rows: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  Home: [Number.NEGATIVE_INFINITY, 0],
  End: [Number.POSITIVE_INFINITY, 0],
};

/** Lets arrow keys move between the pictures of a gallery, and opens the one that is chosen. */
export function startGalleries(viewer: Viewer | undefined): void {
  for (const gallery of document.querySelectorAll(".gallery")) {
    gallery.addEventListener("click", (event) => {
      const button = (event.target as Element).closest<HTMLButtonElement>("button.open");
      if (button) viewer?.open(button);
    });
    gallery.addEventListener("keydown", (event) => {
      const { key, target, altKey, ctrlKey, metaKey } = event as KeyboardEvent;
      const button = (target as Element).closest<HTMLButtonElement>("button.open");
      const step = steps[key];
      if (!button || !step || altKey || ctrlKey || metaKey) return;
      event.preventDefault();
      neighbour(button, ...step).focus();
    });
  }
}

import { useRef } from "preact/hooks";
import { deleted, pauseDeletion, resumeDeletion, undoDeletion } from "./deletion.ts";
import { useKeys } from "./keys.ts";
import { counted } from "./words.ts";

const page = {
  get current() {
    return document.body;
  },
};

/** Tells of a deletion, with a button that undoes it. Ctrl+Z does the same. The time stands still while the pointer or the focus is here. */
export function Undo() {
  const bar = useRef<HTMLDivElement>(null);
  useKeys(
    page,
    {
      down: ({ key }) => {
        if (key !== "z" || deleted.value.length === 0) return false;
        undoDeletion();
        return true;
      },
    },
    "ctrl",
  );
  if (deleted.value.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: hovering only gives the person more time
    <div
      class="undo"
      ref={bar}
      onMouseEnter={pauseDeletion}
      onMouseLeave={resumeDeletion}
      onFocusCapture={pauseDeletion}
      onBlurCapture={resumeDeletion}
    >
      <span>{counted(deleted.value.length, "result")} deleted</span>
      <button type="button" aria-keyshortcuts="Control+Z" onClick={undoDeletion}>
        Undo <kbd>Ctrl Z</kbd>
      </button>
    </div>
  );
}

import { useEffect } from "preact/hooks";

/** Elements that take letters or arrows themselves. */
const typing = 'input:not([type="range"], [type="checkbox"], [type="radio"]), textarea, select, [contenteditable]';
/** Elements that the space bar presses. */
const pressable = 'button, a, summary, input[type="checkbox"], input[type="radio"]';

/** Tells if a key belongs to the part of the page: the focus is in it or nowhere, and no dialog is open. held: what is held with it. */
export function isFor(part: Element | null, event: KeyboardEvent, held: "nothing" | "ctrl" = "nothing"): boolean {
  const target = event.target as Element;
  // A Mac has its own key for what Ctrl is elsewhere.
  const isHeld = (event.ctrlKey || event.metaKey) === (held === "ctrl");
  if (!part || !isHeld || event.altKey || event.defaultPrevented) return false;
  if (document.querySelector("dialog[open]") || target.matches(typing)) return false;
  if (event.key === " " && target.matches(pressable)) return false;
  return target === document.body || part.contains(target);
}

export interface KeyActions {
  readonly down: (event: KeyboardEvent) => boolean;
  readonly up?: (event: KeyboardEvent) => void;
}

/** Listens to keys of a part of the page. down: returns true if it has used the key. */
export function useKeys(
  part: { readonly current: Element | null },
  { down, up }: KeyActions,
  held: "nothing" | "ctrl" = "nothing",
): void {
  useEffect(() => {
    const onDown = (event: KeyboardEvent): void => {
      if (isFor(part.current, event, held) && down(event)) event.preventDefault();
    };
    const onUp = (event: KeyboardEvent): void => up?.(event);
    document.addEventListener("keydown", onDown);
    document.addEventListener("keyup", onUp);
    return () => {
      document.removeEventListener("keydown", onDown);
      document.removeEventListener("keyup", onUp);
    };
  });
}

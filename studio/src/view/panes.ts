import type { Signal } from "@preact/signals";
import { type Fingers, type Point, panned, pinched, type View, zoomed } from "./geometry.ts";

/** State of a pane that pointers and the wheel change. */
export interface PaneActions {
  readonly view: Signal<View>;
  /** Place of the divider from the left, 0..1. Undefined: there is none. */
  readonly divider?: Signal<number>;
  /** Shows the other picture while true. */
  readonly isHeld: Signal<boolean>;
  readonly largest: () => number;
}

/** Distance in pixels from which a pointer takes the divider of a zoomed picture. */
const REACH = 24;
/** Milliseconds for which a scroll of the page that meets a pane goes on as a scroll. */
const SCROLLING = 300;
let lastScroll = Number.NEGATIVE_INFINITY;

const clamp = (value: number): number => Math.min(1, Math.max(0, value));

function placeOf(pane: HTMLElement, event: { clientX: number; clientY: number }): Point {
  const { left, top, width, height } = pane.getBoundingClientRect();
  return { x: (event.clientX - left) / width - 0.5, y: (event.clientY - top) / height - 0.5 };
}

/** Connects pointers and the wheel with a pane. Returns a function that takes them off. */
export function connectPane(pane: HTMLElement, { view, divider, isHeld, largest }: PaneActions): () => void {
  const pointers = new Map<number, Point>();
  let drag: "divider" | "picture" | undefined;

  const begin = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const at = placeOf(pane, event);
    pane.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at);
    if (pointers.size > 1) {
      drag = undefined;
      isHeld.value = false;
      return;
    }
    const isNear = divider && Math.abs(at.x + 0.5 - divider.value) * pane.clientWidth < REACH;
    if (view.value.scale > 1 && !isNear) drag = "picture";
    else if (divider) {
      drag = "divider";
      divider.value = clamp(at.x + 0.5);
    } else isHeld.value = true;
  };

  const move = (event: PointerEvent): void => {
    const from = pointers.get(event.pointerId);
    if (!from) return;
    const to = placeOf(pane, event);
    const before = [...pointers.values()];
    pointers.set(event.pointerId, to);
    const after = [...pointers.values()];
    if (before.length === 2) {
      const shape = pane.clientWidth / pane.clientHeight;
      view.value = pinched(view.value, before as unknown as Fingers, after as unknown as Fingers, shape, largest());
    } else if (drag === "divider" && divider) divider.value = clamp(to.x + 0.5);
    else if (drag === "picture") view.value = panned(view.value, { x: to.x - from.x, y: to.y - from.y });
  };

  const end = (event: PointerEvent): void => {
    pointers.delete(event.pointerId);
    drag = undefined;
    isHeld.value = false;
  };

  const scroll = (event: WheelEvent): void => {
    const isZoomed = view.value.scale > 1;
    const isPageScroll = event.timeStamp - lastScroll < SCROLLING || (!isZoomed && event.deltaY > 0);
    if (!event.ctrlKey && !isZoomed && isPageScroll) {
      lastScroll = event.timeStamp;
      return;
    }
    event.preventDefault();
    // 0: pixels, 1: lines, 2: pages.
    const unit = [1, 16, 400][event.deltaMode] ?? 1;
    view.value = zoomed(view.value, Math.exp((-event.deltaY * unit) / 300), placeOf(pane, event), largest());
  };
  const scrollOutside = (event: WheelEvent): void => {
    if (!pane.contains(event.target as Node)) lastScroll = event.timeStamp;
  };

  const listeners = new AbortController();
  const { signal } = listeners;
  pane.addEventListener("pointerdown", begin, { signal });
  pane.addEventListener("pointermove", move, { signal });
  for (const name of ["pointerup", "pointercancel"] as const) pane.addEventListener(name, end, { signal });
  pane.addEventListener("wheel", scroll, { signal, passive: false });
  window.addEventListener("wheel", scrollOutside, { signal, passive: true });
  return () => listeners.abort();
}

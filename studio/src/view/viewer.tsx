import { type ReadonlySignal, type Signal, signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { largestScale, panned, showsSquares, type View, whole, zoomed } from "./geometry.ts";
import { useKeys } from "./keys.ts";
import { connectPane, type PaneActions } from "./panes.ts";
import type { Shown } from "./shown.ts";

/** Ways to lay out two pictures. */
const layouts = { slider: "Slider", side: "Side by side", one: "One" } as const;
type Layout = keyof typeof layouts;

/** Stays as it is when another result is shown. */
const layout = signal<Layout>("slider");

/** Zoom of one press of a key or a button. */
const STEP = 1.5;
const centre = { x: 0, y: 0 };
/** Part of the pane by which an arrow key moves the picture. */
const arrows: Readonly<Record<string, { x: number; y: number }>> = {
  ArrowLeft: { x: 0.1, y: 0 },
  ArrowRight: { x: -0.1, y: 0 },
  ArrowUp: { x: 0, y: 0.1 },
  ArrowDown: { x: 0, y: -0.1 },
};

interface LayerProps {
  readonly shown: Shown;
  readonly view: View;
  readonly isSquare: boolean;
  /** Hides the part to the right of it, 0..1. */
  readonly until?: number;
}

function Layer({ shown, view: { scale, x, y }, isSquare, until = 1 }: LayerProps) {
  return (
    <div class="layer" style={until < 1 ? { clipPath: `inset(0 ${100 * (1 - until)}% 0 0)` } : undefined}>
      <img
        src={shown.src}
        alt={shown.label}
        draggable={false}
        style={{
          transform: `translate(${100 * x}%, ${100 * y}%) scale(${scale})`,
          objectFit: shown.fitted,
          imageRendering: isSquare ? "pixelated" : undefined,
        }}
      />
    </div>
  );
}

interface PaneProps extends PaneActions {
  readonly size: Size;
  readonly width: Signal<number>;
  readonly children: ComponentChildren;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A frame of the pictures' shape that takes pointers and the wheel. */
function Pane({ size, width, children, view, divider, isHeld, largest }: PaneProps) {
  const pane = useRef<HTMLDivElement>(null);
  useEffect(() => connectPane(pane.current!, { view, divider, isHeld, largest }), [divider]);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      width.value = entry.contentRect.width;
    });
    observer.observe(pane.current!);
    return () => observer.disconnect();
  }, []);
  return (
    <div
      ref={pane}
      class={`pane${view.value.scale > 1 ? " zoomed" : ""}`}
      style={{ aspectRatio: `${size.width} / ${size.height}` }}
    >
      {children}
    </div>
  );
}

interface DividerProps {
  readonly place: Signal<number>;
  readonly left: Shown;
  readonly right: Shown;
}

function Divider({ place, left, right }: DividerProps) {
  const percent = Math.round(100 * place.value);
  return (
    <>
      <div class="divider" style={{ left: `${100 * place.value}%` }} />
      <input
        type="range"
        min="0"
        max="100"
        value={percent}
        aria-label={`Divider between ${left.label} and ${right.label}`}
        aria-valuetext={`${percent} % ${left.label}`}
        onInput={({ currentTarget }) => {
          place.value = Number(currentTarget.value) / 100;
        }}
      />
    </>
  );
}

interface ViewerProps {
  /** Absent: there is nothing to compare with. */
  readonly left?: Shown;
  readonly right: Shown;
  /** Size of the result in pixels. A photo is fitted to it. */
  readonly size: Size;
}

/** Shows two pictures of equal shape for comparison, with zoom and pan in step. */
export function Viewer({ left, right, size }: ViewerProps) {
  const root = useRef<HTMLDivElement>(null);
  const view = useSignal(whole);
  const divider = useSignal(0.5);
  const isHeld = useSignal(false);
  const width = useSignal(0);
  const largest = (): number => largestScale(size.width, width.value);
  const zoom = (factor: number): void => {
    view.value = zoomed(view.value, factor, centre, largest());
  };
  const reset = (): void => {
    view.value = whole;
  };
  useViewerKeys(root, { view, isHeld, zoom, reset });

  const isSquare = showsSquares(view.value, size.width, width.value);
  const layer = (shown: Shown, until?: number) => (
    <Layer key={shown.key} shown={shown} view={view.value} isSquare={isSquare} until={until} />
  );
  const shownLayout = left ? layout.value : "one";
  const isDivided = shownLayout === "slider" && !isHeld.value;
  const pane = { size, width, view, isHeld, largest };
  const top = left && isHeld.value ? left : right;
  return (
    <div class="viewer" ref={root} style={{ "--shape": size.width / size.height }}>
      {shownLayout === "side" && left ? (
        <div class="beside">
          {[left, top].map((shown, k) => (
            <Pane key={k} {...pane}>
              {layer(shown)}
              <span class="tag">{shown.label}</span>
            </Pane>
          ))}
        </div>
      ) : (
        <Pane {...pane} divider={shownLayout === "slider" ? divider : undefined}>
          {layer(top)}
          {isDivided && left && layer(left, divider.value)}
          {isDivided && left && <Divider place={divider} left={left} right={right} />}
          {isDivided && left && divider.value > 0.2 && <span class="tag">{left.label}</span>}
          {(!isDivided || divider.value < 0.8) && <span class="tag right">{top.label}</span>}
        </Pane>
      )}
      <div class="tools">
        {left && <Layouts />}
        {left && <HoldButton isHeld={isHeld} label={left.label} />}
        <ZoomTools view={view} zoom={zoom} reset={reset} pixels={(width.value * view.value.scale) / size.width} />
      </div>
    </div>
  );
}

const Layouts = () => (
  <fieldset class="segments">
    <legend class="heard">Layout</legend>
    {Object.entries(layouts).map(([name, label]) => (
      <label key={name}>
        <input
          type="radio"
          name="layout"
          checked={layout.value === name}
          onChange={() => {
            layout.value = name as Layout;
          }}
        />
        {label}
      </label>
    ))}
  </fieldset>
);

/** Shows the left picture while it is pressed. */
function HoldButton({ isHeld, label }: { readonly isHeld: Signal<boolean>; readonly label: string }) {
  const hold = (value: boolean) => () => {
    isHeld.value = value;
  };
  const isPress = ({ key }: KeyboardEvent): boolean => key === " " || key === "Enter";
  return (
    <button
      type="button"
      class="hold"
      aria-pressed={isHeld.value}
      onPointerDown={hold(true)}
      onPointerUp={hold(false)}
      onPointerLeave={hold(false)}
      onBlur={hold(false)}
      onKeyDown={(event) => isPress(event) && hold(true)()}
      onKeyUp={(event) => isPress(event) && hold(false)()}
    >
      Hold for {label.toLowerCase()}
    </button>
  );
}

interface ZoomProps {
  readonly view: ReadonlySignal<View>;
  readonly zoom: (factor: number) => void;
  readonly reset: () => void;
  /** Pixels of the screen that a pixel of the picture fills. */
  readonly pixels: number;
}

const ZoomTools = ({ view, zoom, reset, pixels }: ZoomProps) => (
  <div class="zoom">
    <button type="button" onClick={() => zoom(1 / STEP)} disabled={view.value.scale <= 1} aria-label="Zoom out">
      −
    </button>
    <output aria-label="Zoom">{pixels > 0 ? `${Math.round(100 * pixels)} %` : ""}</output>
    <button type="button" onClick={() => zoom(STEP)} aria-label="Zoom in">
      +
    </button>
    <button type="button" onClick={reset} disabled={view.value.scale <= 1}>
      Fit
    </button>
  </div>
);

interface KeyTargets {
  readonly view: Signal<View>;
  readonly isHeld: Signal<boolean>;
  readonly zoom: (factor: number) => void;
  readonly reset: () => void;
}

function useViewerKeys(root: { readonly current: Element | null }, { view, isHeld, zoom, reset }: KeyTargets): void {
  // The keys are those of the whole result, not of the viewer alone.
  const part = {
    get current() {
      return root.current?.closest(".stage") ?? root.current;
    },
  };
  const down = ({ key, target }: KeyboardEvent): boolean => {
    const arrow = arrows[key];
    if (key === "b" || key === " ") isHeld.value = true;
    else if (key === "+" || key === "=") zoom(STEP);
    else if (key === "-") zoom(1 / STEP);
    else if (key === "0") reset();
    else if (key === "1") layout.value = "slider";
    else if (key === "2") layout.value = "side";
    else if (key === "3") layout.value = "one";
    else if (arrow && view.value.scale > 1 && !(target as Element).matches("input"))
      view.value = panned(view.value, arrow);
    else return false;
    return true;
  };
  useKeys(part, {
    down,
    up: ({ key }) => {
      if (key === "b" || key === " ") isHeld.value = false;
    },
  });
}

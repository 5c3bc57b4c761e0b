import { useSignal } from "@preact/signals";
import type { MadePicture } from "../../../src/server/api/index.ts";
import { runAgain, type ShownJob } from "../state/index.ts";
import { choosePictures } from "../view/pair.ts";
import { isMade, nearest, requestAt, type StripPoint } from "./stripPoints.ts";

/** Step of the slider. The edits that the library tries lie at multiples of 1/16. */
const step = 1 / 80;
/** Shares nearer to an edit that was made are drawn to it while the slider is dragged. */
const magnet = 0.03;

interface StripProps {
  readonly job: ShownJob;
  /** Edits that it moves through. */
  readonly points: readonly StripPoint[];
  /** The picture on the stage. */
  readonly shown: MadePicture;
}

/** A slider from "as the photo" to "as the prompt". It moves through the edits that were made, and makes others. */
export function Strip({ job, points, shown }: StripProps) {
  const position = useSignal<number | undefined>(undefined);
  const isDragged = useSignal(false);
  const { request } = job;
  if (request.kind !== "edit" || points.length === 0) return null;
  const own = points.find(({ made }) => made.name === shown.name);
  // The stage may show a picture that is not on the strip, such as the reconstruction.
  const keep = position.value ?? own?.keep ?? points[0].keep;
  const isNew = !isMade(points, keep);
  const make = (): void => void (isNew && runAgain(requestAt(request, keep)));
  const move = (to: number): void => {
    const near = nearest(points, to);
    const reach = isDragged.value ? magnet : step / 2;
    const snapped = near && Math.abs(near.keep - to) <= reach ? near.keep : to;
    position.value = snapped;
    const point = nearest(points, snapped);
    if (point) choosePictures(job.id, { right: point.made.name });
  };
  return (
    <div class="strip">
      <label for="strip">Strength</label>
      <div class="strip-track">
        <input
          id="strip"
          type="range"
          min={0}
          max={1}
          step={step}
          value={1 - keep}
          aria-valuetext={valueText(points, keep)}
          onInput={({ currentTarget }) => move(1 - currentTarget.valueAsNumber)}
          onPointerDown={() => {
            isDragged.value = true;
          }}
          onPointerUp={() => {
            isDragged.value = false;
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            make();
          }}
        />
        <div class="ticks" aria-hidden="true">
          {points.map((point) => (
            <i
              key={point.keep}
              class={point.isChosen ? "tick chosen" : "tick"}
              style={{ left: `${100 * (1 - point.keep)}%` }}
            />
          ))}
        </div>
      </div>
      <p class="ends">
        <small>as the photo</small>
        {isNew ? (
          <button type="button" class="link" onClick={make}>
            Make the edit at keep {share(keep)}
          </button>
        ) : (
          <small>
            keep {share(keep)}
            {nearest(points, keep)?.isChosen && ", chosen automatically"}
          </small>
        )}
        <small>as the prompt</small>
      </p>
    </div>
  );
}

/** "0.5" or "0.44". */
const share = (keep: number): string => String(Number(keep.toFixed(2)));

const valueText = (points: readonly StripPoint[], keep: number): string =>
  `keep ${Math.round(100 * keep)} % of the photo${isMade(points, keep) ? "" : ", not made yet: press Enter to make it"}`;

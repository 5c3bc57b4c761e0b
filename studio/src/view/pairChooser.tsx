import { choosePictures } from "./pair.ts";
import { PHOTO, type Shown } from "./shown.ts";

interface ChooserProps {
  readonly id: string;
  readonly options: readonly Shown[];
  readonly left: string;
  readonly right: string;
}

/** Chooses the two pictures of the viewer. */
export function PairChooser({ id, options, left, right }: ChooserProps) {
  const select = (side: "left" | "right", label: string, chosen: string) => (
    <label>
      {label}
      <select value={chosen} onChange={({ currentTarget }) => choosePictures(id, { [side]: currentTarget.value })}>
        {options
          .filter(({ key }) => side === "left" || key !== PHOTO)
          .map((one) => (
            <option key={one.key} value={one.key}>
              {one.label}
            </option>
          ))}
      </select>
    </label>
  );
  return (
    <p class="row pair">
      {select("left", "Left", left)}
      {select("right", "Right", right)}
    </p>
  );
}

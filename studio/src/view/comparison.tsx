import { useSignal } from "@preact/signals";
import type { CompareRequest, MadePicture } from "../../../src/server/api/index.ts";
import { capabilities, pictureUrl, type ShownJob } from "../state/index.ts";
import { PictureNotes } from "./notes.tsx";
import { choosePictures, pairOf } from "./pair.ts";
import { methodNamed } from "./settings.ts";
import { PHOTO, shownMade, shownPhoto } from "./shown.ts";
import { Viewer } from "./viewer.tsx";
import { decibels, duration } from "./words.ts";

interface Props {
  readonly job: ShownJob;
  readonly request: CompareRequest;
}

const secondsOf = ({ costs }: MadePicture): number => (costs ? costs.prepare.seconds + costs.edit.seconds : Infinity);

/** Ways to order the methods of a comparison. */
const orders = {
  made: { label: "as made", by: () => 0 },
  seconds: { label: "fastest first", by: (a: MadePicture, b: MadePicture) => secondsOf(a) - secondsOf(b) },
  // null: there is no difference.
  likeness: {
    label: "most like the photo first",
    by: (a: MadePicture, b: MadePicture) => (b.psnr === null ? Infinity : (b.psnr ?? 0)) - (a.psnr ?? Infinity),
  },
  prompt: {
    label: "most like the prompt first",
    by: (a: MadePicture, b: MadePicture) => (b.clipScore ?? 0) - (a.clipScore ?? 0),
  },
} as const;

/** Shows the edits of several methods: two of them large, all of them as a grid. */
export function Comparison({ job, request }: Props) {
  const order = useSignal<keyof typeof orders>("made");
  const pictures = job.result?.pictures ?? job.made ?? [];
  const hasScores = pictures.some(({ clipScore }) => clipScore !== undefined);
  if (pictures.length === 0) return <Failures job={job} />;
  const pair = pairOf(job.id, pictures[0].name);
  const photo = shownPhoto(request);
  const find = (key: string): MadePicture | undefined => pictures.find(({ name }) => name === key);
  const made = find(pair.right) ?? pictures[0];
  const other = find(pair.left);
  return (
    <>
      <Viewer
        left={other ? shownMade(other, other.name) : photo}
        right={shownMade(made, made.name)}
        size={made.picture}
      />
      <label class="row">
        Order
        <select
          value={order.value}
          onChange={({ currentTarget }) => {
            order.value = currentTarget.value as keyof typeof orders;
          }}
        >
          {Object.entries(orders)
            .filter(([name]) => name !== "prompt" || hasScores)
            .map(([name, { label }]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
        </select>
      </label>
      <ul class="cells" aria-label="Methods">
        <li class={pair.left === PHOTO ? "cell left" : "cell"}>
          <img
            src={photo.src}
            alt=""
            style={{ objectFit: photo.fitted, aspectRatio: `${made.picture.width} / ${made.picture.height}` }}
          />
          <h3>Photo</h3>
          <LeftButton job={job} name={PHOTO} label="the photo" isLeft={other === undefined} />
        </li>
        {[...pictures].sort(orders[order.value].by).map((one) => (
          <Cell key={one.name} job={job} made={one} isLeft={one === other} isRight={one === made} />
        ))}
      </ul>
      <Failures job={job} />
      {job.result && <PictureNotes job={job} made={made} />}
    </>
  );
}

interface CellProps {
  readonly job: ShownJob;
  readonly made: MadePicture;
  readonly isLeft: boolean;
  readonly isRight: boolean;
}

function Cell({ job, made, isLeft, isRight }: CellProps) {
  const { name, picture, psnr, clipScore } = made;
  const seconds = secondsOf(made);
  const facts = [
    ...(Number.isFinite(seconds) ? [duration(seconds)] : []),
    ...(psnr === undefined ? [] : [`${decibels(psnr)} to the photo`]),
    ...(clipScore === undefined ? [] : [`CLIP ${clipScore.toFixed(2)}`]),
  ];
  return (
    <li class={`cell${isLeft ? " left" : ""}${isRight ? " right" : ""}`}>
      <button
        type="button"
        class="picture"
        aria-pressed={isRight}
        aria-label={`Show ${name} large`}
        onClick={() => choosePictures(job.id, { right: name })}
      >
        <img src={pictureUrl(picture.id, 256)} alt="" width={picture.width} height={picture.height} loading="lazy" />
      </button>
      <h3 title={methodNamed(capabilities.value!, name)?.title}>{name}</h3>
      <small>{facts.join(" · ")}</small>
      <LeftButton job={job} name={name} label={name} isLeft={isLeft} />
    </li>
  );
}

interface LeftProps {
  readonly job: ShownJob;
  readonly name: string;
  readonly label: string;
  readonly isLeft: boolean;
}

/** Puts a picture on the left of the viewer. */
const LeftButton = ({ job, name, label, isLeft }: LeftProps) => (
  <button
    type="button"
    class="small"
    aria-pressed={isLeft}
    aria-label={`${isLeft ? "On the left" : "Compare with this"}: ${label}`}
    onClick={() => choosePictures(job.id, { left: name })}
  >
    {isLeft ? "On the left" : "Compare with this"}
  </button>
);

/** Methods that failed or could not take part, with the reason. */
function Failures({ job }: { readonly job: ShownJob }) {
  const failures = job.result?.failures ?? [];
  if (failures.length === 0) return null;
  return (
    <ul class="failures" aria-label="Methods without a picture">
      {failures.map(({ method, error }) => (
        <li key={method}>
          <b>{method}</b> {error.message} {error.advice}
        </li>
      ))}
    </ul>
  );
}

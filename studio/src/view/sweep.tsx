import type { SweepRequest } from "../../../src/server/api/index.ts";
import { capabilities, pictureUrl, type ShownJob } from "../state/index.ts";
import { type Grid, type GridCell, gridOf } from "./grid.ts";
import { PictureNotes } from "./notes.tsx";
import { choosePictures, pairOf } from "./pair.ts";
import { PairChooser } from "./pairChooser.tsx";
import { methodNamed, optionNamed, valueText } from "./settings.ts";
import { shownMade, shownPhoto } from "./shown.ts";
import { Viewer } from "./viewer.tsx";
import { counted, spaced } from "./words.ts";

interface Props {
  readonly job: ShownJob;
  readonly request: SweepRequest;
}

/** Shows the edits of a sweep as a table, and one of them large beside the photo or another one. */
export function Sweep({ job, request }: Props) {
  const pictures = job.result?.pictures ?? job.made ?? [];
  const method = methodNamed(capabilities.value!, request.method);
  const grid = gridOf(request, pictures, job.result?.columns, {
    nameOf: spaced,
    textOf: (name, value) => valueText(optionNamed(method, name), value),
  });
  if (pictures.length === 0) return <Table job={job} grid={grid} shown={undefined} />;
  const pair = pairOf(job.id, pictures[0].name);
  const made = pictures.find(({ name }) => name === pair.right) ?? pictures[0];
  const labels = new Map(grid.rows.flatMap(({ cells }) => cells.map(({ name, label }) => [name, label] as const)));
  const photo = shownPhoto(request);
  const options = [photo, ...pictures.map((one) => shownMade(one, labels.get(one.name) ?? one.name))];
  const left = options.find(({ key }) => key === pair.left) ?? photo;
  const right = options.find(({ key }) => key === made.name) ?? photo;
  return (
    <>
      <Viewer left={left} right={right} size={made.picture} />
      <PairChooser id={job.id} options={options} left={left.key} right={right.key} />
      <Table job={job} grid={grid} shown={made.name} />
      {job.result && (
        <>
          <p class="note">The photo was inverted once, and {counted(pictures.length, "edit")} used that inversion.</p>
          <PictureNotes job={job} made={made} />
        </>
      )}
    </>
  );
}

interface TableProps {
  readonly job: ShownJob;
  readonly grid: Grid;
  /** Name of the picture on the stage. */
  readonly shown: string | undefined;
}

const Table = ({ job, grid: { axes, columns, rows }, shown }: TableProps) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the focus, so that keys can scroll it
  <section class="scroll" aria-label="Edits" tabIndex={0}>
    <table class="sweep">
      {axes && (
        <thead>
          <tr>
            <td>{axes.rows}</td>
            <th scope="col" colSpan={columns.length}>
              {axes.columns}
            </th>
          </tr>
          <tr>
            <td />
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
      )}
      <tbody>
        {rows.map(({ head, cells }) => (
          <tr key={cells[0].name}>
            <th scope="row">{head}</th>
            {cells.map((cell) => (
              <td key={cell.name}>
                <Place job={job} cell={cell} isShown={cell.name === shown} hasLabel={!axes} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);

interface PlaceProps {
  readonly job: ShownJob;
  readonly cell: GridCell;
  readonly isShown: boolean;
  readonly hasLabel: boolean;
}

function Place({ job, cell: { name, label, made }, isShown, hasLabel }: PlaceProps) {
  if (!made) return <div class="missing" role="img" aria-label={`${label}: not finished`} />;
  return (
    <button
      type="button"
      class="picture"
      aria-pressed={isShown}
      aria-label={label}
      onClick={() => choosePictures(job.id, { right: name })}
    >
      <img src={pictureUrl(made.picture.id, 256)} alt="" loading="lazy" />
      {hasLabel && <small>{label}</small>}
    </button>
  );
}

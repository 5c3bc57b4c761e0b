import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Job, JobId } from "../../../src/server/api/index.ts";
import { pictureUrl, runAgain, selectedId } from "../state/index.ts";
import { addressOf } from "./address.ts";
import { methodsOf } from "./filter.ts";
import { duration } from "./words.ts";

interface Props {
  readonly jobs: readonly Job[];
  readonly selected: Signal<ReadonlySet<JobId>>;
  readonly onDelete: (ids: readonly JobId[]) => void;
}

/** Index of the thumbnail that a key leads to, in a grid that fills rows of `columns`. Undefined: the key is none of these. */
export function destination(key: string, at: number, count: number, columns: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: 0,
    End: count - 1,
  };
  const next = steps[key];
  if (next === undefined) return undefined;
  return next >= 0 && next < count ? next : at;
}

/** Thumbnails of results. One of them is in the order of the Tab key; arrow keys go to the others. */
export function Gallery({ jobs, selected, onDelete }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const current = useSignal(0);
  const at = Math.min(current.value, jobs.length - 1);

  const links = (): HTMLAnchorElement[] => [...list.current!.querySelectorAll("a")];
  const toggle = (id: JobId): void => {
    const next = new Set(selected.value);
    if (!next.delete(id)) next.add(id);
    selected.value = next;
  };
  const press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof HTMLAnchorElement)) return;
    const all = links();
    const tops = all.map((link) => link.getBoundingClientRect().top);
    const columns = tops.filter((top) => top === tops[0]).length;
    const next = destination(event.key, at, jobs.length, columns);
    const { id } = jobs[at];
    if (next !== undefined) {
      current.value = next;
      all[next].focus();
    } else if (event.key === "x") toggle(id);
    else if (event.key === "Delete") {
      onDelete(selected.value.has(id) ? [...selected.value] : [id]);
      // The focus goes to the result that takes its place.
      requestAnimationFrame(() => links()[Math.min(at, links().length - 1)]?.focus());
    } else return;
    event.preventDefault();
  };

  return (
    <ul class="gallery" ref={list} onKeyDown={press} aria-label="Results">
      {jobs.map((job, k) => (
        <Thumbnail
          key={job.id}
          job={job}
          isCurrent={k === at}
          isSelected={selected.value.has(job.id)}
          onFocus={() => {
            current.value = k;
          }}
          onToggle={() => toggle(job.id)}
          onDelete={() => onDelete([job.id])}
        />
      ))}
    </ul>
  );
}

interface ThumbnailProps {
  readonly job: Job;
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  readonly onFocus: () => void;
  readonly onToggle: () => void;
  readonly onDelete: () => void;
}

const kindNames = { edit: "", compare: "comparison", sweep: "sweep", attention: "attention" } as const;

function Thumbnail({ job, isCurrent, isSelected, onFocus, onToggle, onDelete }: ThumbnailProps) {
  const { id, request, result, created } = job;
  const pictures = result?.pictures ?? [];
  // A comparison, a sweep and attention maps show their first pictures: four or two, so that no place is empty.
  const count = pictures.length < 4 ? 2 : 4;
  const shown =
    request.kind === "edit" ? [pictures.find(({ name }) => name === "edit") ?? pictures[0]] : pictures.slice(0, count);
  const isCancelled = job.state === "cancelled";
  const facts = [
    ...(isCancelled ? ["cancelled"] : []),
    kindNames[request.kind] || methodsOf(job)[0],
    ...(result ? [duration(result.seconds)] : []),
  ];
  const tab = isCurrent ? 0 : -1;
  return (
    <li
      class={`thumbnail${isSelected ? " selected" : ""}${selectedId.value === id ? " shown" : ""}`}
      onFocusCapture={onFocus}
    >
      <a
        href={addressOf(id)}
        tabIndex={tab}
        aria-current={selectedId.value === id}
        title={new Date(created).toLocaleString("en-GB")}
      >
        <span class={shown.length > 1 ? "mosaic" : "mosaic single"}>
          {isCancelled && <img class="faded" src={pictureUrl(request.photo, 256)} alt="" loading="lazy" />}
          {shown.map(
            (made) => made && <img key={made.name} src={pictureUrl(made.picture.id, 256)} alt="" loading="lazy" />,
          )}
        </span>
        <span class="prompt">{request.target}</span>
        <small>{facts.filter(Boolean).join(" · ")}</small>
      </a>
      {isCancelled && (
        <button
          type="button"
          class="small"
          tabIndex={tab}
          onClick={() => runAgain(request)}
          aria-label={`Run again: ${request.target}`}
        >
          Run again
        </button>
      )}
      <label class="select">
        <input type="checkbox" checked={isSelected} tabIndex={tab} onChange={onToggle} />
        <span class="heard">Select {request.target}</span>
      </label>
      <button type="button" class="delete" tabIndex={tab} onClick={onDelete} aria-label={`Delete ${request.target}`}>
        ×
      </button>
    </li>
  );
}

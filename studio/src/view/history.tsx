import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job, JobId } from "../../../src/server/api/index.ts";
import { asBackendError, backend, methods, models } from "../state/index.ts";
import { fileName, type PictureFile, saveZip } from "./archive.ts";
import { deleteLater, deleteWhenLeaving, deletionError } from "./deletion.ts";
import type { Filter } from "./filter.ts";
import {
  everyFound,
  filter,
  found,
  hasOlder,
  isLoading,
  keepDropped,
  keepFound,
  loadError,
  loadOlder,
  search,
} from "./found.ts";
import { Gallery } from "./gallery.tsx";
import { Undo } from "./undo.tsx";
import { counted } from "./words.ts";

const kinds = { edit: "edits", compare: "comparisons", sweep: "sweeps", attention: "attention maps" } as const;

/** Pictures of some jobs, as files of a zip. */
async function* filesOf(jobs: AsyncIterable<Job> | Iterable<Job>): AsyncGenerator<PictureFile> {
  for await (const job of jobs) {
    for (const made of job.result?.pictures ?? []) {
      yield { name: fileName(job, made), read: () => backend().picture(made.picture.id) };
    }
  }
}

/** All jobs that are done or were cancelled: search, filters, thumbnails, downloads, deletion. */
export function History() {
  const selected = useSignal<ReadonlySet<JobId>>(new Set());
  const state = useSignal<{ readonly text: string; readonly isProblem?: boolean }>({ text: "" });
  useEffect(keepFound, []);
  useEffect(keepDropped, []);
  useEffect(deleteWhenLeaving, []);
  const shown = found.value;
  const chosen = shown.filter(({ id }) => selected.value.has(id));

  const save = async (jobs: AsyncIterable<Job> | Iterable<Job>): Promise<void> => {
    const name = `baret-${new Date().toISOString().slice(0, 10)}.zip`;
    let saved = 0;
    try {
      const isSaved = await saveZip(filesOf(jobs), name, (count) => {
        saved = count;
        state.value = { text: `Reading picture ${count}…` };
      });
      state.value = { text: isSaved ? `${name} has ${counted(saved, "picture")}.` : "" };
    } catch (error) {
      state.value = { text: `The zip was not saved: ${asBackendError(error).message}`, isProblem: true };
    }
  };

  const remove = (ids: readonly JobId[]): void => {
    selected.value = new Set([...selected.value].filter((id) => !ids.includes(id)));
    deleteLater(ids);
  };

  return (
    <section class="history" aria-label="History">
      <div class="history-head">
        <h2>History</h2>
        <Filters />
        <p class="row">
          <button
            type="button"
            onClick={() => save(chosen.length > 0 ? chosen : everyFound())}
            disabled={!shown.some(({ state }) => state === "done")}
          >
            {chosen.length > 0 ? `Zip of ${chosen.length} selected` : "Zip of all"}
          </button>
          {chosen.length > 0 && (
            <>
              <button type="button" onClick={() => remove(chosen.map(({ id }) => id))}>
                Delete {chosen.length} selected
              </button>
              <button
                type="button"
                class="link"
                onClick={() => {
                  selected.value = new Set();
                }}
              >
                Select none
              </button>
            </>
          )}
        </p>
      </div>
      <p class={state.value.isProblem ? "problem" : "note"} role="status">
        {state.value.text}
      </p>
      {deletionError.value && (
        <p class="problem" role="alert">
          Not deleted: {deletionError.value.message}
        </p>
      )}
      <Gallery jobs={shown} selected={selected} onDelete={remove} />
      <Foot />
      <Undo />
    </section>
  );
}

function Filters() {
  const choice = (name: keyof Filter, label: string, values: readonly (readonly [string, string])[]) => (
    <label>
      <span class="heard">{label}</span>
      <select
        value={filter.value[name] ?? ""}
        onChange={({ currentTarget: { value } }) => {
          filter.value = { ...filter.value, [name]: value || undefined };
        }}
      >
        <option value="">all {label}</option>
        {values.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
  const named = (all: readonly { readonly name: string }[]) => all.map(({ name }) => [name, name] as const);
  return (
    <search class="row">
      <label>
        <span class="heard">Search in prompts</span>
        <input
          type="search"
          placeholder="Search in prompts"
          value={search.value}
          onInput={({ currentTarget }) => {
            search.value = currentTarget.value;
          }}
        />
      </label>
      {choice("kind", "kinds", Object.entries(kinds))}
      {choice("method", "methods", named(methods.value))}
      {models.value.length > 1 && choice("model", "models", named(models.value))}
    </search>
  );
}

/** The end of the list: what is missing, and how to see more. */
function Foot() {
  const isFiltered = search.value.trim() !== "" || Object.values(filter.value).some((value) => value !== undefined);
  const isEmpty = found.value.length === 0;
  return (
    <div class="history-foot">
      {loadError.value && (
        <p class="problem" role="alert">
          The history could not be read: {loadError.value.message}
        </p>
      )}
      {isEmpty && !isLoading.value && !loadError.value && (
        <p class="note">{isFiltered ? "No result matches." : "Results appear here."}</p>
      )}
      {hasOlder.value && (
        <button type="button" onClick={loadOlder} disabled={isLoading.value}>
          {isEmpty ? "Search older results" : "Show older results"}
        </button>
      )}
    </div>
  );
}

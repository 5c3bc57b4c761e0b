import { computed, signal } from "@preact/signals";
import type { ChosenModel } from "../../../src/server/web/chosen/chosenModels.ts";
import type { ModelOnDisk } from "../../../src/server/web/chosen/inspect.ts";
import type { ChosenPlace } from "../../../src/server/web/chosen/place.ts";
import type { BackendError } from "../backend.ts";
import { asBackendError, backend, capabilities, jobs, modelName } from "../state/index.ts";
import type { Calls } from "./calls.ts";
import { permitted, pickFile, pickFolder } from "./pick.ts";

/** What the dialog for choosing a model shows. */
export type Choosing =
  | { readonly step: "choose" }
  | { readonly step: "inspect"; readonly name: string }
  | { readonly step: "ask"; readonly id: string; readonly facts: ModelOnDisk }
  | { readonly step: "read"; readonly id: string; readonly facts: ModelOnDisk; readonly share: number };

/** Undefined: the dialog is closed. */
export const choosing = signal<Choosing | undefined>(undefined);
/** Why the last choice cannot be used. */
export const refusal = signal<BackendError | undefined>(undefined);

/** Chosen models of this browser. */
const chosen = signal<readonly ChosenModel[]>([]);
/** Those that must be opened again, with the number of edits that wait for them. */
export const closedModels = computed(() =>
  chosen.value
    .filter(({ isOpen }) => !isOpen)
    .map((model) => {
      const own = [...jobs.value.values()].filter(
        ({ state, request }) => state === "queued" && request.model === model.name,
      );
      return { ...model, waiting: own.length };
    }),
);
/** Why a model cannot be opened again, by its name. */
export const reopenProblems = signal<ReadonlyMap<string, BackendError>>(new Map());

let calls: Calls;

/** Keeps the chosen models as the worker tells, for ever. */
export function watchModels(worker: Calls): void {
  calls = worker;
  const read = async (): Promise<void> => {
    chosen.value = await calls.ask("chosenModels");
    capabilities.value = await backend().capabilities();
  };
  const readAgain = (): void => void read().catch(() => undefined);
  calls.listen((news) => {
    if (news.news === "models" || news.news === "place") readAgain();
    const now = choosing.value;
    if (news.news === "reading" && now?.step === "read" && now.id === news.id)
      choosing.value = { ...now, share: news.total > 0 ? news.done / news.total : 0 };
  });
  readAgain();
}

/** Opens the dialog. */
export function chooseModel(): void {
  refusal.value = undefined;
  choosing.value = { step: "choose" };
}

/** Closes the dialog, and stops what it does. */
export function stopChoosing(): void {
  const now = choosing.value;
  choosing.value = undefined;
  if (now && "id" in now) void calls.ask("dropModel", now.id).catch(() => undefined);
}

const nameOf = (place: ChosenPlace): string =>
  "file" in place ? place.file.name : "files" in place ? place.folder : place.handle.name;

/** Lets the person choose a file or a folder, and finds out what it is. */
export async function choose(what: "file" | "folder"): Promise<void> {
  try {
    const place = await (what === "file" ? pickFile() : pickFolder());
    if (!place) return;
    refusal.value = undefined;
    choosing.value = { step: "inspect", name: nameOf(place) };
    const { id, facts } = await calls.ask("inspectModel", place);
    // Closed meanwhile.
    if (choosing.value?.step !== "inspect") return void (await calls.ask("dropModel", id));
    choosing.value = { step: "ask", id, facts };
  } catch (error) {
    if (choosing.value === undefined) return;
    refusal.value = asBackendError(error);
    choosing.value = { step: "choose" };
  }
}

/** Adds the model that was inspected, and chooses it for the next edit. */
export async function load({ id, facts }: Choosing & { readonly step: "ask" }): Promise<void> {
  choosing.value = { step: "read", id, facts, share: 0 };
  try {
    const name = await calls.ask("addModel", id);
    capabilities.value = await backend().capabilities();
    modelName.value = name;
    choosing.value = undefined;
  } catch (error) {
    if (choosing.value === undefined) return;
    refusal.value = asBackendError(error);
    choosing.value = { step: "choose" };
  }
}

function setReopenProblem(name: string, problem: BackendError | undefined): void {
  const others = [...reopenProblems.value].filter(([other]) => other !== name);
  reopenProblems.value = new Map(problem ? [...others, [name, problem]] : others);
}

/** Opens a model of an earlier visit: asks for its permission, or lets the person choose it again. */
export async function reopen({ name, handle }: ChosenModel, what: "file" | "folder" = "file"): Promise<void> {
  setReopenProblem(name, undefined);
  try {
    if (handle) {
      if (await permitted(handle)) await calls.ask("reopenModel", name);
      return;
    }
    const place = await (what === "file" ? pickFile() : pickFolder());
    if (place) await calls.ask("reopenModel", name, place);
  } catch (error) {
    setReopenProblem(name, asBackendError(error));
  }
}

/** Forgets a model. Its files stay. */
export async function forget(name: string): Promise<void> {
  await calls.ask("forgetModel", name).catch((error: unknown) => setReopenProblem(name, asBackendError(error)));
}

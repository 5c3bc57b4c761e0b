import { CheckpointError, few, MemoryError, type Progress, StorageError, UsageError } from "../../../core/index.ts";
import type { Platform } from "../../../diffusion/index.ts";
import type { KeptValues } from "../../../storage/web/index.ts";
import { type Checkpoint, openCheckpoint } from "../../../weights/index.ts";
import type { ModelDescription } from "../../api/index.ts";
import { checkpointFacts } from "../../modelFacts.ts";
import { inspect, type ModelOnDisk, type Runs } from "./inspect.ts";
import { type ChosenHandle, type ChosenPlace, type FileHashes, mayRead, nameOf, openHashed } from "./place.ts";

/** A chosen model as the browser's database keeps it. */
export interface KeptModel {
  readonly description: ModelDescription;
  readonly runs: Runs;
  /** Absent if the browser has no handles: the person must choose the model again after a reload. */
  readonly handle?: ChosenHandle;
  readonly hashes: FileHashes;
}

/** A chosen model as the page shows it. */
export interface ChosenModel extends Pick<KeptModel, "handle"> {
  readonly name: string;
  /** False after a reload, until the person permits it again or chooses it again. */
  readonly isOpen: boolean;
}

/** A model that is inspected, and perhaps being added. */
interface Candidate {
  readonly place: ChosenPlace;
  readonly checkpoint: Checkpoint;
  readonly facts: ModelOnDisk;
  readonly hashes: FileHashes;
  readonly stop: AbortController;
}

interface Entry extends KeptModel {
  /** Absent as long as the page may not read it. */
  place?: ChosenPlace;
}

/** Digits of a model's hash in its name, so that two models of one name are told apart. */
const HASH_DIGITS = 8;

/** The models that a person chose on their disk. Their files stay where they are; handles are kept where the browser can. */
export class ChosenModels {
  private readonly kept: KeptValues<KeptModel>;
  private readonly platform: Platform;
  private readonly entries = new Map<string, Entry>();
  private readonly candidates = new Map<string, Candidate>();

  private constructor(kept: KeptValues<KeptModel>, platform: Platform) {
    this.kept = kept;
    this.platform = platform;
  }

  /** Opens those of earlier visits. A browser without a database has none. */
  static async open(kept: KeptValues<KeptModel>, platform: Platform): Promise<ChosenModels> {
    const models = new ChosenModels(kept, platform);
    const found = await kept.all().catch((error: unknown) => {
      if (error instanceof StorageError) return [];
      throw error;
    });
    for (const model of found) {
      const { handle } = model;
      const isOpen = handle !== undefined && (await mayRead(handle));
      models.entries.set(model.description.name, { ...model, ...(isOpen && { place: { handle } }) });
    }
    return models;
  }

  descriptions(): ModelDescription[] {
    return [...this.entries.values()].map(({ description }) => description);
  }

  list(): ChosenModel[] {
    return [...this.entries.values()].map(({ description: { name }, handle, place }) => ({
      name,
      isOpen: place !== undefined,
      ...(handle && { handle }),
    }));
  }

  /** Where a model runs. Undefined if none of this name was chosen. */
  runsOf(name: string): Runs | undefined {
    return this.entries.get(name)?.runs;
  }

  /** False for a chosen model that the page may not read now. */
  isReady(name: string): boolean {
    const entry = this.entries.get(name);
    return !entry || entry.place !== undefined;
  }

  /** Opens a chosen model's checkpoint. Throws CheckpointError if it is gone, broken or not open. */
  async checkpoint(name: string): Promise<Checkpoint> {
    const { place, hashes } = this.entry(name);
    if (place) return openCheckpoint(await openHashed(place, hashes));
    throw new CheckpointError("the model is not open", { where: name, advice: "Open it again on this page." });
  }

  /** Finds out what was chosen. Returns a name for `add`. Throws CheckpointError if it is no model that can be used. */
  async inspect(place: ChosenPlace): Promise<{ readonly id: string; readonly facts: ModelOnDisk }> {
    const hashes: FileHashes = new Map();
    const checkpoint = await openCheckpoint(await openHashed(place, hashes));
    const facts = await inspect(checkpoint, nameOf(place), this.platform);
    const id = crypto.randomUUID();
    this.candidates.set(id, { place, checkpoint, facts, hashes, stop: new AbortController() });
    return { id, facts };
  }

  /**
   * Adds what was inspected, and returns its name. Reads all its files once, for their hash. Throws MemoryError if it does not fit,
   * CancelledError if it is dropped meanwhile.
   */
  async add(id: string, onProgress: (progress: Progress) => void): Promise<string> {
    const candidate = this.candidates.get(id);
    if (!candidate) throw new UsageError("nothing was chosen", { advice: "Choose the model again." });
    const { place, facts, hashes, stop, checkpoint } = candidate;
    if (facts.problem !== undefined) throw new MemoryError(facts.problem);
    const found = await checkpointFacts(checkpoint, this.platform, { onProgress, signal: stop.signal });
    const name = `${facts.name} (${found.sha256.slice(0, HASH_DIGITS)})`;
    const { device, precision, memory } = facts;
    const description = { name, ...found, hasJudge: false, memory: memory.baret };
    await this.keep({
      description,
      runs: { device, precision },
      hashes,
      place,
      ...("handle" in place && { handle: place.handle }),
    });
    this.candidates.delete(id);
    return name;
  }

  /** Forgets what was inspected, and stops adding it. */
  drop(id: string): void {
    this.candidates.get(id)?.stop.abort("dropped");
    this.candidates.delete(id);
  }

  /**
   * Opens a model of an earlier visit, whose handle may be read now. place: what the person chose instead. Throws CheckpointError
   * if that is another model, or if its files are gone.
   */
  async reopen(name: string, place?: ChosenPlace): Promise<void> {
    const entry = this.entry(name);
    const chosen = place ?? (entry.handle && { handle: entry.handle });
    if (!chosen) throw new CheckpointError("the model must be chosen again", { where: name });
    const { hashes, description } = entry;
    const checkpoint = await openCheckpoint(await openHashed(chosen, hashes));
    const { sha256 } = await checkpointFacts(checkpoint, this.platform);
    if (sha256 !== description.sha256) {
      throw new CheckpointError("this is another model, or it has changed", {
        where: nameOf(chosen),
        found: sha256.slice(0, HASH_DIGITS),
        expected: description.sha256.slice(0, HASH_DIGITS),
        advice: "Add it as a new model.",
      });
    }
    await this.keep({ ...entry, place: chosen, ...("handle" in chosen && { handle: chosen.handle }) });
  }

  /** Forgets a model. Its files stay. */
  async forget(name: string): Promise<void> {
    this.entries.delete(name);
    await this.kept.delete(name);
  }

  private entry(name: string): Entry {
    const entry = this.entries.get(name);
    if (entry) return entry;
    const found = few([...this.entries.keys()]) || "none";
    throw new CheckpointError("no such model was chosen", { where: name, found, advice: "Choose it again." });
  }

  private async keep({ place, ...model }: Entry): Promise<void> {
    const { name } = model.description;
    this.entries.set(name, { ...model, place });
    // A browser that cannot keep it, such as in a private window, forgets it with the next reload.
    await this.kept.put(name, model).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error;
    });
  }
}

import { z } from "zod";
import { filesIn, removeFile, type StoredFolder, writeFile } from "../../storage/web/index.ts";
import { type JobId, job, jobEvent } from "../api/index.ts";
import type { JobStore, StoredJob } from "../page/index.ts";

const storedJob = z.object({ job, key: z.string(), events: z.array(jobEvent), used: z.number(), fruitless: z.int() });

/** Jobs in a folder of the browser's storage, each in a file. A file that another version has written and this one cannot read is dropped. */
export class JobFiles implements JobStore {
  private readonly folder: StoredFolder;

  constructor(folder: StoredFolder) {
    this.folder = folder;
  }

  async all(): Promise<readonly StoredJob[]> {
    const found: StoredJob[] = [];
    for await (const file of filesIn(this.folder)) {
      try {
        found.push(storedJob.parse(JSON.parse(await file.text())));
      } catch {
        await removeFile(this.folder, file.name);
      }
    }
    return found;
  }

  async save(stored: StoredJob): Promise<void> {
    await writeFile(this.folder, `${stored.job.id}.json`, JSON.stringify(stored));
  }

  delete(id: JobId): Promise<void> {
    return removeFile(this.folder, `${id}.json`);
  }
}

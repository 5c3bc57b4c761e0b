import { storageError } from "./errors.ts";

const STORE = "values";

const answered = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new DOMException("no reason given"));
  });

/**
 * Values that no file holds, such as the handles of files and folders that the user chose, in a database of the browser. All tabs
 * of a site share it.
 */
export class KeptValues<T> {
  private readonly name: string;

  /** name: of the database. */
  constructor(name: string) {
    this.name = name;
  }

  /** Returns all values, in the order of their keys. Throws StorageError if the browser keeps none. */
  all(): Promise<readonly T[]> {
    return this.with("readonly", (store) => store.getAll());
  }

  /** Keeps a value. Throws StorageError if the browser cannot keep it. */
  async put(key: string, value: T): Promise<void> {
    await this.with("readwrite", (store) => store.put(value, key));
  }

  /** Forgets a value, if there is one. Throws StorageError. */
  async delete(key: string): Promise<void> {
    await this.with("readwrite", (store) => store.delete(key));
  }

  private async with<R>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<R>): Promise<R> {
    try {
      const opening = indexedDB.open(this.name, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
      const database = await answered(opening);
      try {
        return await answered(use(database.transaction(STORE, mode).objectStore(STORE)));
      } finally {
        database.close();
      }
    } catch (cause) {
      throw storageError("the browser keeps no values for this page", this.name, cause);
    }
  }
}

import crypto from "node:crypto";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";

/** The key of the store below. */
const [KEY, SECRET] = ["S3RVER", "S3RVER"];

interface S3rver {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
}

/** An S3-compatible store of this machine with one bucket, "blobs". It checks signatures and hashes as the public one does. */
export interface LocalS3 {
  readonly endpoint: string;
  /** Replaces the bytes of an object behind the store's back. */
  readonly spoil: (key: string) => void;
  /** Lets an object look as if it had been stored at another time. */
  readonly age: (key: string, stored: Date) => void;
  readonly close: () => Promise<void>;
}

/** Lets the server hide the tokens of its lists by AES: it takes DES, which today's OpenSSL lacks. */
function replaceDes(): void {
  const { createCipheriv, createDecipheriv } = crypto;
  const twice = (bytes: unknown) => Buffer.concat([bytes as Buffer, bytes as Buffer]);
  vi.spyOn(crypto, "createCipheriv").mockImplementation(((name: string, key: Buffer, iv: Buffer) =>
    name === "des" ? createCipheriv("aes-128-cbc", twice(key), twice(iv)) : createCipheriv(name, key, iv)) as never);
  vi.spyOn(crypto, "createDecipheriv").mockImplementation(((name: string, key: Buffer, iv: Buffer) =>
    name === "des"
      ? createDecipheriv("aes-128-cbc", twice(key), twice(iv))
      : createDecipheriv(name, key, iv)) as never);
}

/** Starts a store, and names it in the environment. */
export async function startS3(): Promise<LocalS3> {
  replaceDes();
  const Server = createRequire(import.meta.url)("@20minutes/s3rver") as new (options: object) => S3rver;
  const directory = mkdtempSync(join(tmpdir(), "baret-s3-"));
  const options = { port: 0, address: "127.0.0.1", silent: true, directory, configureBuckets: [{ name: "blobs" }] };
  const server = new Server(options);
  const { port } = await server.run();
  const endpoint = `http://127.0.0.1:${port}`;
  vi.stubEnv("AWS_ENDPOINT_URL_S3", endpoint);
  vi.stubEnv("AWS_ACCESS_KEY_ID", KEY);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", SECRET);
  const pathOf = (key: string): string => join(directory, "blobs", `${key}._S3rver_object`);
  return {
    endpoint,
    spoil: (key) => writeFileSync(pathOf(key), "spoilt"),
    age: (key, stored) => utimesSync(pathOf(key), stored, stored),
    close: async () => {
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

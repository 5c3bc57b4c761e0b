import { z } from "zod";

/** SHA-256 of the bytes of a stored file, as 64 hexadecimal digits: its name, and the proof that it is whole. */
export const blobId = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits")
  .meta({ description: "SHA-256 of a stored file, as 64 hexadecimal digits" });

/** Random name of a job: 32 hexadecimal digits. */
export const jobId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "expected 32 hexadecimal digits")
  .meta({ description: "random name of a job: 32 hexadecimal digits" });

export type BlobId = string;
export type JobId = string;

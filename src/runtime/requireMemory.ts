import { MemoryError } from "../core/index.ts";

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** Throws MemoryError if `estimate`, the bytes that `what` needs, is more than is available. */
export function requireMemory(estimate: number, what: string, available: number, advice: string): void {
  if (estimate <= available) return;
  throw new MemoryError(`${what} needs more memory than is free`, {
    found: `${gigabytes(available)} free`,
    expected: gigabytes(estimate),
    advice,
  });
}

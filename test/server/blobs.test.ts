import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { UsageError } from "../../src/core/index.ts";
import type { BlobStore, StoredBlob } from "../../src/server/blobs.ts";
import { openBlobs } from "../../src/server/node/blobs/index.ts";
import { S3Blobs } from "../../src/server/node/blobs/s3.ts";
import { bucketOf } from "../../src/server/node/blobs/s3Client.ts";
import { startS3 } from "../support/s3.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
/** Random-looking bytes, more than one piece of a stream. */
const large = Uint8Array.from({ length: 3_000_000 }, (_, k) => (k * k) >> 7);
const noBlob = "0".repeat(64);

async function all(blobs: BlobStore): Promise<StoredBlob[]> {
  const found: StoredBlob[] = [];
  for await (const blob of blobs.list()) found.push(blob);
  return found;
}

async function bytesIn(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** A store to test, and a way to spoil one of its blobs from outside. */
interface Place {
  readonly blobs: BlobStore;
  readonly spoil: (id: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

function contract(open: () => Promise<Place>): void {
  let place: Place;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "baret-blobs-"));
    place = await open();
  });
  afterAll(async () => {
    await place?.close();
    rmSync(folder, { recursive: true });
  });

  test("a blob is named by its SHA-256 and comes back with the same bytes", async () => {
    const { blobs } = place;
    for (const bytes of [bytesOf("a photo"), new Uint8Array(0), large]) {
      const id = await blobs.put(bytes);
      expect(id).toBe(hash(bytes));
      expect(Buffer.from((await blobs.get(id))!).equals(bytes)).toBe(true);
      expect(await blobs.head(id)).toMatchObject({ id, bytes: bytes.length });
    }
  });

  test("a file becomes the same blob as its bytes, and comes back as a file", async () => {
    const { blobs } = place;
    const from = join(folder, "from");
    writeFileSync(from, large);
    expect(await blobs.putFile(from)).toBe(hash(large));
    const to = join(folder, "to");
    expect(await blobs.getFile(hash(large), to)).toBe(true);
    expect(readFileSync(to).equals(large)).toBe(true);
  });

  test("any part of a blob can be read, and its size is told before", async () => {
    const { blobs } = place;
    const id = await blobs.put(large);
    const opened = (await blobs.open(id))!;
    expect(opened.bytes).toBe(large.length);
    const ranges = [[], [0, 8], [5], [1_000_000, 2_500_000], [large.length - 3, large.length + 9], [7, 7]] as const;
    for (const range of ranges) {
      const read = await bytesIn(opened.read(...range));
      expect(read.equals(large.subarray(...range)), `${range}`).toBe(true);
    }
    expect(await blobs.open(noBlob)).toBeUndefined();
  });

  test("storing twice is storing once", async () => {
    const { blobs } = place;
    const ids = await Promise.all(Array.from({ length: 8 }, () => blobs.put(bytesOf("twice"))));
    expect(new Set(ids).size).toBe(1);
    expect((await all(blobs)).filter(({ id }) => id === ids[0])).toHaveLength(1);
  });

  test("a blob that is not there is undefined, and deleting it is no error", async () => {
    const { blobs } = place;
    expect(await blobs.get(noBlob)).toBeUndefined();
    expect(await blobs.head(noBlob)).toBeUndefined();
    expect(await blobs.getFile(noBlob, join(folder, "none"))).toBe(false);
    expect(readdirSync(folder)).not.toContain("none");
    await blobs.delete(noBlob);
  });

  test("the list has every blob once, with its size and a fresh time", async () => {
    const { blobs } = place;
    const before = Date.now();
    const ids = await Promise.all(["x", "y", "z"].map((text) => blobs.put(bytesOf(`list ${text}`))));
    const found = (await all(blobs)).filter(({ id }) => ids.includes(id));
    expect(found.map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const { bytes, stored } of found) {
      expect(bytes).toBe(6);
      // A store rounds times to seconds.
      expect(stored).toBeGreaterThan(before - 2000);
      expect(stored).toBeLessThan(Date.now() + 2000);
    }
  });

  test("a deleted blob is gone", async () => {
    const { blobs } = place;
    const id = await blobs.put(bytesOf("to delete"));
    await blobs.delete(id);
    expect(await blobs.get(id)).toBeUndefined();
    expect((await all(blobs)).map((blob) => blob.id)).not.toContain(id);
  });

  test("a spoilt blob is an error, and leaves no file", async () => {
    const { blobs } = place;
    const id = await blobs.put(bytesOf("to spoil"));
    await place.spoil(id);
    const error = { code: "storage", message: expect.stringContaining("damaged") };
    await expect(blobs.get(id)).rejects.toMatchObject(error);
    await expect(blobs.getFile(id, join(folder, "spoilt"))).rejects.toMatchObject(error);
    await expect(bytesIn((await blobs.open(id))!.read())).rejects.toMatchObject(error);
    expect(readdirSync(folder)).not.toContain("spoilt");
    await blobs.put(bytesOf("to spoil"));
    expect(Buffer.from((await blobs.get(id))!).toString()).toBe("to spoil");
  });

  test.each(["", "..", "../../etc/passwd", noBlob.toUpperCase().replace("0", "A"), `${noBlob}0`, `${noBlob}\n`])(
    "%j is no id",
    async (id) => {
      const { blobs } = place;
      for (const call of [blobs.get(id), blobs.head(id), blobs.delete(id), blobs.getFile(id, join(folder, "bad"))]) {
        await expect(call).rejects.toMatchObject({ code: "storage" });
      }
    },
  );

  test("a file that is missing is an error that names it", async () => {
    const { blobs } = place;
    const missing = join(folder, "missing");
    await expect(blobs.putFile(missing)).rejects.toMatchObject({ code: "storage", details: { where: missing } });
  });
}

describe("blobs of a folder", () => {
  contract(async () => {
    const folder = mkdtempSync(join(tmpdir(), "baret-blobs-"));
    return {
      blobs: await openBlobs(join(folder, "made/on demand")),
      spoil: async (id) => {
        writeFileSync(join(folder, "made/on demand", id.slice(0, 2), id.slice(2, 4), id), "spoilt");
      },
      close: async () => rmSync(folder, { recursive: true }),
    };
  });

  test("a folder that cannot be made is an error that names it", async () => {
    await expect(openBlobs("/proc/blobs")).rejects.toMatchObject({
      code: "storage",
      details: { where: "/proc/blobs" },
    });
  });
});

describe("blobs of an S3-compatible store", () => {
  contract(async () => {
    const store = await startS3();
    return {
      blobs: await openBlobs("s3://blobs/some/prefix"),
      spoil: async (id) => store.spoil(`some/prefix/${id}`),
      close: store.close,
    };
  });

  const keys = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

  test("prefixes of one bucket are apart, and lists of more than a page are whole", async () => {
    const store = await startS3();
    const one = await S3Blobs.open(bucketOf("s3://blobs/one"), { page: 2 });
    const other = await openBlobs("s3://blobs");
    const ids = await Promise.all(["a", "b", "c", "d", "e"].map((text) => one.put(bytesOf(text))));
    expect((await all(one)).map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(await all(other)).toEqual([]);
    await store.close();
  });

  describe("a large file, stored in parts", () => {
    const parts = { whole: 6 << 20, part: 5 << 20 };
    const bytes = Buffer.alloc(11 << 20, large);
    const from = join(tmpdir(), `baret-parts-${process.pid}`);
    const openIn = async (prefix: string) => {
      const store = await startS3();
      const methods: string[] = [];
      const real = globalThis.fetch;
      /** Called before each request; what it returns is the store's answer. */
      const meddle = vi.fn<(method: string, url: URL) => Response | undefined>(() => undefined);
      vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
        const url = new URL(`${input}`);
        methods.push(
          `${init?.method} ${["uploads", "partNumber", "uploadId"].filter((name) => url.searchParams.has(name))}`,
        );
        return meddle(init?.method ?? "", url) ?? real(input, init);
      });
      const blobs = await S3Blobs.open(bucketOf(`s3://blobs/${prefix}`), parts);
      onTestFinished(async () => {
        vi.restoreAllMocks();
        rmSync(from, { force: true });
        await store.close();
      });
      writeFileSync(from, bytes);
      return { blobs, methods, meddle };
    };

    test("comes back with the same bytes", async () => {
      const { blobs, methods } = await openIn("whole");
      const id = await blobs.putFile(from);
      expect(id).toBe(hash(bytes));
      expect(methods.filter((method) => method.startsWith("PUT"))).toHaveLength(3);
      expect(await blobs.head(id)).toMatchObject({ bytes: bytes.length });
      expect(Buffer.from((await blobs.get(id))!).equals(bytes)).toBe(true);
    });

    test("of which a part fails, is stored all the same", async () => {
      const { blobs, meddle } = await openIn("faulty");
      let faults = 0;
      meddle.mockImplementation((_, url) =>
        url.searchParams.get("partNumber") === "2" && faults++ === 0 ? new Response("", { status: 503 }) : undefined,
      );
      const id = await blobs.putFile(from);
      expect(faults).toBe(2);
      expect(Buffer.from((await blobs.get(id))!).equals(bytes)).toBe(true);
    });

    test("that changes meanwhile, or that the store refuses at the end, leaves nothing", async () => {
      const { blobs, methods, meddle } = await openIn("changed");
      meddle.mockImplementation((_, url) => {
        if (url.searchParams.get("partNumber") === "1") writeFileSync(from, Buffer.alloc(bytes.length));
        return undefined;
      });
      await expect(blobs.putFile(from)).rejects.toMatchObject({ message: expect.stringContaining("changed") });
      meddle.mockImplementation((method, url) =>
        method === "POST" && url.searchParams.has("uploadId")
          ? new Response("<Error><Code>InternalError</Code></Error>")
          : undefined,
      );
      await expect(blobs.putFile(from)).rejects.toMatchObject({ message: expect.stringContaining("InternalError") });
      expect(methods.filter((method) => method === "DELETE uploadId")).toHaveLength(2);
      expect(await all(blobs)).toEqual([]);
    });
  });

  test("a wrong key and a missing bucket are errors with advice", async () => {
    const store = await startS3();
    await expect(openBlobs("s3://nothing")).rejects.toMatchObject({
      code: "storage",
      details: { advice: "Make the bucket first." },
    });
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "wrong");
    const refused = { code: "storage", message: expect.stringContaining("found 403") };
    await expect(openBlobs("s3://blobs")).rejects.toMatchObject(refused);
    await store.close();
  });

  test.each([
    ["no keys", "s3://blobs", {}],
    ["no bucket", "s3://", keys],
    ["capitals in a bucket", "s3://Blobs", keys],
    ["a bucket of one letter", "s3://b/prefix", keys],
    ["an endpoint that is no URL", "s3://blobs", { ...keys, AWS_ENDPOINT_URL_S3: "store.example" }],
    ["an endpoint of another kind", "s3://blobs", { ...keys, AWS_ENDPOINT_URL: "file:///etc" }],
  ])("%s is refused", (_, place, env) => {
    expect(() => bucketOf(place, env)).toThrow(UsageError);
  });

  test("a store that answers 503, or breaks off, is asked again", async () => {
    let faults = 0;
    const real = globalThis.fetch;
    const store = await startS3();
    const blobs = await openBlobs("s3://blobs/faulty");
    vi.spyOn(globalThis, "fetch").mockImplementation(async (...request) => {
      faults++;
      if (faults % 3 === 1) return new Response("<Error><Code>SlowDown</Code></Error>", { status: 503 });
      if (faults % 3 === 2) throw new TypeError("fetch failed", { cause: new Error("ECONNRESET") });
      return real(...request);
    });
    const from = join(tmpdir(), `baret-faulty-${process.pid}`);
    writeFileSync(from, large);
    const id = await blobs.putFile(from);
    expect(Buffer.from((await blobs.get(id))!).equals(large)).toBe(true);
    expect(faults).toBe(9); // head, put and get, each after two faults
    rmSync(from);
    vi.restoreAllMocks();
    await store.close();
  });
});

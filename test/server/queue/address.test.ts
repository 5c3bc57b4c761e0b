import { expect, test } from "vitest";
import { UsageError } from "../../../src/core/index.ts";
import { openQueue } from "../../../src/server/node/queue/index.ts";

test.each(["jobs", "mysql://me:secret@db/jobs", "me:secret@db/jobs", "/var/lib/jobs"])(
  "%s is refused, since it is no address of a Postgres database, and its password is not told",
  async (database) => {
    const error = await openQueue({ database }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(/expected postgres:\/\/USER:PASSWORD@HOST/);
    expect((error as Error).message).not.toContain("secret");
  },
);

import { expect, test } from "vitest";
import type { Job } from "../../src/server/api/index.ts";
import { testServer } from "../support/server.ts";

const server = await testServer();

test("a photo is stored, a job runs, its picture comes back", async () => {
  const photo = await server.photo();
  const submitted = await server.ask("/api/v1/jobs", { body: { kind: "edit", photo, target: "a dog lying down" } });
  expect(submitted.status).toBe(202);
  const { id } = (await submitted.json()) as Job;
  const waiting = server.ask(`/api/v1/jobs/${id}/result?wait=10`);
  await server.finish();
  const result = await waiting;
  expect(result.status).toBe(200);
  expect(result.headers.get("content-type")).toBe("image/png");
});

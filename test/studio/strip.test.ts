import { expect, test } from "vitest";
import { editRequest, type Job, type MadePicture } from "../../src/server/api/index.ts";
import { isMade, nearest, requestAt, stripPoints } from "../../studio/src/stage/stripPoints.ts";

const picture = (id: number) => ({ id: id.toString(16).padStart(64, "0"), width: 128, height: 128 });

interface Facts {
  readonly options?: Record<string, unknown>;
  readonly target?: string;
  readonly strip?: readonly number[];
  readonly chosen?: number;
}

let made = 0;
function jobOf({ options = {}, target = "a dog", strip, chosen }: Facts): Job {
  const at = (name: string, keep?: number): MadePicture => ({ name, picture: picture(++made), keep });
  return {
    id: (++made).toString(16).padStart(32, "0"),
    request: editRequest.parse({ kind: "edit", photo: picture(0).id, target, options }),
    state: "done",
    created: new Date(made).toISOString(),
    attempts: 1,
    result: {
      pictures: [at("edit"), at("reconstruction")],
      ...(strip && { strip: strip.map((keep) => at(`keep ${keep}`, keep)) }),
      ...(chosen !== undefined && { strength: { keep: chosen } }),
      settings: {},
      reusedPreparation: false,
      warnings: [],
      seconds: 1,
    },
  };
}

test("the edits of a job and of jobs of another strength are in order, each once", () => {
  const job = jobOf({ strip: [1, 0.5, 0], chosen: 0.5 });
  const between = jobOf({ options: { keep: 0.25 } });
  const points = stripPoints(job, [job, between]);
  expect(points.map(({ keep, isChosen }) => [keep, isChosen])).toEqual([
    [1, false],
    [0.5, true],
    [0.25, false],
    [0, false],
  ]);
  expect(points[1].made).toBe(job.result?.pictures[0]);
  expect(points[2].made).toEqual({ ...between.result?.pictures[0], name: "keep 0.25" });
});

test("seen from the other job, its own edit keeps its name", () => {
  const [job, between] = [jobOf({ strip: [1, 0], chosen: 1 }), jobOf({ options: { keep: 0.25 } })];
  const points = stripPoints(between, [job, between]);
  expect(points.find(({ keep }) => keep === 0.25)?.made.name).toBe("edit");
  expect(points.map(({ keep }) => keep)).toEqual([1, 0.25, 0]);
});

test("edits that differ in more than the strength are not mixed", () => {
  const job = jobOf({ strip: [1, 0], chosen: 1 });
  const others = [jobOf({ target: "a cat", options: { keep: 0.3 } }), jobOf({ options: { keep: 0.4, steps: 20 } })];
  expect(stripPoints(job, [job, ...others]).map(({ keep }) => keep)).toEqual([1, 0]);
});

test("an edit of a fixed strength has no place on the strip", () => {
  const job = jobOf({ options: { strength: "fixed" } });
  expect(stripPoints(job, [job])).toEqual([]);
});

test("the nearest edit, and whether there is one", () => {
  const job = jobOf({ strip: [1, 0.5, 0], chosen: 0.5 });
  const points = stripPoints(job, []);
  expect(nearest(points, 0.3)?.keep).toBe(0.5);
  expect(nearest(points, 0.2)?.keep).toBe(0);
  expect(isMade(points, 0.5)).toBe(true);
  expect(isMade(points, 0.51)).toBe(false);
});

test("a new edit differs from its job in the strength alone", () => {
  const { request } = jobOf({ options: { strength: "auto", steps: 20 } });
  if (request.kind !== "edit") throw new Error("not an edit");
  expect(requestAt(request, 0.3)).toEqual({ ...request, options: { steps: 20, keep: 0.3 } });
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../src/graph/index.ts";
import { noBrowser } from "../support/browser.ts";
import { titled } from "../support/needs.ts";
import { type OrtPage, openOrtPage } from "../support/ortPage.ts";
import { allCases, outputsOf, subjectOf, wrongResults } from "./subject.ts";

describe.skipIf(noBrowser)(titled("on WebAssembly in Chromium", noBrowser), () => {
  let page: OrtPage;
  beforeAll(async () => {
    page = await openOrtPage("wasm");
  });
  afterAll(() => page.close());

  test.each(allCases)("%s: value and gradients agree with the reference", async (_, op, one) => {
    const subject = subjectOf(op, one);
    const program = compile(outputsOf(subject), { name: op, bind: () => "fed" });
    expect(wrongResults(subject, await page.run(program, subject.feeds))).toEqual([]);
  });
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { editCommand } from "../../src/cli/edit/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { fixturePath } from "../support/files.ts";
import { folderWithPhoto, inProcess } from "../support/inProcess.ts";

// Methods besides BARET, on the command line.

const at = folderWithPhoto();

const edit = (...args: string[]): Promise<string> =>
  inProcess(
    ...["edit", at("photo.png"), "a dog lying down", "--model", fixturePath("tiny-sd1"), "--size", "64"],
    ...["--threads", "1", "--steps", "5", ...args],
  );

test.each([
  { method: "sdedit", given: ["--strength", "0.6", "--seed", "3"], settings: { strength: 0.6, seed: 3 } },
  { method: "negative-prompt", given: ["--source", "a dog standing"], settings: { source: "a dog standing" } },
])("$method edits, records its settings, and --like repeats it to the byte", async ({ method, given, settings }) => {
  const [first, again] = [at(`${method}.png`), at(`${method}-2.png`)];
  await edit("--method", method, ...given, "-o", first);
  expect((await readRecord(first)).settings).toMatchObject({ method, ...settings });
  await inProcess("edit", "--like", first, "-o", again);
  expect(readFileSync(again)).toEqual(readFileSync(first));
});

test("every picture of negative-prompt is written with --save-all", async () => {
  await edit("--method", "negative-prompt", "--source", "a dog", "--save-all", "-o", at("all.png"));
  expect((await readRecord(at("all-reconstruction.png"))).image).toBe("reconstruction");
});

test("a missing caption is an error before the model is loaded, and it names the methods that need none", async () => {
  const missing = edit("--method", "negative-prompt", "--model", at("no-model"), "-o", at("x.png"));
  await expect(missing).rejects.toThrow(
    /^--source: negative-prompt needs a caption of the photo: found nothing, expected what the photo shows, in quotes, or auto if the model has a judge\.\nMethods that need none: baret, plain, (?!.*negative).*sdedit.*\.$/,
  );
});

test("a caption that a method does not use gives a warning that names the methods that use one, and changes nothing", async () => {
  const own = ["--method", "sdedit", "--json"];
  const { warnings } = JSON.parse(await edit(...own, "--source", "a dog", "-o", at("captioned.png")));
  expect(warnings).toContainEqual(
    expect.stringMatching(
      /^the caption of the photo has no effect: sdedit does not use one; these do: (?!.*(baret|sdedit)).*masactrl.*negative-prompt/,
    ),
  );
  const without = JSON.parse(await edit(...own, "-o", at("plain.png"))).warnings;
  expect(without).not.toContainEqual(expect.stringContaining("caption"));
  expect(readFileSync(at("captioned.png"))).toEqual(readFileSync(at("plain.png")));
});

test("a wrong strength and an option of another method are one error", async () => {
  await expect(edit("--method", "sdedit", "--strength", "2", "--alpha", "1", "-o", at("x.png"))).rejects.toThrow(
    /--alpha: not an option of sdedit, but of baret\n {2}--strength: found "2", expected 0\.\.1/,
  );
});

test("methods lists the needs of each; help shows --seed only for methods that draw random numbers", async () => {
  const listed = await inProcess("methods");
  expect(listed).toMatch(/^sdedit: .*\n.*\n {2}needs: a photo, a target prompt; draws random numbers \(--seed\)$/m);
  expect(listed).toMatch(/^negative-prompt: .*\n.*\n {2}needs: a photo, a target prompt, a caption of the photo$/m);
  expect(listed).toMatch(
    /^masactrl: .*\n.*\n {2}needs: a photo, a target prompt; uses a caption of the photo if there is one$/m,
  );
  // A switch is listed as the flag that changes it.
  expect(listed).toMatch(/ --no-early-stop +use all iterations/);
  expect(listed).toMatch(/ --nearest-start +start each step/);
  const { methods } = JSON.parse(await inProcess("methods", "--json"));
  const named = methods.map(({ name, needs }: { name: string; needs: object }) => [name, needs]);
  expect(Object.fromEntries(named)).toMatchObject({
    baret: { caption: "unused", randomSeed: false },
    masactrl: { caption: "optional" },
    "negative-prompt": { caption: "required" },
  });
  const helpOf = (method: string): string => {
    const command = editCommand();
    command.setOptionValueWithSource("method", method, "cli");
    return command.helpInformation();
  };
  expect(helpOf("sdedit")).toContain("--seed <n>");
  expect(helpOf("negative-prompt")).not.toContain("--seed");
  expect(helpOf("negative-prompt")).toContain("--source <prompt>");
});

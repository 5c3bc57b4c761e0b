import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "training/README.md",
  "checkpoints/menagerie/README.md",
  ...readdirSync(`${root}docs`).map((name) => `docs/${name}`),
];

/** A command of a page. */
interface Command {
  readonly page: string;
  readonly options: readonly string[];
}

/** Commands by the benchmark's name. A command "of commit …" is that of an older program. */
const commands = new Map<string, Command[]>();
for (const page of pages.filter((path) => path.endsWith(".md"))) {
  const text = readFileSync(`${root}${page}`, "utf8");
  for (const [, name, rest, older] of text.matchAll(/\bbench -- ([a-z]+)([^`\n]*)(`? of commit [0-9a-f]{7})?/g)) {
    if (older) continue;
    const options = [...rest.matchAll(/ --([a-z][a-z-]*)/g)].map(([, option]) => option);
    commands.set(name, [...(commands.get(name) ?? []), { page, options }]);
  }
}

afterEach(() => void vi.restoreAllMocks());

test.each([...commands])("the pages give `bench -- %s` options that it has", async (name, given) => {
  const log = vi.spyOn(console, "log").mockReturnValue();
  vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  const { main } = (await import(`../../bench/${name}/main.ts`)) as { main(args: readonly string[]): Promise<void> };
  await expect(main(["--help"])).rejects.toThrow("exit 0");
  const help = `${log.mock.calls[0][0]}`;
  const unknown = given.flatMap(({ page, options }) =>
    options
      .filter((option) => !new RegExp(`^ {2}--${option} `, "m").test(help))
      .map((option) => `${page}: --${option}`),
  );
  expect(unknown).toEqual([]);
});

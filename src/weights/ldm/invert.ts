/** The name that a table of original names to new ones gives `name` for. */
export const originalOf = (table: ReadonlyMap<string, string>, name: string): string | undefined =>
  [...table].find(([, renamed]) => renamed === name)?.[0];

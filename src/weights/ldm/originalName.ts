/** Returns the original name that `table`, a map of original names to diffusers' names, has for `name`. */
export const originalName = (table: ReadonlyMap<string, string>, name: string): string | undefined =>
  [...table].find(([, renamed]) => renamed === name)?.[0];

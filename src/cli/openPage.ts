/** Opens a page in the user's browser, if a person is there. Without a browser, the user still has the address. */
export async function openPage(url: string): Promise<void> {
  if (!process.stderr.isTTY) return;
  const { default: openInBrowser } = await import("open");
  const browser = await openInBrowser(url).catch(() => undefined);
  browser?.on("error", () => undefined);
}

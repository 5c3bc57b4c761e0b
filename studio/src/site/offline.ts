import { signal } from "@preact/signals";

/** True if a new version of the page is ready. */
export const hasUpdate = signal(false);

/** Longest time to wait for the service worker at the first visit. */
const PATIENCE_MS = 8000;
/** Remembers in this tab that it was loaded again to get threads. */
const LOADED_AGAIN = "baret-loaded-again";

let registration: ServiceWorkerRegistration | undefined;

/**
 * Registers the service worker, which keeps the page for use offline. If the host sends no headers for threads, the page is loaded
 * again once, so that the service worker sends them. Resolves when the page can start; without a service worker it can, too.
 */
export async function startOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    registration = await navigator.serviceWorker.register("./sw.js");
  } catch {
    // A browser that refuses it has no offline use and one thread.
    return;
  }
  watchUpdates(registration);
  if (crossOriginIsolated || sessionStorage.getItem(LOADED_AGAIN)) return;
  // A page that was loaded past the service worker is not controlled by it, but the next load is.
  if (!navigator.serviceWorker.controller && !registration.active) await takenOver();
  if (!navigator.serviceWorker.controller && !registration.active) return;
  sessionStorage.setItem(LOADED_AGAIN, "yes");
  location.reload();
  await new Promise<never>(() => undefined);
}

/** Waits until a service worker controls the page, but not for long. */
const takenOver = (): Promise<void> =>
  new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true });
    setTimeout(resolve, PATIENCE_MS);
  });

function watchUpdates(registered: ServiceWorkerRegistration): void {
  const watch = (): void => {
    const { installing, waiting } = registered;
    if (waiting && navigator.serviceWorker.controller) hasUpdate.value = true;
    installing?.addEventListener("statechange", () => {
      if (installing.state === "installed" && navigator.serviceWorker.controller) hasUpdate.value = true;
    });
  };
  watch();
  registered.addEventListener("updatefound", watch);
}

/** Lets the service worker fetch the engine too, so that the first edit needs no network. Without a service worker, nothing is kept. */
export function keepEngine(): void {
  if (registration) void navigator.serviceWorker.ready.then(({ active }) => active?.postMessage("keep engine"));
}

/** Uses the new version: loads the page again. Jobs go on from their last step. */
export function useUpdate(): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration?.waiting?.postMessage("take over");
}

import { ServerClient } from "../../src/server/client/client.ts";
import { type Failure, unreachable } from "../../src/server/client/failure.ts";
import { type Backend, BackendError } from "./backend.ts";
import { errorOf } from "./failure.ts";

/** Returns a failure of a server as the studio shows it. */
function errorOfServer(failure: Failure): BackendError {
  if (failure.code !== unreachable) return errorOf(failure);
  const advice = "Start it again with npx baret serve. Its queue is kept.";
  return new BackendError("The server does not answer.", { code: failure.code, advice });
}

/** Speaks to the native API of a server. base: URL of the studio's page. token: the server's, if it demands one. */
export function httpBackend(base: string, token?: string): Backend {
  const client = new ServerClient(base, { isPage: true, errorOf: errorOfServer, ...(token && { token }) });
  return {
    place: "server",
    capabilities: () => client.capabilities(),
    addPhoto: (file) => client.addPhoto(file, { type: file.type }),
    submit: (request) => client.submit(request),
    job: (id) => client.job(id),
    jobs: (query) => client.jobs(query),
    cancel: (id) => client.cancel(id),
    cancelAll: () => client.cancelAll(),
    remove: (ids) => client.remove(ids),
    removeLeaving: (ids) => void client.remove(ids, true).catch(() => undefined),
    pictureUrl: (id, side) => client.pictureUrl(id, side),
    picture: async (id) => new Blob([await client.picture(id)], { type: "image/png" }),
    async follow(id, onEvent, signal) {
      try {
        for await (const event of client.events(id, signal)) onEvent(event);
      } catch (error) {
        // A reader that leaves needs no more.
        if (!signal.aborted) throw error;
      }
    },
  };
}

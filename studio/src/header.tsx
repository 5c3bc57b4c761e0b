import { backend, capabilities, connection, lastFailure } from "./state/index.ts";
import { Keys } from "./view/keysDialog.tsx";

/** Name of the page, and the state of the connection if it is not open. */
export const Header = () => (
  <header class="header">
    <h1>
      baret <small>studio</small>
    </h1>
    <output class="connection">{statusText()}</output>
    <Keys />
  </header>
);

/** Says why edits cannot start now. "": they can. */
function statusText(): string {
  const failure = lastFailure.value;
  if (connection.value === "lost" && failure?.code === "unreachable")
    return "No connection to the server. Trying again… Its queue is kept.";
  if (connection.value === "lost" && failure?.code !== "not_ready") return failure?.message ?? "";
  return capabilities.value && !capabilities.value.ready
    ? `The ${backend().place === "server" ? "server" : "page"} is starting…`
    : "";
}

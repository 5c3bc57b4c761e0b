import { connection } from "./state/index.ts";
import { Keys } from "./view/keysDialog.tsx";

/** Name of the page, and the state of the connection if it is not open. */
export const Header = () => (
  <header class="header">
    <h1>
      baret <small>studio</small>
    </h1>
    <output class="connection">
      {connection.value === "lost" ? "No connection to the server. Trying again… Its queue is kept." : ""}
    </output>
    <Keys />
  </header>
);

import { render } from "preact";
import "./styles/main.css";
import { App } from "./app.tsx";
import { httpBackend } from "./http.ts";
import { startKeys } from "./keys.ts";
import { keepFollowing, keepInSync, setBackend } from "./state/index.ts";
import { keepAddress } from "./view/address.ts";

/** Takes the server's token out of the page's address, so that it is in no history and no bookmark. */
function takeToken(): string | undefined {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

setBackend(httpBackend(document.baseURI, takeToken()));
startKeys();
keepAddress();
keepFollowing();
void keepInSync();
const root = document.getElementById("app");
if (root) render(<App />, root);

import { render } from "preact";
import "./styles/main.css";
import { App } from "./app.tsx";
import { httpBackend } from "./http.ts";
import { setBackend } from "./state/index.ts";
import { keepFollowing, keepInSync } from "./state/sync.ts";
import { keepAddress } from "./view/address.ts";

setBackend(httpBackend(document.baseURI));
keepAddress();
keepFollowing();
void keepInSync();
const root = document.getElementById("app");
if (root) render(<App />, root);

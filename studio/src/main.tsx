import { render } from "preact";
import "./styles/main.css";
import { App } from "./app.tsx";
import { httpBackend } from "./http.ts";
import { startKeys } from "./keys.ts";
import { keepFollowing, keepInSync, setBackend } from "./state/index.ts";
import { keepAddress } from "./view/address.ts";

setBackend(httpBackend(document.baseURI));
startKeys();
keepAddress();
keepFollowing();
void keepInSync();
const root = document.getElementById("app");
if (root) render(<App />, root);

import { render } from "preact";
import "../styles/main.css";
import "../styles/notice.css";
import { App } from "../app.tsx";
import { startKeys } from "../keys.ts";
import { keepFollowing, keepInSync, setBackend } from "../state/index.ts";
import { keepAddress } from "../view/address.ts";
import { Calls } from "./calls.ts";
import { ChooseModel } from "./chooseModel.tsx";
import { localBackend } from "./local.ts";
import { watchModels } from "./models.ts";
import { Notice } from "./notice.tsx";
import { startOffline } from "./offline.ts";
import { watchWorker } from "./state.ts";

await startOffline();
const worker = new Worker(new URL("../../../src/server/web/worker.ts", import.meta.url), {
  type: "module",
  // The worker learns from it where the page is.
  name: new URL("./", document.baseURI).href,
});
const calls = new Calls(worker);
setBackend(localBackend(calls));
watchWorker(calls);
watchModels(calls);
startKeys();
keepAddress();
keepFollowing();
void keepInSync();
const root = document.getElementById("app");
if (root) {
  render(
    <>
      <App notice={<Notice />} />
      <ChooseModel />
    </>,
    root,
  );
}

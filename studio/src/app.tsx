import type { ComponentChildren } from "preact";
import { Compose } from "./edit/compose.tsx";
import { DropTarget } from "./edit/dropTarget.tsx";
import { Queue } from "./edit/queue.tsx";
import { Settings } from "./edit/settings.tsx";
import { Header } from "./header.tsx";
import { Stage } from "./stage/stage.tsx";
import { said, selectedJob } from "./state/index.ts";
import { History } from "./view/history.tsx";

/** The whole page: a notice if there is one, the form and its settings beside the stage, and the history below. */
export const App = ({ notice }: { notice?: ComponentChildren }) => (
  <>
    <Header />
    <main>
      {notice}
      <div class={selectedJob.value ? "layout with-job" : "layout"}>
        <div class="side">
          <Compose />
          <Queue />
        </div>
        <Stage />
        <Settings />
      </div>
      <History />
    </main>
    <DropTarget />
    <p class="heard" role="status">
      <span key={said.value.count}>{said.value.text}</span>
    </p>
  </>
);

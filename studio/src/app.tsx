import { Inputs } from "./edit/inputs.tsx";
import { Queue } from "./edit/queue.tsx";
import { Header } from "./header.tsx";
import { Stage } from "./stage/stage.tsx";
import { said } from "./state/index.ts";
import { History } from "./view/history.tsx";

/** The whole page: inputs and queue beside the stage, and the history below. */
export const App = () => (
  <>
    <Header />
    <main class="layout">
      <div class="side">
        <Inputs />
        <Queue />
      </div>
      <Stage />
      <History />
    </main>
    <p class="heard" role="status" key={said.value.count}>
      {said.value.text}
    </p>
  </>
);

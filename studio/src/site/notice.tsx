import { Refusal } from "../parts/refusal.tsx";
import { counted } from "../view/words.ts";
import { closedModels, forget, reopen, reopenProblems } from "./models.ts";
import { hasUpdate, useUpdate } from "./offline.ts";
import { download, isElsewhere, room } from "./state.ts";

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** Seconds until the rest of the model is here, at the speed so far. Undefined while nothing is known of it. */
function secondsLeft({ done, total, began, had }: NonNullable<typeof download.value>): number | undefined {
  const seconds = (performance.now() - began) / 1000;
  return done > had && seconds > 0.5 ? ((total - done) * seconds) / (done - had) : undefined;
}

/** Tells if the whole model is in this browser. */
const isHere = (): boolean => download.value !== undefined && download.value.done >= download.value.total;

/** Progress of the model's download, until it is here. */
function Download() {
  const now = download.value;
  if (!now || isHere()) return null;
  const left = secondsLeft(now);
  return (
    <div class="download" role="status">
      <progress value={now.done} max={now.total} aria-label="Download of the model" />
      <p>
        Model: {megabytes(now.done)} of {megabytes(now.total)}, once.
        {left !== undefined && ` The first edit can begin in about ${Math.max(1, Math.ceil(left))} s.`}
        {now.problem && <span class="bad"> {now.problem}</span>}
      </p>
    </div>
  );
}

/** Shows how much is stored in this browser, and says what happens if there is no more room. */
function Room() {
  const facts = room.value;
  if (!facts || facts.bytes < 1e6) return null;
  return (
    <>
      {" "}
      Results take {megabytes(facts.bytes)} of at most {megabytes(facts.limit)}; beyond that, those that were not opened
      for longest are deleted.
      {facts.forgotten > 0 && ` Deleted since the page was opened: ${counted(facts.forgotten, "result")}.`}
    </>
  );
}

/** Models of earlier visits that must be opened again. */
const Closed = () => (
  <>
    {closedModels.value.map((model) => {
      const { name, handle, waiting } = model;
      const problem = reopenProblems.value.get(name);
      return (
        <div key={name} class="closed-model">
          <p>
            {waiting > 0 && `${counted(waiting, "edit")} ${waiting === 1 ? "waits" : "wait"} for the model ${name}. `}
            {handle
              ? `The browser needs your permission to read the model ${name} again.`
              : `Choose the model ${name} again: this browser does not remember where it is.`}{" "}
            {handle ? (
              <button type="button" class="link" onClick={() => reopen(model)}>
                Open it
              </button>
            ) : (
              <>
                <button type="button" class="link" onClick={() => reopen(model, "file")}>
                  Choose its file
                </button>{" "}
                or{" "}
                <button type="button" class="link" onClick={() => reopen(model, "folder")}>
                  its folder
                </button>
              </>
            )}{" "}
            or{" "}
            <button type="button" class="link" onClick={() => forget(name)}>
              forget it
            </button>
          </p>
          {problem && <Refusal error={problem} />}
        </div>
      );
    })}
  </>
);

/** What a person should know of a page that does all work in their browser. */
export const Notice = () => (
  <section class="notice" aria-label="This page" aria-busy={!isHere()}>
    <p>
      Photos and edits stay in this browser: nothing is sent anywhere.
      <Room />
    </p>
    {isElsewhere.value && (
      <p>Another tab of this page computes. This one shows the same edits, and goes on if that one is closed.</p>
    )}
    <Download />
    <Closed />
    {hasUpdate.value && (
      <p>
        A new version of this page is ready.{" "}
        <button type="button" class="link" onClick={useUpdate}>
          Use it
        </button>{" "}
        An edit that runs goes on from its last step.
      </p>
    )}
  </section>
);

import type { ComponentChildren } from "preact";
import { Refusal } from "../parts/refusal.tsx";
import { Dialog } from "../view/dialog.tsx";
import { type Choosing, choose, choosing, load, refusal, stopChoosing } from "./models.ts";

const gigabytes = (bytes: number): string =>
  bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

const Fact = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

/** What a model is, where it would run and what that takes. */
function Facts({ facts }: { facts: (Choosing & { step: "ask" })["facts"] }) {
  const { device, adapter, noGpu, precision, memory, size, parameters, bytes, dtypes } = facts;
  const isGpu = device === "webgpu";
  return (
    <dl class="model-facts">
      <Fact name="Model">{facts.kind}</Fact>
      <Fact name="Weights">
        {Math.round(parameters / 1e5) / 10} million parameters, {gigabytes(bytes)} on the disk as {dtypes.join(" and ")}
      </Fact>
      <Fact name="Runs on">
        {isGpu ? (
          <>the graphics card, by WebGPU: {adapter}</>
        ) : (
          <>
            the processor, by WebAssembly, which is slow and has at most 4 GB of memory. Not on a graphics card: {noGpu}
          </>
        )}
      </Fact>
      <Fact name="Precision">
        {precision === "float16"
          ? "float16, and float32 for gradients. If a test on the graphics card shows that float16 is wrong or no faster, all in float32, with more memory"
          : "float32"}
      </Fact>
      <Fact name="Memory">
        at {size.width} × {size.height} pixels about {gigabytes(memory.baret)}
        {isGpu && " of the graphics card"} for BARET, which tunes the prompt to the photo, and {gigabytes(memory.plain)}{" "}
        for methods that tune nothing, such as plain
      </Fact>
    </dl>
  );
}

const Choose = () => (
  <>
    <p>
      Stable Diffusion 1.x, and models made from it, edit any photo. Choose one on this computer: it stays there, and
      nothing is sent anywhere.
    </p>
    <div class="row">
      <button type="button" class="main" onClick={() => choose("file")}>
        One file (.safetensors)…
      </button>
      <button type="button" class="main" onClick={() => choose("folder")}>
        A folder of diffusers…
      </button>
    </div>
  </>
);

const Ask = ({ now }: { now: Choosing & { step: "ask" } }) => (
  <>
    <Facts facts={now.facts} />
    {now.facts.warnings.map((warning) => (
      <p key={warning}>{warning}.</p>
    ))}
    {now.facts.problem ? (
      <p class="bad" role="alert">
        {now.facts.problem}
      </p>
    ) : (
      <p>All its files are read once, to know the model again. Its weights are read when the first edit begins.</p>
    )}
    <div class="row">
      {!now.facts.problem && (
        <button type="button" class="main" onClick={() => load(now)}>
          Load this model
        </button>
      )}
      <button type="button" onClick={stopChoosing}>
        Cancel
      </button>
    </div>
  </>
);

const Read = ({ share }: { share: number }) => (
  <>
    <p>
      Reading the model: {Math.floor(100 * share)} % <progress value={share} max={1} aria-label="Reading the model" />
    </p>
    <div class="row">
      <button type="button" onClick={stopChoosing}>
        Cancel
      </button>
    </div>
  </>
);

/** Dialog that lets the person choose a model on their disk, tells what it needs, and asks before it is loaded. */
export function ChooseModel() {
  const now = choosing.value;
  if (!now) return null;
  const facts = "facts" in now ? now.facts : undefined;
  return (
    <Dialog title={facts ? facts.name : "A model of your own"} onClose={stopChoosing}>
      {refusal.value && <Refusal error={refusal.value} />}
      {now.step === "choose" && <Choose />}
      {now.step === "inspect" && <p role="status">Finding out what {now.name} is and what it needs…</p>}
      {now.step === "ask" && <Ask now={now} />}
      {now.step === "read" && <Read share={now.share} />}
      {(now.step === "choose" || now.step === "inspect") && (
        <form method="dialog">
          <button type="submit">Close</button>
        </form>
      )}
    </Dialog>
  );
}

import { fillForm, pictureUrl, runAgain, type ShownJob } from "../state/index.ts";

/** The message without the advice, since that is shown apart. */
const problemOf = (message: string, advice: string | undefined): string =>
  (advice && message.endsWith(advice) ? message.slice(0, -advice.length) : message).trim();

/** Shows why a job has no result, and the way on. */
export function Failure({ job }: { job: ShownJob }) {
  const { state, request, error } = job;
  return (
    <div class="failure">
      <div class="failure-text">
        <h2>{state === "cancelled" ? "Cancelled" : "This edit failed"}</h2>
        <p>“{request.target}”</p>
        {error && <p class="problem">{problemOf(error.message, error.advice)}</p>}
        {error?.advice && <p>{error.advice}</p>}
        <div class="run-buttons">
          <button type="button" class="main" onClick={() => runAgain(request)}>
            Try again
          </button>
          <button type="button" onClick={() => fillForm(request)}>
            Use these settings
          </button>
        </div>
      </div>
      <img class="photo faded" src={pictureUrl(request.photo)} alt="Before the edit" />
    </div>
  );
}

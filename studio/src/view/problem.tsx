import type { JobId } from "../../../src/server/api/index.ts";
import { failedAction } from "./actions.ts";

/** Says why the last action on a job's result did not succeed. */
export function Problem({ id }: { readonly id: JobId }) {
  const failed = failedAction.value;
  if (failed?.job !== id) return null;
  return (
    <p class="problem" role="alert">
      {failed.error.message} {failed.error.advice}
    </p>
  );
}

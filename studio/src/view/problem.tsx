import type { JobId } from "../../../src/server/api/index.ts";
import { Refusal } from "../parts/refusal.tsx";
import { failedAction } from "./actions.ts";

/** Says why the last action on a job's result did not succeed. */
export function Problem({ id }: { readonly id: JobId }) {
  const failed = failedAction.value;
  if (failed?.job !== id) return null;
  return <Refusal error={failed.error} />;
}

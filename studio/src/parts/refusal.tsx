import type { BackendError } from "../backend.ts";

/** Says why something was refused, and what to do. */
export const Refusal = ({ error: { message, advice } }: { error: BackendError }) => (
  <p class="problem" role="alert">
    {message} {advice}
  </p>
);

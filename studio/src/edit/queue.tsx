import { queue } from "../state/index.ts";

/** Jobs that wait or run. */
export const Queue = () => (
  <section aria-label="Queue">
    <ul>
      {queue.value.map(({ id, request }) => (
        <li key={id}>{request.target}</li>
      ))}
    </ul>
  </section>
);

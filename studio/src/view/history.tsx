import { finished } from "../state/index.ts";

/** Lists the finished jobs. */
export const History = () => (
  <section class="history" aria-label="History">
    <p>{finished.value.length} results</p>
  </section>
);

/** Jobs that must be timed before they tell how long the others take. */
const MIN_TIMED = 5;

/** The state of a run. */
interface RunState {
  readonly done: number;
  readonly total: number;
  /** Absent until enough jobs were timed. */
  readonly secondsLeft?: number;
}

/** Counts finished jobs, and estimates the time that is left from the time of those that were done. */
export class Clock {
  private done = 0;
  private readonly total: number;
  private readonly workers: number;
  /** Seconds and number of the jobs that were done, by name. */
  private readonly spent = new Map<string, { seconds: number; count: number }>();
  private readonly left = new Map<string, number>();

  /** names: the name of each job; jobs of one name take about equally long. workers: jobs that are done at the same time. */
  constructor(names: readonly string[], workers: number) {
    this.total = names.length;
    this.workers = workers;
    for (const name of names) this.left.set(name, (this.left.get(name) ?? 0) + 1);
  }

  /** Counts a job. seconds: absent if it was not done now. */
  finished(name: string, seconds?: number): RunState {
    this.done++;
    this.left.set(name, (this.left.get(name) ?? 1) - 1);
    if (seconds !== undefined) {
      const { seconds: sum, count } = this.spent.get(name) ?? { seconds: 0, count: 0 };
      this.spent.set(name, { seconds: sum + seconds, count: count + 1 });
    }
    return this.state();
  }

  private state(): RunState {
    const all = [...this.spent.values()];
    const count = all.reduce((sum, one) => sum + one.count, 0);
    const usual = all.reduce((sum, one) => sum + one.seconds, 0) / count;
    const work = [...this.left].reduce((sum, [name, left]) => {
      const own = this.spent.get(name);
      return sum + left * (own ? own.seconds / own.count : usual);
    }, 0);
    return { done: this.done, total: this.total, ...(count >= MIN_TIMED && { secondsLeft: work / this.workers }) };
  }
}

// How long a bench still takes: planned seconds of what is left, times how much longer than planned it has
// taken so far. Says one line a step.

export interface Progress {
  /** A step of about so many seconds begins, and the one before has ended. */
  begin(label: string, seconds: number): void;
}

/** What the plan counts for against what was seen: starting says little about measuring. */
const PLAN_SECONDS = 120;

/** `plannedSeconds` of all steps together; `nowMs` is monotonic. */
export function createProgress(
  plannedSeconds: number,
  log: (line: string) => void,
  nowMs: () => number = () => performance.now(),
): Progress {
  const startMs = nowMs();
  let doneSeconds = 0;
  let underWaySeconds = 0;
  return {
    begin: (label, seconds) => {
      doneSeconds += underWaySeconds;
      underWaySeconds = seconds;
      const tookSeconds = (nowMs() - startMs) / 1000;
      const pace = (tookSeconds + PLAN_SECONDS) / (doneSeconds + PLAN_SECONDS);
      const left = Math.max(0, plannedSeconds - doneSeconds) * pace;
      log(`${label} (${left < 90 ? `${Math.ceil(left)} s` : `${Math.round(left / 60)} min`} left)`);
    },
  };
}

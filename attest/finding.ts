// One finding of a reader of logs and lists: something an auditor should know of a certain event or
// entry, under a stable code. What it means for a verdict is for a check to say.

/** `error`: verification fails. `warning`: something departs from its specification. */
export type Severity = 'info' | 'warning' | 'error';

export interface Finding {
  /** Stable, upper case: `DATA_NOT_COVERED`. docs/evidence.md lists every code. */
  readonly code: string;
  readonly severity: Severity;
  /** Index of the event or entry, the first being 0; null where it is about the whole. */
  readonly event: number | null;
  readonly pcr: number | null;
  /** What was found, in words, with the remedy where there is one. */
  readonly text: string;
}

/** True when nothing that was found fails verification. */
export const isGood = (findings: readonly Finding[]): boolean =>
  findings.every(({ severity }) => severity !== 'error');

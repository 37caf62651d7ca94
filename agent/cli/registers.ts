// Lists of PCRs as flags carry them: `0-7,11`.

const RANGE = /^(\d{1,2})(?:-(\d{1,2}))?$/;

/**
 * `0-7,11` as a list, rising; what is wrong with it goes to `problems`, naming `flag`. PCR 10 is refused:
 * it moves with every file that IMA measures.
 */
export function registerList(flag: string, text: string, problems: string[]): number[] {
  const found = new Set<number>();
  for (const part of text.split(',').filter(Boolean)) {
    const range = RANGE.exec(part.trim());
    const first = Number(range?.[1]);
    const last = Number(range?.[2] ?? range?.[1]);
    if (range === null || last > 23 || first > last || (first <= 10 && last >= 10)) {
      problems.push(
        `${flag} has ${JSON.stringify(part)}; it takes PCRs 0 to 23 without 10, as in 0-7,11`,
      );
      continue;
    }
    for (let pcr = first; pcr <= last; pcr += 1) found.add(pcr);
  }
  return [...found].sort((a, b) => a - b);
}

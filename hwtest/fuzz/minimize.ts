// Makes an input that fails smaller, as long as it fails the same way. Pure: the judge is given.

/**
 * Removes ever smaller stretches, at most `attempts` tries in all. `fails` says whether a candidate
 * still fails; it may be asynchronous when a thread has to be watched.
 */
export async function minimize(
  input: Uint8Array,
  fails: (candidate: Uint8Array) => boolean | Promise<boolean>,
  attempts: number,
): Promise<Uint8Array> {
  let smallest = input;
  let left = attempts;
  for (let stretch = input.length >> 1; stretch >= 1 && left > 0; stretch >>= 1) {
    for (let at = 0; at < smallest.length && left > 0; left -= 1) {
      const candidate = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + stretch)]);
      if (await fails(candidate)) smallest = candidate;
      else at += stretch;
    }
  }
  return smallest;
}

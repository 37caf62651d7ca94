// Numbers for names, the same in every worker without a word between them: by the hash of the name, and
// the next free number where two names meet. A number stays while its name does, but for names that met.
/** How many numbers there are; names beyond that share them. */
export const SEATS = 8192;
/** No such name. */
export const NO_SEAT = -1;

export class Seats {
  #seats: ReadonlyMap<string, number> = new Map();

  /** The number of `name`, or NO_SEAT. */
  of(name: string): number {
    return this.#seats.get(name) ?? NO_SEAT;
  }

  /** From here on these names have one, and no others. */
  retain(names: readonly string[]): void {
    if (names.length === this.#seats.size && names.every((name) => this.#seats.has(name))) return;
    const seats = new Map<string, number>();
    const taken = new Uint8Array(SEATS);
    for (const name of [...new Set(names)].sort()) {
      let seat = hashOf(name);
      for (let tries = 0; taken[seat] === 1 && tries < SEATS; tries += 1) seat = (seat + 1) % SEATS;
      taken[seat] = 1;
      seats.set(name, seat);
    }
    this.#seats = seats;
  }
}

/** FNV-1a, folded to a number below SEATS. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 16)) & (SEATS - 1);
}

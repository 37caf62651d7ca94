// What an epoch plane has lived through since it started: slots, and the chains and algorithms of these.
import type { ChainId } from '#agent/base/brands.ts';
import type { Chain } from './keeper.ts';

export interface Seen {
  readonly slots: number;
  readonly chains: number;
  /** CHIPS registry ids. */
  readonly algorithms: readonly number[];
}

/** At most a few chains take effect in one slot. */
const NEW_IN_A_SLOT = 3;

export class SeenSoFar {
  #slots = 0;
  readonly #chains = new Set<ChainId>();
  readonly #algorithms = new Set<number>();

  get all(): Seen {
    return { slots: this.#slots, chains: this.#chains.size, algorithms: [...this.#algorithms] };
  }

  /** A slot more, with these chains in effect, newest first. */
  slot(inEffect: readonly Chain[]): void {
    this.#slots += 1;
    for (const { id, algorithm } of inEffect.slice(0, NEW_IN_A_SLOT)) {
      this.#chains.add(id);
      this.#algorithms.add(algorithm);
    }
  }
}

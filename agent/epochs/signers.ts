// By which keys records are verified: those of conductors whose evidence counts here (PROTOCOL 4.5). Anybody can store
// records in any name, so evidence that is found and refused has a bound for each reading; who was refused has another turn.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import type { Sid } from '#agent/base/brands.ts';
import { acceptable, type Examiner } from './examiner.ts';
import type { EpochRecord } from './record.ts';
import type { OwnStatement } from './statement.ts';

export interface SignersOptions {
  readonly examiner: Pick<Examiner, 'examine'>;
  /** This node's statement of that sid, whose key needs no examination. */
  readonly ownStatement: (sid: Sid) => OwnStatement | undefined;
}

type Conductor = EpochRecord['conductor'];

/** Conductors whose evidence is refused in one reading: as many that are new, and as many that were refused before. */
const MAX_REFUSED_AT_ONCE = 8;
const MAX_REMEMBERED = 4_096;

const nameOf = ({ node, sid }: Conductor): string => `${node}/${sid}`;

export class Signers {
  readonly #o: SignersOptions;
  /** The one that was refused last is the last. */
  readonly #refused = new Set<string>();
  /** Accepted in this reading. */
  readonly #accepted = new Set<string>();
  /** Passed over in this reading. */
  readonly #passedOver = new Set<string>();
  #left = { new: MAX_REFUSED_AT_ONCE, again: MAX_REFUSED_AT_ONCE };

  constructor(options: SignersOptions) {
    this.#o = options;
  }

  /** The key of a conductor that is attested here, by what is known now. */
  async keyOf(conductor: Conductor): Promise<SigningPublic | undefined> {
    const { node, sid } = conductor;
    const own = this.#o.ownStatement(sid);
    if (own) return own.sign.public;
    const examined = await this.#o.examiner.examine(node, sid);
    const name = nameOf(conductor);
    if (examined.known && acceptable(examined.appraisal)) {
      this.#refused.delete(name);
      this.#accepted.add(name);
      return examined.statement.sign;
    }
    if (examined.known || examined.isAbsent !== true) this.#refuse(name);
    return undefined;
  }

  /** A reading begins. */
  begin(): void {
    this.#left = { new: MAX_REFUSED_AT_ONCE, again: MAX_REFUSED_AT_ONCE };
    this.#accepted.clear();
    this.#passedOver.clear();
  }

  /** Whether its evidence may be looked at in this reading. */
  mayAsk(conductor: Conductor): boolean {
    const name = nameOf(conductor);
    if (this.#accepted.has(name)) return true;
    const wasRefused = this.#refused.has(name);
    const isLeft = this.#left[wasRefused ? 'again' : 'new'] > 0;
    if (!isLeft && !wasRefused) this.#passedOver.add(name);
    return isLeft;
  }

  /** False: its evidence was never looked at, for want of room in this reading. */
  wasAsked(conductor: Conductor): boolean {
    return !this.#passedOver.has(nameOf(conductor));
  }

  /** Those of conductors that were not refused yet first, as they come; then by who was refused longest ago. */
  inOrder(records: readonly EpochRecord[]): readonly EpochRecord[] {
    const places = new Map([...this.#refused].map((name, place) => [name, place + 1]));
    const placeOf = ({ conductor }: EpochRecord): number => places.get(nameOf(conductor)) ?? 0;
    return records.toSorted((a, b) => placeOf(a) - placeOf(b));
  }

  #refuse(name: string): void {
    this.#left[this.#refused.has(name) ? 'again' : 'new'] -= 1;
    this.#refused.delete(name);
    if (this.#refused.size >= MAX_REMEMBERED) this.#refused.clear();
    this.#refused.add(name);
  }
}

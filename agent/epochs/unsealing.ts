// Opens what a conductor sealed to this node (PROTOCOL 4): roots of generations and live chains. Each
// seal key opens one message and is replaced; what fails is reported and asked for anew.
import { generateSealKey } from '#agent/base/asymmetric.ts';
import { fromB64url, fromHex } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { BOTH } from '#agent/base/signed.ts';
import type { Log } from '#agent/log.ts';
import { chainIdOf } from '#proxy/chips/chain.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import { acceptable, type Examiner } from './examiner.ts';
import type { RecordFollower } from './follower.ts';
import type { ChainKeeper } from './keeper.ts';
import type { OwnStatements } from './ownStatements.ts';
import type { EpochRecord } from './record.ts';
import {
  claimedSealer,
  openEnvelope,
  openSecrets,
  sealKeyName,
  type SealedChain,
} from './sealed.ts';

export interface UnsealingOptions {
  readonly examiner: Pick<Examiner, 'examine'>;
  readonly keeper: ChainKeeper;
  readonly own: OwnStatements;
  readonly follower: Pick<RecordFollower, 'newest'>;
  readonly slots: SlotClock;
  readonly log: Log;
}

/** A chain that is sealed to this node is of the present, give or take what a slow bus needs. */
const MAX_SLOTS_OFF = 8;

/** What came. `ignored`: not for this node or not for a key it still has. `failed`: chains must be asked for. */
export type Unsealed = 'chains' | 'root' | 'ignored' | 'failed';

export async function takeSealed(document: unknown, from: UnsealingOptions): Promise<Unsealed> {
  const { examiner, keeper, own, follower, log } = from;
  const sealer = claimedSealer(document);
  const { newest } = follower;
  // Only who conducts may give chains: any member could otherwise replace another's.
  if (!sealer || !newest || sealer.node !== newest.conductor.node) return 'ignored';
  const refuse = (why: string): void => {
    log.warn('sealed.refused', { node: sealer.node, text: `sealed message refused: ${why}` });
  };
  const examined = await examiner.examine(sealer.node, sealer.sid);
  if (!examined.known || !acceptable(examined.appraisal)) {
    refuse(`${sealer.node} ${examined.known ? `is ${examined.appraisal.verdict}` : examined.why}`);
    return 'ignored';
  }
  try {
    const envelope = openEnvelope(document, examined.statement.sign);
    const recipient = own.find(envelope.sid);
    if (!recipient || sealKeyName(recipient.seal.public) !== envelope.sealKey) return 'ignored';
    const { seal } = recipient;
    recipient.seal = generateSealKey();
    const secrets = openSecrets(envelope, seal);
    if (secrets.chains.length > 0) openEnvelope(document, examined.statement.sign, BOTH);
    const strange = secrets.chains.find((chain) => !isPlausible(chain, newest, from.slots));
    if (strange) {
      refuse(
        `${sealer.node} sealed chain ${strange.chainId.slice(0, 8)}, which no record can have begun`,
      );
      return 'failed';
    }
    for (const chain of secrets.chains) keeper.adopt(chain);
    if (secrets.root === undefined) return 'chains';
    const root = fromB64url(secrets.root);
    const fits = keeper.giveRoot(envelope.recordHash, root);
    root.fill(0);
    if (!fits) refuse(`${sealer.node} sealed a root that is not the one its record commits to`);
    return fits ? 'root' : 'failed';
  } catch (cause) {
    refuse(messageOf(cause));
    return 'failed';
  }
}

/** About as new as the newest record, of its record's name, and of about now: no key is ticked far. */
function isPlausible(chain: SealedChain, newest: EpochRecord, slots: SlotClock): boolean {
  const now = slots.slot(chain.periodMs);
  return (
    chain.generation <= newest.generation + 1 &&
    chain.term <= newest.term + 1 &&
    chain.epoch <= newest.epoch + MAX_SLOTS_OFF &&
    chain.chainId === chainIdOf(fromHex(chain.recordHash)) &&
    chain.atSlot <= now + MAX_SLOTS_OFF &&
    Math.abs(chain.slot - now) <= MAX_SLOTS_OFF
  );
}

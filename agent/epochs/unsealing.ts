// Opens what a conductor sealed to this node (PROTOCOL 4): roots of generations and live chains. Each
// seal key opens one message and is replaced; what fails is reported and asked for anew.
import { generateSealKey } from '#agent/base/asymmetric.ts';
import { fromB64url } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Log } from '#agent/log.ts';
import { acceptable, type Examiner } from './examiner.ts';
import type { ChainKeeper } from './keeper.ts';
import type { OwnStatements } from './ownStatements.ts';
import { claimedSealer, openEnvelope, openSecrets, sealKeyName } from './sealed.ts';

export interface UnsealingOptions {
  readonly examiner: Examiner;
  readonly keeper: ChainKeeper;
  readonly own: OwnStatements;
  readonly log: Log;
}

/** `ignored`: not for this node or not for a key it still has. `failed`: chains must be asked for. */
export type Unsealed = 'taken' | 'ignored' | 'failed';

export async function takeSealed(document: unknown, from: UnsealingOptions): Promise<Unsealed> {
  const { examiner, keeper, own, log } = from;
  const sealer = claimedSealer(document);
  if (!sealer) return 'ignored';
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
    recipient.seal = await generateSealKey();
    const secrets = await openSecrets(envelope, seal);
    for (const chain of secrets.chains) keeper.adopt(chain);
    if (secrets.root === undefined) return 'taken';
    const root = fromB64url(secrets.root);
    const fits = keeper.giveRoot(envelope.recordHash, root);
    root.fill(0);
    if (!fits) refuse(`${sealer.node} sealed a root that is not the one its record commits to`);
    return fits ? 'taken' : 'failed';
  } catch (cause) {
    refuse(messageOf(cause));
    return 'failed';
  }
}

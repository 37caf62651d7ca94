// The MAID tokens of this node's pods (PROTOCOL 9): one workload key and alias secret a pod, drawn
// when it is first seen, never leaving this process; one token a slot and statement.
import { randomBytes } from 'node:crypto';
import { generateWorkloadKey, type WorkloadKey } from '#agent/base/asymmetric.ts';
import { slotPlus, type NodeName, type Sid, type Slot } from '#agent/base/brands.ts';
import { fromHex, wipe } from '#agent/base/bytes.ts';
import type { LocalPodSpec } from '#agent/inventory/inventory.ts';
import type { OwnStatement } from '#agent/epochs/statement.ts';
import { aliasOf, signEndorsement, signToken } from '#proxy/maid.ts';
import type { PodToken } from '#proxy/snapshot.ts';

interface Alias {
  readonly key: WorkloadKey;
  /** 32 bytes. */
  readonly secret: Buffer;
  readonly spec: LocalPodSpec;
  readonly endorsements: Map<Sid, Buffer>;
  readonly tokens: Map<string, PodToken>;
}

/** Under which statement a token speaks, and what its evidence hashes to. */
export interface Speaker {
  readonly own: OwnStatement;
  /** SHA-256, hex. */
  readonly evidenceDigest: string;
}

const NONE = Buffer.alloc(32);
/**
 * A control plane that was killed is back and admitted by then, were the bus away meanwhile: its successor gives its
 * first snapshot after twelve slots at most.
 */
const SLOTS_AHEAD = 12;

export class Aliases {
  readonly #node: NodeName;
  readonly #pods = new Map<string, Alias>();

  constructor(node: NodeName) {
    this.#node = node;
  }

  /** Forgets pods that are gone; a pod whose identity changed is another pod. */
  retain(pods: readonly LocalPodSpec[]): void {
    const present = new Map(pods.map((pod) => [pod.uid, pod]));
    for (const [uid, alias] of this.#pods) {
      const now = present.get(uid);
      if (
        now &&
        now.spiffeId === alias.spec.spiffeId &&
        now.imageDigest === alias.spec.imageDigest
      ) {
        continue;
      }
      wipe(alias.secret);
      this.#pods.delete(uid);
    }
  }

  /**
   * Tokens for this slot and the next few, so that a data plane goes on opening lanes while its control
   * plane is replaced. Made once each: their number depends on pods and slots, never on lanes (G1).
   */
  tokens(pod: LocalPodSpec, slot: Slot, speakers: readonly Speaker[]): PodToken[] {
    const alias = this.#alias(pod);
    const wanted = new Map<string, PodToken>();
    for (const speaker of speakers) {
      for (let ahead = 0; ahead <= SLOTS_AHEAD; ahead += 1) {
        const at = slotPlus(slot, ahead);
        const key = `${speaker.own.statement.sid}/${at}`;
        wanted.set(key, alias.tokens.get(key) ?? this.#make(alias, at, speaker));
      }
    }
    alias.tokens.clear();
    for (const [key, token] of wanted) alias.tokens.set(key, token);
    return [...wanted.values()];
  }

  #alias(spec: LocalPodSpec): Alias {
    let alias = this.#pods.get(spec.uid);
    if (!alias) {
      const key = generateWorkloadKey();
      alias = { key, secret: randomBytes(32), spec, endorsements: new Map(), tokens: new Map() };
      this.#pods.set(spec.uid, alias);
    }
    return alias;
  }

  #make(alias: Alias, slot: Slot, { own, evidenceDigest }: Speaker): PodToken {
    const { key, secret, spec } = alias;
    const { sid } = own.statement;
    const { spiffeId, uid: podUid } = spec;
    let endorsement = alias.endorsements.get(sid);
    if (!endorsement) {
      endorsement = signEndorsement({ workloadKey: key.public, sid, spiffeId, podUid }, (message) =>
        own.sign.ed25519(message, 'tokens'),
      );
      alias.endorsements.set(sid, endorsement);
    }
    const token = signToken(
      {
        slot,
        alias: aliasOf(secret, slot),
        sid,
        node: this.#node,
        spiffeId,
        podUid,
        imageDigest: spec.imageDigest ?? '',
        evidenceDigest: fromHex(evidenceDigest),
        prev: NONE,
        history: NONE,
      },
      (message) => key.sign(message),
    );
    return { slot, sid, token, endorsement };
  }

  close(): void {
    this.retain([]);
  }
}

// Vectors of lane keys (PROTOCOL 5 and 7): transcript, traffic secrets, what is expanded from one, nonces,
// the length mask, the AEADs as lanes use them.
import { AEADS } from '#proxy/chips/registry.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { Nonces, seal } from '#proxy/see/aead.ts';
import {
  earlySecret,
  frameKeys,
  laneContext,
  laneSecret,
  trafficSecret,
  transcriptOf,
} from '#proxy/see/keys.ts';
import { LENGTH_BYTES } from '#proxy/see/frames.ts';
import { LengthMask } from '#proxy/see/mask.ts';
import { encodeHeader } from '#proxy/see/opening.ts';
import { CHAIN, CLUSTER, DOMAIN, PAIR, RECEIVER, SOURCE, seed } from './cast.ts';
import type { Vector } from './vector.ts';

export function laneSecretVectors(): Vector[] {
  const header = encodeHeader({ suite: 1, mode: 1, srcRef: SOURCE.sid.slice(0, 16), openLen: 464 });
  const [kid, salt, replySalt] = [seed('kid', 8), seed('salt', 16), seed('reply salt', 16)];
  const context = laneContext(DOMAIN, CLUSTER, SOURCE, RECEIVER);
  const transcript = transcriptOf(kid, salt, header, context);
  const ls = laneSecret(CHAIN, PAIR);
  const secrets = {
    early: earlySecret(ls, transcript),
    c2s: trafficSecret(ls, 'c2s', transcript, replySalt),
    s2c: trafficSecret(ls, 's2c', transcript, replySalt),
  };
  return [
    {
      name: 'of an opening',
      compute: 'transcript',
      given: {
        kid,
        salt,
        header,
        domain: DOMAIN,
        cluster: CLUSTER,
        source: SOURCE,
        receiver: RECEIVER,
      },
      expect: { transcript },
    },
    {
      name: 'of a lane',
      compute: 'trafficSecrets',
      given: { ls, transcript, replySalt },
      expect: secrets,
    },
    ...Object.entries(secrets).map(([name, secret]) => ({
      name: `of ${name}`,
      compute: 'frameKeys',
      given: { secret },
      expect: { ...frameKeys(secret) },
    })),
    ...nonceVectors(),
    maskVector(),
    ...aeadVectors(),
  ];
}

/** An IV whose last bytes carry, and counters of one to three bytes. */
function nonceVectors(): Vector[] {
  const iv = Buffer.concat([seed('iv', 9), Buffer.from([0xff, 0xff, 0xfe])]);
  const nonces = new Nonces(iv);
  const wanted = new Set([0, 1, 255, 256, 65_536]);
  const vectors: Vector[] = [];
  for (let counter = 0; vectors.length < wanted.size; counter += 1) {
    const nonce = Buffer.from(nonces.next());
    if (!wanted.has(counter)) continue;
    vectors.push({
      name: `counter ${counter}`,
      compute: 'nonce',
      given: { iv, counter },
      expect: { nonce },
    });
  }
  return vectors;
}

/** More frames than the first block of the stream serves. */
function maskVector(): Vector {
  const hp = seed('hp');
  const mask = new LengthMask(hp);
  const masks = Array.from({ length: 40 }, () => {
    const piece = Buffer.alloc(LENGTH_BYTES);
    mask.apply(piece);
    return piece;
  });
  return {
    name: 'of the first 40 frames',
    compute: 'mask',
    given: { hp, frames: masks.length },
    expect: { masks },
  };
}

const aeadVectors = (): Vector[] =>
  (Object.keys(AEADS) as AeadName[]).flatMap((name) =>
    [0, 100].map((length) => {
      const [key, nonce] = [seed('key'), seed('nonce', 12)];
      const [aad, plain] = [seed('aad', 54), seed('plain', length)];
      return {
        name: `${name}, ${length} bytes`,
        compute: 'aead',
        given: { suite: AEADS[name], key, nonce, aad, plain },
        expect: { sealed: seal(name, key, nonce, aad, plain) },
      };
    }),
  );

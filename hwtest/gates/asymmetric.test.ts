// G1 is read off a counter (PROTOCOL 1). It is the truth only if every asymmetric operation of the
// product goes through the one module that counts.
import { expect, test } from 'vitest';
import { importsOf, isProduct, sourceFiles } from './sources.ts';

const COUNTED = 'agent/base/asymmetric.ts';
/** Operates for the counting module alone. */
const FOR_COUNTED = 'agent/base/hpke.ts';

/** Names of node:crypto that perform an asymmetric operation or make a key for one. */
const OPERATIONS = new Set([
  'sign',
  'verify',
  'createSign',
  'createVerify',
  'diffieHellman',
  'createDiffieHellman',
  'createDiffieHellmanGroup',
  'getDiffieHellman',
  'createECDH',
  'ECDH',
  'generateKeyPair',
  'generateKeyPairSync',
  'createPrivateKey',
  'createPublicKey',
  'publicEncrypt',
  'publicDecrypt',
  'privateEncrypt',
  'privateDecrypt',
  'encapsulate',
  'decapsulate',
  'X509Certificate',
  'webcrypto',
  'subtle',
  '*', // a namespace or default import would hide what is used
  'default',
]);

const PACKAGES = /^(@hpke\/|mlkem|@noble\/(curves|post-quantum)|@nats-io\/nkeys)/;

/** File -> names it may use all the same, and why they are not on the data path. */
const PARSING_ONLY: Readonly<Record<string, readonly string[]>> = {
  // Parses certificates in evidence, once per appraisal.
  'attest/x509/certificate.ts': ['X509Certificate'],
  // Makes the TDX quotes and the collateral of tests; nothing of the product imports it.
  'attest/testdata/tdx.ts': ['sign'],
  // Makes the quotes of tests; nothing of the product imports it.
  'attest/testdata/quote.ts': ['sign'],
  // Makes the certificates of tests; nothing of the product imports it.
  'attest/testdata/certificate.ts': ['generateKeyPairSync', 'sign', 'X509Certificate'],
  // Makes the Nitro documents of tests; nothing of the product imports it.
  'attest/testdata/nitro.ts': ['sign'],
};

const product = sourceFiles((path) => isProduct(path) && !path.startsWith('hwtest/'));

test('asymmetric operations of node:crypto are imported by the counting module alone', () => {
  const against = product
    .filter(({ path }) => path !== COUNTED && path !== FOR_COUNTED)
    .flatMap((file) =>
      importsOf(file)
        .filter(({ specifier, kind }) => /^(node:)?crypto$/.test(specifier) && kind !== 'type')
        .flatMap(({ names, kind }) => (kind === 'lazy' ? ['*'] : names))
        .filter((name) => OPERATIONS.has(name) && !PARSING_ONLY[file.path]?.includes(name))
        .map((name) => `${file.path}: ${name}`),
    );
  expect(against).toEqual([]);
});

test('no package for asymmetric operations is imported', () => {
  const users = product.filter((file) =>
    importsOf(file).some(({ specifier, kind }) => kind !== 'type' && PACKAGES.test(specifier)),
  );
  expect(users.map(({ path }) => path)).toEqual([]);
});

test('what operates for the counting module is imported by it alone', () => {
  const users = product.filter((file) =>
    importsOf(file).some(({ specifier, kind }) => kind !== 'type' && /\bhpke\.ts$/.test(specifier)),
  );
  expect(users.map(({ path }) => path)).toEqual([COUNTED]);
});

test('WebCrypto is not reached through the global object', () => {
  const against = product.filter(({ text }) => /\bcrypto\s*\.\s*subtle\b/.test(text));
  expect(against.map(({ path }) => path)).toEqual([]);
});

test('the list of exceptions names only what is still used', () => {
  for (const [path, names] of Object.entries(PARSING_ONLY)) {
    const file = product.find((each) => each.path === path);
    const used = file === undefined ? [] : importsOf(file).flatMap((found) => found.names);
    expect(used, path).toEqual(expect.arrayContaining([...names]));
  }
});

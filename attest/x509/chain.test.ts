import { expect, it } from 'vitest';
import { makeCertificate, makeKeys, type MadeCertificate } from '#attest/testdata/certificate.ts';
import { chainTo } from './chain.ts';

const AT_MS = Date.UTC(2026, 0, 1);
const keys = makeKeys('P-256');
const named = (CN: string, issuer?: MadeCertificate, serial = 1): MadeCertificate =>
  makeCertificate({ subject: { CN }, keys, ca: true, serial, ...(issuer && { issuer }) });

const root = named('root');
const middle = named('middle', root);
const leaf = named('leaf', middle);
const x509 = (made: readonly MadeCertificate[]) => made.map((each) => each.x509);

it('chainTo() gives the issuers up to the root, whatever else is there', () => {
  const others = [named('middle', named('other')), named('root', named('other'))];
  const found = chainTo(leaf.x509, x509([...others, middle, root]), AT_MS);
  expect(found).toMatchObject({ trusted: true });
  expect(found.trusted && found.issuers.map(({ subject }) => subject)).toEqual([
    'CN=middle',
    'CN=root',
  ]);
});

it('chainTo() finds a short way after a long one came to its end too far up', () => {
  // leaf < a < b < c < d < middle is too long; leaf < middle < root is not
  const d = named('d', middle);
  const c = named('c', d);
  const b = named('b', c);
  const long = named('middle', b, 7);
  const found = chainTo(leaf.x509, x509([long, b, c, d, middle, root]), AT_MS);
  expect(found).toMatchObject({ trusted: true });
});

it('chainTo() tries no authority twice from as far up: two dozen that vouch for each other', () => {
  const [a, b] = [named('a'), named('b')];
  const authorities = Array.from({ length: 12 }, (_, i) => [
    named('a', b, i + 2),
    named('b', a, i + 2),
  ]);
  const found = chainTo(named('leaf', a).x509, x509(authorities.flat()), AT_MS);
  expect(found).toEqual({ trusted: false, why: 'more than 5 issuers' }); // 12^5 ways, each of 24 checks
});

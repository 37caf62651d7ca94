import { expect, test } from 'vitest';
import { asymmetricCounts } from '#agent/base/asymmetric.ts';
import { makeCertificate, makeKeys, type Issuer, type Name } from '#attest/testdata/certificate.ts';
import { derBoolean, derInteger, derSequence } from '#attest/testdata/derWrite.ts';
import { chainTo } from './chain.ts';

const AT = Date.UTC(2026, 0, 1);
const named = (CN: string): Name => ({ CN });
const ca = (subject: Name, keys: Issuer['keys'], issuer?: Issuer) =>
  makeCertificate({ subject, keys, ca: true, ...(issuer && { issuer }) });

test('chainTo() finds the root over as many as eight issuers and not over nine', () => {
  const root = ca(named('root'), makeKeys('P-256'));
  const all = [root];
  for (let n = 1; n <= 8; n += 1) all.push(ca(named(`ca ${n}`), makeKeys('P-256'), all[n - 1]));
  const under = (issuer: Issuer | undefined) =>
    makeCertificate({
      subject: named('leaf'),
      keys: makeKeys('P-256'),
      ...(issuer && { issuer }),
    }).x509;
  const authorities = all.map(({ x509 }) => x509);
  expect(chainTo(under(all[7]), authorities, AT)).toMatchObject({ trusted: true });
  expect(chainTo(under(all[8]), authorities, AT)).toEqual({
    trusted: false,
    why: 'more than 8 issuers',
  });
});

test('chainTo() takes the one of two paths that ends at a root', () => {
  const keys = makeKeys('P-256');
  const root = ca(named('root'), makeKeys('P-256'));
  const nowhere: Issuer = { subject: named('nobody'), keys: makeKeys('P-256') };
  const paths = [ca(named('cross'), keys, nowhere), ca(named('cross'), keys, root)];
  const leaf = makeCertificate({
    subject: named('leaf'),
    keys: makeKeys('P-256'),
    issuer: { subject: named('cross'), keys },
  });
  for (const cross of [paths, paths.toReversed()]) {
    const authorities = [...cross, root].map(({ x509 }) => x509);
    const found = chainTo(leaf.x509, authorities, AT);
    expect(found.trusted && found.issuers.map(({ subject }) => subject)).toEqual([
      'CN=cross',
      'CN=root',
    ]);
  }
});

test('chainTo() tries certificates that sign each other once at each depth, not in every order', () => {
  const keys = makeKeys('P-256');
  const [one, two] = ['one', 'two'].map((name): Issuer => ({ subject: named(name), keys }));
  const leaf = makeCertificate({
    subject: named('leaf'),
    keys: makeKeys('P-256'),
    ...(one && { issuer: one }),
  });
  const mesh = Array.from({ length: 8 }, () => [
    ca(named('one'), keys, two).x509,
    ca(named('two'), keys, one).x509,
  ]).flat();
  const before = asymmetricCounts().total;
  expect(chainTo(leaf.x509, mesh, AT)).toEqual({ trusted: false, why: 'more than 8 issuers' });
  expect(asymmetricCounts().total - before).toBeLessThan(1000); // 8^8 would be 16,777,216
});

test('chainTo() finds a short way after a long one came to its end too far up', () => {
  const keys = makeKeys('P-256');
  const root = ca(named('root'), keys);
  const middle = ca(named('middle'), keys, root);
  const way = ['g', 'f', 'e', 'd', 'c', 'b'].reduce(
    (all, name) => [...all, ca(named(name), keys, all.at(-1) ?? middle)],
    [] as ReturnType<typeof ca>[],
  );
  const long = ca(named('middle'), keys, way.at(-1)); // leaf < middle < b .. g < middle < root is too long
  const leaf = makeCertificate({ subject: named('leaf'), keys, issuer: middle });
  const authorities = [long, ...way, middle, root].map(({ x509 }) => x509);
  expect(chainTo(leaf.x509, authorities, AT)).toMatchObject({ trusted: true });
});

test('chainTo() counts the CAs below one that allows only so many (RFC 5280 4.2.1.9)', () => {
  const keys = makeKeys('P-256');
  const limited = (most: number) => ({
    id: '2.5.29.19',
    value: derSequence(derBoolean(true), derInteger(most)),
    critical: true,
  });
  const under = (most: number) => {
    const subject = named('root');
    const root = makeCertificate({ subject, keys, extensions: [limited(most)] });
    const [one, two] = [
      ca(named('one'), keys, root),
      ca(named('two'), keys, { ...root, subject: named('one') }),
    ];
    const leaf = makeCertificate({ subject: named('leaf'), keys, issuer: two });
    return chainTo(leaf.x509, [root.x509, one.x509, two.x509], AT);
  };
  expect(under(2)).toMatchObject({ trusted: true });
  expect(under(1)).toEqual({
    trusted: false,
    why: '"CN=root" may not have 2 CAs below it',
  });
});

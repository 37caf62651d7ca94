import { expect, it } from 'vitest';
import { productOfCpu, productOfName } from './product.ts';

it.each([
  [0x19, 0x00, 'Milan'],
  [0x19, 0x0f, 'Milan'],
  [0x19, 0x10, 'Genoa'],
  [0x19, 0x1f, 'Genoa'],
  [0x19, 0x20, undefined],
  [0x19, 0xa0, 'Genoa'],
  [0x19, 0xaf, 'Genoa'],
  [0x1a, 0x00, 'Turin'],
  [0x1a, 0x1f, 'Turin'],
  [0x1a, 0x20, undefined],
  [0x17, 0x01, undefined],
])('productOfCpu() takes family %i model %i for %s', (family, model, product) => {
  expect(productOfCpu({ family, model, stepping: 0 })).toBe(product);
});

it.each([
  ['Milan-B0', 'Milan'],
  ['Milan', 'Milan'],
  ['Genoa-B2', 'Genoa'],
  ['Siena-A1', 'Genoa'],
  ['Bergamo', 'Genoa'],
  ['Turin-C1', 'Turin'],
  ['Milano', undefined],
  ['', undefined],
  ['constructor', undefined],
])('productOfName() takes %j for %s', (name, product) => {
  expect(productOfName(name)).toBe(product);
});

import { expect, test } from 'vitest';
import { about, fail, notChecked, pass } from './check.ts';
import { trustVector } from './trustVector.ts';

test('trustVector() gives each claim the worst of its checks and says nothing of others', () => {
  const checks = [
    pass('form', 'well formed'),
    about('hardware', pass('TCB', 'current')),
    about('hardware', fail('debug', 'on')),
    about('executables', fail('log', 'edited', 'warning')),
    about('configuration', notChecked('policy', 'none given', 'none')),
    about('instance-identity', pass('key', 'enrolled')),
  ];
  expect(trustVector(checks)).toEqual({
    hardware: 96,
    executables: 32,
    configuration: 0,
    'instance-identity': 2,
  });
});

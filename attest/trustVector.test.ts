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

test('trustVector() makes no claim where nothing about it was checked, however little that matters', () => {
  const undone = about('executables', notChecked('measurements', 'no policy'));
  expect(trustVector([undone])).toEqual({ executables: 0 });
  expect(trustVector([undone, about('executables', pass('log', 'whole'))])).toEqual({
    executables: 2,
  });
});

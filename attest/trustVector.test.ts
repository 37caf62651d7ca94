import { expect, test } from 'vitest';
import { about, fail, limits, notChecked, pass } from './check.ts';
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
  expect(trustVector([undone, about('executables', pass('PCR 4', 'enrolled'))])).toEqual({
    executables: 3,
  });
});

test('trustVector() calls executables approved during boot (3), and after boot (2) only on a word of that', () => {
  const boot = about('executables', pass('PCR 4', 'enrolled'));
  expect(trustVector([boot])).toEqual({ executables: 3 });
  const since = { ...about('executables', pass('runtime', 'approved')), affirms: 2 };
  expect(trustVector([since])).toEqual({ executables: 2 });
  expect(trustVector([since, boot])).toEqual({ executables: 3 });
});

test('trustVector() affirms nothing by checks that vouch for nothing, and has them speak against it', () => {
  const log = limits('executables', pass('event log', 'whole'));
  expect(trustVector([log])).toEqual({ executables: 0 });
  expect(trustVector([log, about('executables', pass('PCR 4', 'enrolled'))])).toEqual({
    executables: 3,
  });
  const edited = limits('executables', fail('event log', 'edited'));
  expect(trustVector([edited])).toEqual({ executables: 96 });
});

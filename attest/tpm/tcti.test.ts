import { expect, it } from 'vitest';
import { allowedTcti } from './tcti.ts';

it.each([
  'device:/dev/tpmrm0',
  'swtpm:path=/run/tidelock/tpm.sock',
  'swtpm:host=127.0.0.1,port=2321',
  'swtpm:host=::1,port=2321',
])('allowedTcti() takes %s', (tcti) => {
  expect(allowedTcti(tcti)).toBe(tcti);
});

it.each([
  '',
  'device',
  'device:/dev/tpm0',
  'device:/dev/tpmrm0/../../tmp/fake',
  'device:/tmp/tpmrm0',
  'swtpm',
  'swtpm:host=10.0.0.7,port=2321',
  'swtpm:host=localhost,port=2321',
  'swtpm:path=relative.sock',
  'swtpm:path=/a,host=10.0.0.7',
  'mssim:host=127.0.0.1,port=2321',
  'cmd:ssh elsewhere tpm2_send',
  'tabrmd:bus_type=system',
  'device:/dev/tpmrm0\n',
])('allowedTcti() refuses %j', (tcti) => {
  expect(() => allowedTcti(tcti)).toThrow(expect.objectContaining({ code: 'TPM_TCTI_REFUSED' }));
});

// For tests: what a configuration must have at least. Its owner's key is `owner.pub` beside the file.

export const minimal = {
  domain: 'example.org',
  cluster: 'demo',
  owners: ['owner.pub'],
  bus: { servers: ['nats://198.18.0.2:4222'] },
  attestation: { ekRoots: 'roots', policyFile: 'attestation-policy.json' },
  lanes: { address: '198.18.0.11' },
  inventory: { file: 'inventory.yaml' },
};

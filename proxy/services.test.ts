import { describe, expect, it } from 'vitest';
import { Services } from './services.ts';
import type { Service } from './snapshot.ts';

const at = (address: string, port = 5432) => ({ address, port });
const ENDPOINTS = [at('10.0.0.1'), at('10.0.0.2'), at('10.0.0.3')];
const service = (part: Partial<Service> = {}): Service => ({
  name: 'shop/db',
  ips: ['10.96.0.10', 'fd00::10'],
  isSticky: false,
  ports: [{ port: 5432, endpoints: ENDPOINTS }],
  ...part,
});
const PODS = Array.from({ length: 60 }, (_, i) => `pod-${i}`);
const all = () => 'ready' as const;
const nobodys = () => false;

describe('Services', () => {
  it('choose() knows the addresses of services and leaves all others alone', () => {
    const services = new Services([service()], all, () => 0);
    expect(services.choose('pod', at('10.0.0.1'), nobodys)).toBeUndefined();
    expect(services.choose('pod', at('fd00::10'), nobodys)).toMatchObject({
      endpoint: ENDPOINTS[0],
    });
  });

  it('choose() takes each endpoint that is reachable, by chance', () => {
    for (const [index, random] of [0, 0.4, 0.999].entries()) {
      const services = new Services([service()], all, () => random);
      expect(services.choose('pod', at('10.96.0.10'), nobodys)?.endpoint).toBe(ENDPOINTS[index]);
    }
    const last = ({ address }: { address: string }) => (address === '10.0.0.3' ? 'ready' : 'out');
    const services = new Services([service()], last, () => 0);
    expect(services.choose('pod', at('10.96.0.10'), nobodys)?.endpoint).toBe(ENDPOINTS[2]);
  });

  it('choose() says why there is nowhere to go', () => {
    const services = new Services(
      [service()],
      () => 'out',
      () => 0,
    );
    expect(services.choose('pod', at('10.96.0.10'), nobodys)).toMatchObject({
      endpoint: undefined,
      why: 'shop/db has 3 endpoints on port 5432, none of them ready',
    });
    expect(services.choose('pod', at('10.96.0.10', 80), nobodys)).toMatchObject({
      why: 'shop/db has no such port',
    });
  });

  it('choose() brings a pod back to its endpoint where the service is sticky', () => {
    const never = () => {
      throw new RangeError('chance decides nothing here');
    };
    const [one, two] = [1, 2].map(() => new Services([service({ isSticky: true })], all, never));
    const chosen = PODS.map((pod) => one?.choose(pod, at('10.96.0.10'), nobodys)?.endpoint);
    expect(PODS.map((pod) => two?.choose(pod, at('10.96.0.10'), nobodys)?.endpoint)).toEqual(
      chosen,
    );
    expect(new Set(chosen).size).toBe(ENDPOINTS.length);
  });

  it('choose() passes over an unknown endpoint that is nobody’s, by chance or not', () => {
    const second = (address: string) => address === '10.0.0.2';
    const unknown = () => 'unknown' as const;
    for (const isSticky of [true, false]) {
      const services = new Services([service({ isSticky })], unknown, () => 0.4);
      const chosen = PODS.map((pod) => services.choose(pod, at('10.96.0.10'), second)?.endpoint);
      expect(chosen).not.toContain(ENDPOINTS[1]);
      expect(services.choose('pod', at('10.96.0.10'), () => true)).toMatchObject({
        endpoint: undefined,
        why: 'shop/db has 3 endpoints on port 5432, none of them ready',
      });
      // Known by now: what was said a moment ago of its address is over.
      const known = new Services([service({ isSticky })], all, () => 0.4);
      expect(known.choose('pod', at('10.96.0.10'), () => true)?.endpoint).toBeDefined();
    }
    const last = new Services([service()], unknown, () => 0.999);
    const third = (address: string) => address === '10.0.0.3';
    expect(last.choose('pod', at('10.96.0.10'), third)?.endpoint).toBe(ENDPOINTS[0]);
  });

  it('choose() moves only the pods of an endpoint that is gone', () => {
    const isSticky = true;
    const before = new Services([service({ isSticky })], all, () => 0);
    const isLeft = ({ address }: { address: string }) => (address === '10.0.0.2' ? 'out' : 'ready');
    const after = new Services([service({ isSticky })], isLeft, () => 0);
    for (const pod of PODS) {
      const was = before.choose(pod, at('10.96.0.10'), nobodys)?.endpoint;
      const is = after.choose(pod, at('10.96.0.10'), nobodys)?.endpoint;
      if (was !== ENDPOINTS[1]) expect(is).toBe(was);
      else expect(is).not.toBe(was);
    }
  });
});

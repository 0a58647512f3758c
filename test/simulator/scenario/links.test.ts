import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { complaint } from './broken-scenario.js';

const scenario = (fault: string, system = '{}', modes = '[redis]'): string => `
name: a
why: b
modes: ${modes}
system: ${system}
users: { arrivals: { rate: 20/s, for: 1s } }
faults:
  - { id: one, at: 0s, for: 1s, ${fault} }
`;

const parseFault = (fault: string, system?: string) => parseScenario(scenario(fault, system), 'test.yaml').faults[0];

describe('links and proxies in a scenario file', () => {
  it('are targets, with the options of the fault', () => {
    expect(parseFault('do: cut-link, target: proxy->backend-1, direction: back')).to.deep.include({
      do: 'cut-link',
      target: 'proxy->backend-1',
      options: { direction: 'back' },
    });
    const two = '{ proxy: { count: 2 } }';
    for (const fault of [
      'do: kill, target: proxy',
      'do: slow, target: backend-1->redis, latency: 1s, jitter: 100ms',
      'do: throttle, target: backend-any->store, rate: 10KB/s',
      'do: reset, target: proxy->backend-any, bytes: 0',
      'do: truncate, target: proxy->backend-3, bytes: 1000',
    ])
      expect(() => parseFault(fault), fault).not.to.throw();
    for (const target of ['proxy-1', 'proxy-2'])
      expect(() => parseFault(`do: hang, target: ${target}`, two), target).not.to.throw();
    expect(() => parseFault('do: cut-link, target: proxy-2->backend-1', two)).not.to.throw();
  });

  const refused = [
    ['do: cut-link, target: proxy->backend-1, direction: left', '{}', 'unknown direction "left"'],
    ['do: cut-link, target: backend-1', '{}', 'expected a link such as proxy->backend-1'],
    ['do: kill, target: proxy->backend-1', '{}', 'found the link proxy->backend-1, expected a backend or a store'],
    ['do: cut-link, target: proxy->redis', '{}', 'unknown end of a link from proxy "redis"'],
    ['do: cut-link, target: backend-1->backend-2', '{}', 'unknown end of a link from backend-1 "backend-2"'],
    ['do: cut-link, target: proxy-1->backend-1', '{}', 'unknown start of a link "proxy-1"'],
    ['do: cut-link, target: proxy->backend-1', '{ proxy: { count: 2 } }', 'Did you mean "proxy-'],
    ['do: kill, target: proxy-1', '{}', 'unknown target "proxy-1"'],
    ['do: kill, target: proxy', '{ proxy: { count: 2 } }', 'unknown target "proxy"'],
    ['do: kill, target: proxy-3', '{ proxy: { count: 2 } }', 'unknown target "proxy-3"'],
    ['do: drain, target: proxy', '{}', 'expected a backend'],
    ['do: kill, target: backend-1', '{ proxy: { count: 3 } }', 'expected a whole number from 1 to 2'],
    ['do: slow, target: proxy->backend-1', '{}', 'expected a duration'],
    ['do: slow, target: proxy->backend-1, latency: 0ms', '{}', 'found "0ms"'],
    ['do: throttle, target: proxy->backend-1, rate: 10', '{}', 'expected a rate from 1KB/s to 999KB/s, such as 10KB/s'],
    ['do: throttle, target: proxy->backend-1, rate: 0KB/s', '{}', 'found "0KB/s"'],
    ['do: reset, target: proxy->backend-1', '{}', 'expected a whole number from 0 to 1000000'],
    ['do: truncate, target: proxy->backend-1, bytes: -1', '{}', 'found -1'],
    ['do: reset, target: proxy->backend-1, bytes: 1, latency: 1s', '{}', 'unknown key in a reset fault "latency"'],
    ['do: slow, target: proxy->backend-1, latency: 10min', '{}', 'expected a duration from 1ms to 30s'],
    ['do: kill, target: redis.replica-1', '{}', 'system.redis.replicas says how many there are'],
    ['do: cut-link, target: redis.primary->redis.replica-1', '{}', 'system.redis.replicas says how many there are'],
    ['do: kill, target: proxy-2', '{}', 'system.proxy.count says how many there are'],
    [
      'do: cut-link, target: backend-1->store',
      '{ redis: { replicas: 1, sentinels: 3 } }',
      'Backends ask Sentinels for the address: no link is possible there',
    ],
    ['do: explode, target: backend-1', '{}', 'unknown fault "explode"'],
    ['do: kill, target: redis', '{ redis: { links: proxied } }', 'unknown key in system.redis "links"'],
  ] as const;

  for (const [fault, system, message] of refused)
    it(`refuse ${fault} in ${system}`, () => {
      expect(complaint(scenario(fault, system))).to.include(message);
    });

  it('have no link to the store in a mode without a store server', () => {
    const text = scenario('do: cut-link, target: backend-1->store', '{}', '[all]');
    expect(complaint(text)).to.include('mode sticky has no store server');
  });
});

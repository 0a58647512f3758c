import { expect } from 'chai';
import { dataCommandsIn } from '#src/simulator/cluster/redis-client.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import type { ExpectedEffect } from '#src/simulator/history/records.js';

const slow = { latency: '300ms', jitter: '100ms' };
const feed = 'redis.primary->redis.replica-1';

const table: readonly (readonly [string, string, Readonly<Record<string, unknown>>, ExpectedEffect])[] = [
  ['kill', 'backend-2', {}, { kind: 'silent', member: 'backend-2' }],
  ['kill', 'proxy-1', {}, { kind: 'silent', member: 'proxy-1' }],
  ['kill', 'redis.primary', {}, { kind: 'asked', store: 'redis' }],
  ['hang', 'backend-1', {}, { kind: 'silent', member: 'backend-1' }],
  ['hang', 'memcached.node-2', {}, { kind: 'asked', store: 'memcached' }],
  ['drain', 'backend-1', {}, { kind: 'silent', member: 'backend-1' }],
  ['scale-in', 'backend-1', {}, { kind: 'silent', member: 'backend-1' }],
  ['flap', 'backend-1', { up: '1s', down: '1s' }, { kind: 'silent', member: 'backend-1', whileDown: true }],
  ['stop', 'redis', {}, { kind: 'asked', store: 'redis' }],
  ['pause', 'redis', {}, { kind: 'asked', store: 'redis' }],
  ['power-cut', 'redis', {}, { kind: 'asked', store: 'redis' }],
  ['promote', 'redis.replica-1', {}, { kind: 'asked', store: 'redis' }],
  ['scale-out', 'backend-4', {}, { kind: 'answered', member: 'backend-4' }],
  ['deploy', 'backends', { version: 'v2' }, { kind: 'version', version: 'v2' }],
  ['clock-skew', 'backend-1', { by: '-90s' }, { kind: 'answered', member: 'backend-1' }],
  ['cut-link', 'proxy->backend-1', {}, { kind: 'silent', member: 'backend-1' }],
  ['cut-link', 'proxy-2->backend-1', {}, { kind: 'silent', member: 'backend-1', link: 'proxy-2' }],
  ['cut-link', 'backend-1->postgres', {}, { kind: 'asked', store: 'postgres', from: 'backend-1' }],
  ['cut-link', feed, {}, { kind: 'link-bytes', link: feed }],
  ['slow', 'proxy->backend-1', slow, { kind: 'slow', member: 'backend-1', atLeastMs: 200 }],
  ['slow', 'backend-1->redis', slow, { kind: 'slow', member: 'backend-1', atLeastMs: 200 }],
  [
    'slow',
    'proxy->backend-1',
    { latency: '5ms', jitter: '9ms' },
    { kind: 'slow', member: 'backend-1', atLeastMs: 2.5 },
  ],
  ['slow', feed, slow, { kind: 'link-bytes', link: feed }],
  ['throttle', 'proxy-1->backend-1', { rate: '9KB/s' }, { kind: 'slow', member: 'backend-1' }],
  ['throttle', 'backend-1->redis', { rate: '9KB/s' }, { kind: 'slow', member: 'backend-1' }],
  ['block', 'backend-1', { stall: '200ms', every: '1s' }, { kind: 'slow', member: 'backend-1', atLeastMs: 100 }],
  ['errors', 'backend-1', { percent: 5 }, { kind: 'broken', member: 'backend-1' }],
  ['reset', 'proxy->backend-1', { bytes: 9 }, { kind: 'broken', member: 'backend-1' }],
  ['truncate', 'backend-1->redis', { bytes: 9 }, { kind: 'broken', member: 'backend-1' }],
  ['loss', 'proxy->backend-1', { percent: 30 }, { kind: 'slow', member: 'backend-1', atLeastMs: 200 }],
  ['loss', feed, { percent: 30 }, { kind: 'link-bytes', link: feed }],
  ['drop', 'proxy-2->backend-1', {}, { kind: 'silent', member: 'backend-1', link: 'proxy-2' }],
  ['refuse', 'backend-1->redis', {}, { kind: 'asked', store: 'redis', from: 'backend-1' }],
  ['rotate-secrets', 'secrets', {}, { kind: 'keys' }],
  ['replace-secrets', 'secrets', {}, { kind: 'keys' }],
  ['exec', 'system', { inject: 'true', confirm: 'true' }, { kind: 'confirm-changed' }],
];

describe('the effect that users must notice of a fault', () => {
  for (const [name, target, options, effect] of table)
    it(`${name} of ${target} ${JSON.stringify(options)}: ${effect.kind}`, () => {
      expect(faults[name]?.effect(target, options)).to.deep.equal(effect);
    });

  it('is declared by every fault of the registry, and described in one line', () => {
    expect(new Set(table.map(([name]) => name))).to.have.all.keys(Object.keys(faults));
    for (const [name, { effectInWords }] of Object.entries(faults))
      expect(effectInWords, name).to.match(/^[^\n]{10,150}$/);
  });
});

describe('data commands that a Redis has executed', () => {
  const stat = (name: string, calls: number) => `cmdstat_${name}:calls=${calls},usec=1,usec_per_call=1.00\r\n`;

  for (const [what, info, count] of [
    ['none', '# Commandstats\r\n', 0],
    ['count commands on data', stat('hmget', 3) + stat('evalsha', 4) + stat('set', 1), 8],
    [
      'do not count commands of the lab and of idle connections',
      stat('ping', 9) + stat('role', 9) + stat('info', 9),
      0,
    ],
    [
      'do not count commands of replicas and of readers of revocations',
      stat('replconf', 9) + stat('xread', 9) + stat('wait', 1),
      0,
    ],
    ['do not count subcommands of upkeep', stat('client|setinfo', 9) + stat('config|get', 2) + stat('get', 1), 1],
  ] as const)
    it(`${what}: ${count}`, () => expect(dataCommandsIn(info)).to.equal(count));
});

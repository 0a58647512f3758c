import { expect } from 'chai';
import { nameOf, redirectionIn, slotMapIn, slotOf } from '#src/sessions/stores/redis/cluster.js';

const asked = { host: '10.0.0.9', port: 7 };

describe('slots of a Redis Cluster', () => {
  // Values of CLUSTER KEYSLOT in Redis 7.
  for (const [key, slot] of [
    ['', 0],
    ['foo', 12_182],
    ['123456789', 12_739],
    ['holdfast:revoked', 14_332],
  ] as const) {
    it(`of ${JSON.stringify(key)} is ${slot}`, () => {
      expect(slotOf(key)).to.equal(slot);
    });
  }

  it('are read from CLUSTER SLOTS with replicas; a node without a name has the asked address', () => {
    const { owners, places } = slotMapIn(
      [
        [0, 99, ['10.0.0.1', 6379, 'id'], ['10.0.0.2', 6380, 'id']],
        [100, 16_382, ['', 6381, 'id'], [null, 6382, 'id']],
      ],
      asked,
    );
    expect([0, 99, 100, 16_382, 16_383].map(slot => owners[slot])).to.deep.equal([
      '10.0.0.1:6379',
      '10.0.0.1:6379',
      '10.0.0.9:6381',
      '10.0.0.9:6381',
      undefined,
    ]);
    expect(owners).to.have.length(16_384);
    expect([...places.keys()]).to.deep.equal(['10.0.0.1:6379', '10.0.0.2:6380', '10.0.0.9:6381', '10.0.0.9:6382']);
  });

  for (const reply of [null, 'OK', [], [[]], [[0, 5]], [['x', 'y', 'z']]]) {
    it(`have no node after ${JSON.stringify(reply)}`, () => {
      expect(slotMapIn(reply, asked).owners.filter(owner => owner !== undefined)).to.deep.equal([]);
    });
  }

  for (const [message, expected] of [
    ['MOVED 3999 127.0.0.1:6381', { isMoved: true, place: { host: '127.0.0.1', port: 6381 } }],
    ['ASK 3999 ::1:6381', { isMoved: false, place: { host: '::1', port: 6381 } }],
    ['MOVED 3999 :6381', { isMoved: true, place: { host: '10.0.0.9', port: 6381 } }],
    ['ERR MOVED 3999 127.0.0.1:6381', undefined],
    ['CLUSTERDOWN Hash slot not served', undefined],
  ] as const) {
    it(`redirect after "${message}": ${expected === undefined ? 'no' : nameOf(expected.place)}`, () => {
      expect(redirectionIn(new Error(message), asked)).to.deep.equal(expected);
    });
  }
});

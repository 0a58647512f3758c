import { expect } from 'chai';
import { ConnectionCounts, planDescriptors, RequestRates, takeToken } from '#src/proxy/limits.js';
import { buildAddressKey } from '#src/shared/addresses.js';

describe('limits per client address', () => {
  it('lets a burst through, then one request for each refilled token', () => {
    const rates = new RequestRates(4);
    const admitted = (nowMs: number) => rates.admit('192.0.2.7', nowMs) === 0;
    expect([0, 0, 0, 0, 0].map(admitted)).to.deep.equal([true, true, true, true, false]);
    expect([249, 250, 251, 500, 501].map(admitted)).to.deep.equal([false, true, false, true, false]);
    expect([5000, 5000, 5000, 5000, 5000].map(admitted)).to.deep.equal([true, true, true, true, false]);
  });

  it('says how long to wait, and a refused request costs nothing', () => {
    const rates = new RequestRates(2);
    for (const _ of [1, 2]) expect(rates.admit('a', 0)).to.equal(0);
    for (const nowMs of [0, 100, 200]) expect(rates.admit('a', nowMs)).to.equal(500 - nowMs);
    expect(rates.admit('a', 500)).to.equal(0);
  });

  it('gives each address its own bucket', () => {
    const rates = new RequestRates(1);
    expect([rates.admit('192.0.2.7', 0), rates.admit('192.0.2.8', 0)]).to.deep.equal([0, 0]);
    expect(rates.admit('192.0.2.7', 999)).to.be.above(0);
  });

  it('loses no token of a burst to rounding', () => {
    for (const perSecond of [1, 3, 7, 100, 333, 100_000]) {
      let fullAtMs = 0;
      for (let token = 0; token < perSecond; token += 1) {
        const taken = takeToken(fullAtMs, 1e9 + 0.1, perSecond);
        expect(taken.waitMs).to.equal(0);
        fullAtMs = taken.fullAtMs;
      }
      expect(takeToken(fullAtMs, 1e9 + 0.1, perSecond).waitMs).to.be.above(0);
    }
  });

  it('remembers a bounded number of addresses, and none that has been silent for two seconds', () => {
    const rates = new RequestRates(1, 100);
    for (let address = 0; address < 10_000; address += 1) rates.admit(String(address), 0);
    expect(rates.size).to.be.within(50, 100);
    for (const nowMs of [1000, 2000]) rates.admit('x', nowMs);
    expect(rates.size).to.be.at.most(2);
  });

  it('keeps the bucket of a busy address while tables turn', () => {
    const rates = new RequestRates(10);
    let admitted = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs += 7) if (rates.admit('a', nowMs) === 0) admitted += 1;
    expect(admitted).to.be.within(105, 110);
  });

  it('counts open connections and forgets addresses without any', () => {
    const counts = new ConnectionCounts();
    const ends = [counts.open('a', 2), counts.open('a', 2)];
    expect(counts.open('a', 2)).to.equal(undefined);
    expect(counts.open('b', 2)).not.to.equal(undefined);
    ends[0]?.();
    ends[1]?.();
    expect(counts.size).to.equal(1);
    expect(counts.open('a', 1)).not.to.equal(undefined);
  });

  for (const [address, key] of [
    ['192.0.2.7', '192.0.2.7'],
    ['', ''],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::7', '2001:db8:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  ] as const) {
    it(`counts "${address}" as "${key}"`, () => expect(buildAddressKey(address)).to.equal(key));
  }
});

const table: readonly (readonly [name: string, filesMax: number, openNow: number, clients: number, admin: number])[] = [
  ['the least that still serves', 32, 22, 1, 8],
  ['half of what is left for backends', 64, 22, 11, 8],
  ['a usual shell', 1024, 22, 463, 64],
  ['a usual server', 20_000, 22, 15_806, 64],
  ['as many as memory allows', 1_048_576, 22, 65_536, 64],
  ['no limit known', Number.POSITIVE_INFINITY, 0, 65_536, 64],
];

describe('descriptors of a process', () => {
  for (const [name, filesMax, openNow, clients, admin] of table) {
    it(`${name}: of ${filesMax} at most ${clients} are for clients, ${admin} for the admin API`, () => {
      expect(planDescriptors(filesMax, openNow)).to.deep.equal({ clients, admin, filesMax });
    });
  }
});

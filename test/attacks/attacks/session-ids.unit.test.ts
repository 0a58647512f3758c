import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { countSharedBits, findBiasedBit } from '#src/attacks/attacks/session-ids.js';

const count = 2_000;
const ids = (make: (at: number) => Buffer) => Array.from({ length: count }, (_, at) => make(at));

describe('attacks: randomness of ids', () => {
  it('finds no flaw in random ids', () => {
    const random = ids(() => randomBytes(32));
    expect(findBiasedBit(random)).to.equal(undefined);
    expect(countSharedBits(random)).to.be.within(10, 60);
  });

  it('finds a constant bit and a bit that is rarely set', () => {
    const constant = ids(() =>
      Buffer.concat([randomBytes(4), Buffer.of(0x80 | (randomBytes(1)[0] ?? 0)), randomBytes(4)]),
    );
    expect(findBiasedBit(constant)).to.equal(32);
    const rare = ids(at => Buffer.of((randomBytes(1)[0] ?? 0) & (at % 4 === 0 ? 0xff : 0xfe)));
    expect(findBiasedBit(rare)).to.equal(7);
  });

  it('finds a prefix that two ids share', () => {
    const twins = [Buffer.of(1, 2, 0xf0), Buffer.of(9, 9, 9), Buffer.of(1, 2, 0xff)];
    expect(countSharedBits(twins)).to.equal(20);
    expect(countSharedBits([Buffer.of(7), Buffer.of(7)])).to.equal(8);
  });
});

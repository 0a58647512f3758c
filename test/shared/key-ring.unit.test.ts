import { expect } from 'chai';
import fc from 'fast-check';
import { formatKeyRing, generateKeyRing, KeyRingError, parseKeyRing } from '#src/shared/key-ring.js';

const secretA = 'a1'.repeat(32);
const secretB = 'B2'.repeat(40);

describe('key ring', () => {
  it('reads the keys in the order given, the newest first', () => {
    const keys = parseKeyRing(`new:${secretA}, old_1-x:${secretB}`);
    expect(keys.map(({ id }) => id)).to.deep.equal(['new', 'old_1-x']);
    expect(keys.map(({ secret }) => secret.toString('hex'))).to.deep.equal([secretA, secretB.toLowerCase()]);
  });

  it('reads every ring that it formats', () => {
    const key = fc.record({
      id: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
      secret: fc.uint8Array({ minLength: 32, maxLength: 80 }).map(bytes => Buffer.from(bytes)),
    });
    const ring = fc.uniqueArray(key, { minLength: 1, maxLength: 16, selector: ({ id }) => id });
    fc.assert(
      fc.property(ring, keys => {
        expect(parseKeyRing(formatKeyRing(keys))).to.deep.equal(keys);
      }),
    );
  });

  it('generates a different, valid key each time', () => {
    const [first] = generateKeyRing();
    const [second] = generateKeyRing();
    expect(first?.secret).to.have.length(32);
    expect(first?.secret.equals(second?.secret ?? Buffer.alloc(32))).to.equal(false);
    expect(parseKeyRing(formatKeyRing(generateKeyRing()))).to.have.length(1);
  });

  const sad: readonly (readonly [what: string, text: string, told: RegExp])[] = [
    ['nothing', '', /key 1 is empty/],
    ['an empty entry', `a:${secretA},`, /key 2 is empty/],
    ['no colon', secretA, /key 1 has no ":"/],
    ['no id', `:${secretA}`, /id of key 1/],
    ['an id with a dot, which would split the cookie', `a.b:${secretA}`, /id of key 1/],
    ['an id that is too long', `${'a'.repeat(33)}:${secretA}`, /id of key 1/],
    ['an id twice', `a:${secretA},a:${secretB}`, /key 2 has an id that an earlier key has/],
    ['no secret', 'a:', /secret of key 1 is not an even number of hex digits/],
    ['a secret that is no hex', `a:${'z'.repeat(64)}`, /secret of key 1 is not/],
    ['half a byte', `a:${secretA}f`, /secret of key 1 is not/],
    ['a short secret', `b:${secretB},a:${secretA.slice(2)}`, /secret of key 2 has 31 bytes; at least 32/],
    ['a second colon', `a:${secretA}:b`, /secret of key 1 is not/],
    ['too many keys', Array.from({ length: 17 }, (_, i) => `k${i}:${secretA}`).join(), /17 keys; at most 16/],
  ];
  for (const [what, text, told] of sad) {
    it(`refuses ${what}, says what was expected and never shows the secret`, () => {
      const message = messageOf(() => parseKeyRing(text));
      expect(message).to.match(told);
      expect(message).to.include('id:hex,id:hex').and.include('randomBytes(32)');
      expect(message.toLowerCase()).not.to.include('a1a1').and.not.include('b2b2').and.not.include('zzzz');
    });
  }
});

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof KeyRingError) return error.message;
    throw error;
  }
  throw new Error('expected a KeyRingError');
}

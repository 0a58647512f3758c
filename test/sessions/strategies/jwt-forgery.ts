import { createHmac, hkdfSync } from 'node:crypto';
import type { KeyRing } from '#src/shared/key-ring.js';

/** Tokens for tests only. They are signed with the real key where a token must be refused in spite of a good signature.
 * They are built by hand, because jose refuses to make most of them. */
export class Forge {
  readonly #key: Buffer;
  readonly #kid: string;

  constructor([newest]: KeyRing) {
    if (newest === undefined) throw new Error('a forge needs a key');
    this.#kid = newest.id;
    this.#key = Buffer.from(hkdfSync('sha256', newest.secret, '', 'holdfast:jwt:access', 32));
  }

  /** Merges `header` into the genuine header. A member that is undefined is left out. */
  signed(claims: unknown, header: object = {}): string {
    return this.text(JSON.stringify({ alg: 'HS256', kid: this.#kid, typ: 'at+jwt', ...header }), claims);
  }

  text(header: string, claims: unknown, key: Buffer = this.#key): string {
    const signing = `${encoded(header)}.${encoded(typeof claims === 'string' ? claims : JSON.stringify(claims))}`;
    return `${signing}.${createHmac('sha256', key).update(signing).digest('base64url')}`;
  }
}

export function encoded(text: string): string {
  return Buffer.from(text).toString('base64url');
}

/** Decodes a part of a token, as any reader can. */
export function decoded(token: string, part: 0 | 1 = 1): Record<string, unknown> {
  return Object(JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString()));
}

import { createSecretKey, hkdfSync, type KeyObject, webcrypto } from 'node:crypto';
import type { KeyRing } from '../../../key-ring.js';

type CryptoKey = webcrypto.CryptoKey;

/** The one algorithm there is, for signing and for verifying: no token is ever asked for it. */
const algorithm = 'HS256';
/** RFC 9068 gives access tokens a type of their own, so that no other signed text passes for one. */
export const tokenType = 'at+jwt';

const keyBytes = 32;
/** Another key than the ones that seal: what one of them makes is nothing to the other. */
const purpose = 'holdfast:jwt:access';

export interface Header {
  readonly alg: typeof algorithm;
  readonly kid: string;
  readonly typ: typeof tokenType;
}

export interface SigningKey {
  readonly header: Header;
  /** What verifies. */
  readonly secret: KeyObject;
  /** The same for what signs. Imported once: jose would import it again for every token, at twice the cost of signing. */
  readonly key: Promise<CryptoKey>;
}

/** The keys of the ring, found by the first part of a token. A header of any other spelling belongs to no key. */
export class SigningKeys {
  readonly #keys: () => KeyRing;
  #ring: KeyRing = [];
  #byHeader: ReadonlyMap<string, SigningKey> = new Map();

  constructor(keys: () => KeyRing) {
    this.#keys = keys;
  }

  newest(): SigningKey {
    const [newest] = this.#current().values();
    if (newest === undefined) throw new RangeError('a key ring without a key signs nothing');
    return newest;
  }

  under(header: string): SigningKey | undefined {
    return this.#current().get(header);
  }

  #current(): ReadonlyMap<string, SigningKey> {
    const ring = this.#keys();
    if (ring !== this.#ring) {
      this.#byHeader = new Map(ring.map(derived).map(key => [encoded(key.header), key]));
      this.#ring = ring;
    }
    return this.#byHeader;
  }
}

function derived({ id, secret }: KeyRing[number]): SigningKey {
  const bytes = hkdfSync('sha256', secret, '', purpose, keyBytes);
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  return {
    header: { alg: algorithm, kid: id, typ: tokenType },
    secret: createSecretKey(Buffer.from(bytes)),
    key: webcrypto.subtle.importKey('raw', bytes, hmac, false, ['sign', 'verify']),
  };
}

/** As jose writes it: the members in this order, without spaces. */
function encoded(header: Header): string {
  return Buffer.from(JSON.stringify(header)).toString('base64url');
}

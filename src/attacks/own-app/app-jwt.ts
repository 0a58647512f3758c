import { createHmac, createPublicKey, type KeyObject } from 'node:crypto';

/** Reads and forges signed tokens (RFC 7519) of an app. */

export type JwtPart = Readonly<Record<string, unknown>>;

export interface Jwt {
  /** The token as it stands in the value of the cookie or header. */
  readonly text: string;
  readonly header: JwtPart;
  readonly claims: JwtPart;
  readonly signature: string;
}

/** Finds a signed token in a value; the app may put something before or after it. */
export function findJwt(value: string): Jwt | undefined {
  const found = /[\w-]{8,}\.[\w-]{4,}\.[\w-]*/.exec(value)?.[0];
  if (found === undefined) return undefined;
  const [head = '', body = '', signature = ''] = found.split('.');
  const [header, claims] = [decode(head), decode(body)];
  if (header?.alg === undefined || claims === undefined) return undefined;
  return { text: found, header, claims, signature };
}

function decode(part: string): JwtPart | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value))
      : undefined;
  } catch {
    return undefined;
  }
}

/** Builds a token. `sign` returns the signature of the text before the second dot. */
export function buildJwt(header: JwtPart, claims: JwtPart, sign: (text: string) => Buffer | string): string {
  const encode = (part: JwtPart) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const text = `${encode(header)}.${encode(claims)}`;
  const signature = sign(text);
  return `${text}.${typeof signature === 'string' ? signature : signature.toString('base64url')}`;
}

/** Replaces the name of one user by that of another in every claim. Adds a claim when no claim holds the name. */
export function claimOther(claims: JwtPart, own: string, other: string): JwtPart {
  const swapped = Object.entries(claims).map(([name, value]) => [
    name,
    typeof value === 'string' && value.includes(own) ? value.replaceAll(own, other) : value,
  ]);
  const changed = Object.fromEntries(swapped);
  return JSON.stringify(changed) === JSON.stringify(claims) ? { ...claims, changed: true } : changed;
}

/** Secrets that real apps have used. */
const guessedSecrets: readonly string[] = [
  ...['', 'secret', 'password', 'changeme', 'change-me', 'default', 'jwt', 'jwt-secret', 'jwt_secret', 'key', 'test'],
  ...['your-256-bit-secret', 'your-secret-key', 'your_jwt_secret', 'supersecret', 'keyboard cat', 'shhhhh', 'admin'],
  ...[
    'secretkey',
    'secret-key',
    'secret_key',
    'mysecret',
    'my-secret',
    'my_secret',
    'dev',
    '123456',
    'null',
    'undefined',
  ],
  ...['password123', 'letmein', 'qwerty', 'changeit', 'mysecretkey', 'jwtsecret', 'topsecret'],
];

/** Returns the guessed secret with which a token was signed; undefined when it is none of them. */
export function findSecret({ text, header, signature }: Jwt): string | undefined {
  const digest = /^HS(256|384|512)$/.exec(String(header.alg))?.[1];
  if (digest === undefined) return undefined;
  const signed = text.slice(0, text.lastIndexOf('.'));
  return guessedSecrets.find(
    secret => createHmac(`sha${digest}`, secret).update(signed).digest('base64url') === signature,
  );
}

/** Returns the public keys of a JWK set. Entries that are no public key are left out. */
export function publicKeysOf(text: string): readonly KeyObject[] {
  try {
    const keys: unknown = Reflect.get(Object(JSON.parse(text)), 'keys');
    return (Array.isArray(keys) ? keys : []).flatMap(toPublicKey);
  } catch {
    return [];
  }
}

function toPublicKey(key: object): KeyObject[] {
  try {
    return [createPublicKey({ key: { ...key }, format: 'jwk' })];
  } catch {
    return [];
  }
}

/** Lists the forms in which a verifier can hold a public key: with them as a secret, HS256 could be accepted. */
export function listKeyForms(key: KeyObject): readonly (readonly [form: string, secret: string | Buffer])[] {
  const pem = String(key.export({ type: 'spki', format: 'pem' }));
  const forms: (readonly [string, string | Buffer])[] = [
    ['PEM', pem],
    ['PEM without the last line end', pem.trimEnd()],
    ['DER', key.export({ type: 'spki', format: 'der' })],
    ['JWK', JSON.stringify(key.export({ format: 'jwk' }))],
  ];
  if (key.asymmetricKeyType === 'rsa')
    forms.push(['PEM of PKCS #1', String(key.export({ type: 'pkcs1', format: 'pem' }))]);
  return forms;
}

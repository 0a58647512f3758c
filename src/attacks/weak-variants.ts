import type { ModeName } from '../modes.js';
import { packageFile } from '../shared/package.js';

/** A system with a planted weakness. Certain attacks must succeed in it. */
export interface WeakVariant {
  /** One line: what is wrong with it. */
  readonly summary: string;
  /** The mode in which it runs. */
  readonly mode: ModeName;
  /** `SHOP_DEFECT` of every backend: one defect, or several separated by commas. */
  readonly defect?: string;
  /** Absolute path of a Node program that replaces the proxy and takes the same command line. */
  readonly proxyProgram?: string;
}

export const weakVariants = {
  'unended-sessions': {
    summary: 'a logout, a disabled user and a new password end no session; any user is an administrator',
    mode: 'redis',
    defect: 'revive-after-logout,unlisted-sessions,unchanged-accounts,everyone-administers',
  },
  'jwt-without-denylist': {
    summary: 'a token cannot be revoked before it expires, and a refresh token can be reused',
    mode: 'jwt',
    defect: 'no-revocation,endless-refresh',
  },
  'sealed-without-denylist': {
    summary: 'a token cannot be revoked before it expires: there is no list of revoked tokens',
    mode: 'sealed',
    defect: 'no-revocation',
  },
  'jwt-trusting': {
    summary: 'a token chooses how it is verified, its claims are not checked, a part of it is enough; ids are counted',
    mode: 'jwt',
    defect: 'trusting-jwt,half-logins,counting-ids,loose-tokens',
  },
  'seal-trusting': {
    summary: 'a sealed token is opened without a check of its tag, its purpose and its times; ids are counted',
    mode: 'sealed',
    defect: 'trusting-seal,counting-ids,loose-tokens',
  },
  'careless-shop': {
    summary: 'careless handling of cookies, origins, one-time codes, GET, the cart (in a cookie) and proxy headers',
    mode: 'redis',
    defect:
      'any-origin,bare-cookies,cart-in-cookie,any-method,get-logs-in,user-header,forgetful-accounts,any-address,wide-totp',
  },
  'careless-accounts': {
    summary: 'nonces and passwords are not checked, handles are mixed up, and a session is overwritten blindly',
    mode: 'redis',
    defect: 'no-nonce,any-password,foreign-handles,loose-tokens,blind-overwrite',
  },
  'lenient-shop': {
    summary: 'half a token, another cookie name, half a login or a forwarded host is enough; some writes are dropped',
    mode: 'redis',
    defect: 'one-counter,short-ids,forwarded-host,half-logins,loose-tokens,loose-names,drop-writes',
  },
  'trusting-sticky': {
    summary: 'the affinity cookie names the backend and is not verified; a login keeps the id that the browser sent',
    mode: 'sticky',
    proxyProgram: packageFile('dist/attacks/weak/unsigned-affinity.js'),
    defect: 'get-logs-in,keep-id-at-login,no-nonce',
  },
  'sessions-on-disk': {
    summary: 'a restarted backend accepts the sessions that it had before, even those that have ended since',
    mode: 'sticky',
    defect: 'sessions-on-disk',
  },
  'timed-ids': {
    summary: 'a session id is the time of its login in milliseconds',
    mode: 'redis',
    defect: 'timed-ids',
  },
  'endless-sessions': {
    summary: 'no limit of a session is checked, and the absolute limit starts again with every new token',
    mode: 'redis',
    defect: 'endless-idle,endless-rotation,endless-use',
  },
} as const satisfies Record<string, WeakVariant>;

export type WeakVariantName = keyof typeof weakVariants;

export const weakVariantNames = Object.keys(weakVariants) as readonly WeakVariantName[];

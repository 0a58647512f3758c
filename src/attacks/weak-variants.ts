import type { ModeName } from '../modes.js';
import { packageFile } from '../shared/package-file.js';

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
  'logout-undone': {
    summary: 'the logout clears the cookie, but the session stays valid under its token',
    mode: 'redis',
    defect: 'revive-after-logout',
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
  'blind-overwrite': {
    summary: 'a session is written back without compare-and-set, and overwrites what the store holds by then',
    mode: 'redis',
    defect: 'blind-overwrite',
  },
  'jwt-trusting': {
    summary: 'a token chooses how it is verified, its claims are not checked, and a part of it is enough',
    mode: 'jwt',
    defect: 'trusting-jwt,half-logins,loose-tokens',
  },
  'seal-trusting': {
    summary: 'a sealed token is opened without a check of its tag, its purpose and its times',
    mode: 'sealed',
    defect: 'trusting-seal,loose-tokens',
  },
  'careless-shop': {
    summary: 'careless handling of cookies, origins, one-time codes, GET, the cart (in a cookie) and proxy headers',
    mode: 'redis',
    defect: 'any-origin,bare-cookies,cart-in-cookie,any-method,get-logs-in,user-header,forgetful-accounts,wide-totp',
  },
  'lenient-shop': {
    summary: 'half a token, another cookie name, half a login or a forwarded host is enough; some writes are dropped',
    mode: 'redis',
    defect: 'short-ids,forwarded-host,half-logins,loose-tokens,loose-names,drop-writes',
  },
  'unsigned-affinity': {
    summary: 'the affinity cookie holds the name and address of the backend, and is not verified',
    mode: 'sticky',
    proxyProgram: packageFile('dist/attacks/weak/unsigned-affinity.js'),
  },
  'keep-id-at-login': {
    summary: 'a login keeps the session id that the browser sent, a visit begins a session, and any nonce will do',
    mode: 'sticky',
    defect: 'get-logs-in,keep-id-at-login,no-nonce',
  },
  'sessions-on-disk': {
    summary: 'a restarted backend accepts the sessions that it had before, even those that have ended since',
    mode: 'sticky',
    defect: 'sessions-on-disk',
  },
  'counting-ids': {
    summary: 'a session id is a prefix and a counter',
    mode: 'redis',
    defect: 'counting-ids',
  },
  'jwt-counting-ids': {
    summary: 'the id in a token and its refresh token are a prefix and a counter',
    mode: 'jwt',
    defect: 'counting-ids',
  },
  'sealed-counting-ids': {
    summary: 'the id in a token is a prefix and a counter',
    mode: 'sealed',
    defect: 'counting-ids',
  },
  'timed-ids': {
    summary: 'a session id is the time of its login in milliseconds',
    mode: 'redis',
    defect: 'timed-ids',
  },
  'unlisted-sessions': {
    summary: 'sessions cannot be found to end them, an account stays as it was, and any user is an administrator',
    mode: 'redis',
    defect: 'unlisted-sessions,unchanged-accounts,everyone-administers',
  },
  'endless-sessions': {
    summary: 'the idle limit is not checked, and the absolute limit starts again with every new token',
    mode: 'redis',
    defect: 'endless-idle,endless-rotation',
  },
  'endless-use': {
    summary: 'the absolute limit is not checked: a session lives as long as it is used',
    mode: 'redis',
    defect: 'endless-use',
  },
  'careless-accounts': {
    summary: 'nonces and passwords are not checked, and handles of sessions are mixed up or open them',
    mode: 'redis',
    defect: 'no-nonce,any-password,foreign-handles,loose-tokens',
  },
} as const satisfies Record<string, WeakVariant>;

export type WeakVariantName = keyof typeof weakVariants;

export const weakVariantNames = Object.keys(weakVariants) as readonly WeakVariantName[];

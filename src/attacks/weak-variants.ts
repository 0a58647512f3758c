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
    summary: 'a token cannot be revoked before it expires: there is no list of revoked tokens',
    mode: 'jwt',
    defect: 'no-revocation',
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
    summary: 'a token chooses how it is verified, its claims are not checked, and a refresh token can be reused',
    mode: 'jwt',
    defect: 'trusting-jwt,endless-refresh',
  },
  'careless-shop': {
    summary: 'careless handling of cookies, origins, one-time codes, GET, the cart (in a cookie) and proxy headers',
    mode: 'redis',
    defect: 'any-origin,bare-cookies,cart-in-cookie,get-logs-in,user-header,forgetful-accounts',
  },
  'unsigned-affinity': {
    summary: 'the affinity cookie holds the name and address of the backend in plain text, and is not verified',
    mode: 'sticky',
    proxyProgram: packageFile('dist/attacks/weak/unsigned-affinity.js'),
  },
  'keep-id-at-login': {
    summary: 'a login keeps the session id that the browser sent: no new id is made',
    mode: 'sticky',
    defect: 'keep-id-at-login',
  },
  'sessions-on-disk': {
    summary: 'a restarted backend accepts the sessions that it had before, even those that have ended since',
    mode: 'sticky',
    defect: 'sessions-on-disk',
  },
  'short-ids': {
    summary: 'the store compares only the first 32 characters of an id',
    mode: 'redis',
    defect: 'short-ids',
  },
  'counting-ids': {
    summary: 'a session id is a prefix and a counter',
    mode: 'redis',
    defect: 'counting-ids',
  },
  'unlisted-sessions': {
    summary: 'sessions are not listed by user, so the sessions of one user cannot be found and ended',
    mode: 'redis',
    defect: 'unlisted-sessions',
  },
  'endless-sessions': {
    summary: 'the idle limit is not checked, and the absolute limit starts again with every new token',
    mode: 'redis',
    defect: 'endless-idle,endless-rotation',
  },
  'careless-accounts': {
    summary: 'a password change accepts any nonce, and any user can end any session by its handle',
    mode: 'redis',
    defect: 'no-nonce,foreign-handles',
  },
} as const satisfies Record<string, WeakVariant>;

export type WeakVariantName = keyof typeof weakVariants;

export const weakVariantNames = Object.keys(weakVariants) as readonly WeakVariantName[];

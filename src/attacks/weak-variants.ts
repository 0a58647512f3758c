import type { ModeName } from '../modes.js';
import { packageFile } from '../shared/package-file.js';

/** A system with one weakness planted, in which certain attacks must be seen to succeed. */
export interface WeakVariant {
  /** One line: what is wrong with it. */
  readonly summary: string;
  /** Where it is run. */
  readonly mode: ModeName;
  /** `SHOP_DEFECT` of every backend: one, or several with commas. */
  readonly defect?: string;
  /** A Node program in place of the proxy, with the same command line; absolute path. */
  readonly proxyProgram?: string;
}

export const weakVariants = {
  'logout-undone': {
    summary: 'the logout clears the cookie, and the session lives on under its token',
    mode: 'redis',
    defect: 'revive-after-logout',
  },
  'jwt-without-denylist': {
    summary: 'nobody can end a token before its time: there is no list of revoked ones',
    mode: 'jwt',
    defect: 'no-revocation',
  },
  'sealed-without-denylist': {
    summary: 'nobody can end a token before its time: there is no list of revoked ones',
    mode: 'sealed',
    defect: 'no-revocation',
  },
  'blind-overwrite': {
    summary: 'a session is written back whole, whatever the store holds by now: no compare-and-set',
    mode: 'redis',
    defect: 'blind-overwrite',
  },
  'jwt-trusting': {
    summary: 'a token chooses how it is verified, its claims are believed, and a refresh token is good again and again',
    mode: 'jwt',
    defect: 'trusting-jwt,endless-refresh',
  },
  'careless-shop': {
    summary: 'cookies, origins, one-time codes, GET, a cart in a cookie, headers of proxies: each treated carelessly',
    mode: 'redis',
    defect: 'any-origin,bare-cookies,cart-in-cookie,get-logs-in,user-header,forgetful-accounts',
  },
  'unsigned-affinity': {
    summary: 'the affinity cookie names the backend in plain words, with its address, and whatever it says is believed',
    mode: 'sticky',
    proxyProgram: packageFile('dist/attacks/weak/unsigned-affinity.js'),
  },
  'keep-id-at-login': {
    summary: 'a session keeps whatever id the browser came with: none is made anew at login',
    mode: 'sticky',
    defect: 'keep-id-at-login',
  },
  'sessions-on-disk': {
    summary: 'a backend that starts again believes the sessions that it had, whatever has become of them meanwhile',
    mode: 'sticky',
    defect: 'sessions-on-disk',
  },
  'short-ids': {
    summary: 'the store looks at the first 32 characters of an id only',
    mode: 'redis',
    defect: 'short-ids',
  },
  'counting-ids': {
    summary: 'session ids are a number that counts up behind a prefix',
    mode: 'redis',
    defect: 'counting-ids',
  },
  'unlisted-sessions': {
    summary: 'nobody knows whose sessions there are, so those of a user cannot be found to end them',
    mode: 'redis',
    defect: 'unlisted-sessions',
  },
  'endless-sessions': {
    summary: 'nobody looks at how long a session is not used, and with every new token its absolute limit begins anew',
    mode: 'redis',
    defect: 'endless-idle,endless-rotation',
  },
  'careless-accounts': {
    summary: 'a change of the password takes any nonce; who ends a session by its handle is not asked whose it is',
    mode: 'redis',
    defect: 'no-nonce,foreign-handles',
  },
} as const satisfies Record<string, WeakVariant>;

export type WeakVariantName = keyof typeof weakVariants;

export const weakVariantNames = Object.keys(weakVariants) as readonly WeakVariantName[];

import path from 'node:path';
import type { ModeName } from '../modes.js';

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
    summary: 'a token chooses how it is verified, and its claims are believed',
    mode: 'jwt',
    defect: 'trusting-jwt',
  },
  'careless-shop': {
    summary: 'cookies, origins, one-time codes, GET, a cart in a cookie, headers of proxies: each treated carelessly',
    mode: 'redis',
    defect: 'any-origin,bare-cookies,cart-in-cookie,get-logs-in,user-header,forgetful-accounts',
  },
  'unsigned-affinity': {
    summary: 'the affinity cookie names the backend in plain words, with its address, and whatever it says is believed',
    mode: 'sticky',
    proxyProgram: path.resolve(import.meta.dirname, 'weak/unsigned-affinity.js'),
  },
} as const satisfies Record<string, WeakVariant>;

export type WeakVariantName = keyof typeof weakVariants;

export const weakVariantNames = Object.keys(weakVariants) as readonly WeakVariantName[];

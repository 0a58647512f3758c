import type { FailureRow } from '../row.js';
import {
  cutChunked,
  cutLength,
  hung,
  killed,
  refused,
  reset,
  resetChunked,
  restarted,
  restartedNamed,
} from './backends.js';
import { expired, firstVisit, foreign, forged, returning, severalCookies } from './cookies.js';
import { gepPermanent, gepScoped, gepSessionCookie, gepSimple, gepWeights } from './gep-1619.js';
import { drained, proxyRestarted, reloaded, reordered, scaledOut, twoProxies } from './pool.js';

/** The rows of the failure table, by the names of `--row`, in the order of the table. */
export const rows: Readonly<Record<string, FailureRow>> = {
  'gep-simple': gepSimple,
  'gep-session-cookie': gepSessionCookie,
  'gep-weights': gepWeights,
  'gep-permanent-cookie': gepPermanent,
  'gep-scoped': gepScoped,
  'first-visit': firstVisit,
  return: returning,
  forged,
  expired,
  foreign,
  'several-cookies': severalCookies,
  killed,
  refused,
  hung,
  reset,
  'reset-chunked': resetChunked,
  cut: cutLength,
  'cut-chunked': cutChunked,
  restarted,
  'restarted-named': restartedNamed,
  drained,
  'scaled-out': scaledOut,
  reordered,
  reloaded,
  'proxy-restarted': proxyRestarted,
  'two-proxies': twoProxies,
};

import type { SessionData } from '#src/sessions/session.js';
import { BrowserChanged } from './refusal.js';

/** Most browsers claim to be others too, so the order matters. */
const families: readonly [string, RegExp][] = [
  ['edge', /\bEdg(?:e|A|iOS)?\//],
  ['opera', /\b(?:OPR|Opera)\//],
  ['samsung', /\bSamsungBrowser\//],
  ['firefox', /\b(?:Firefox|FxiOS)\//],
  ['chrome', /(?:Chrome|Chromium|\bCriOS)\//],
  ['safari', /\bVersion\/.*\bSafari\//],
];

/**
 * The family and nothing more of a User-Agent: the version changes with every update, the family of a session does not.
 * Undefined for what is no browser that we know.
 */
export function browserFamily(agent: string | undefined): string | undefined {
  if (agent === undefined) return undefined;
  return families.find(([, shape]) => shape.test(agent))?.[0];
}

/** A session that was begun by what is no known browser has no family, and goes unchecked. */
export function refuseOtherBrowser(agent: string | undefined, data: SessionData | undefined): void {
  if (data?.family !== undefined && data.family !== browserFamily(agent)) throw new BrowserChanged();
}

export function keepFamily(data: SessionData, agent: string | undefined): void {
  const family = browserFamily(agent);
  if (family === undefined) delete data.family;
  else data.family = family;
}

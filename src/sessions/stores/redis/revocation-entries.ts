import { everyone, type RevokedTokens } from '../../revocation-feed.js';

/**
 * One entry of the stream of revocations:
 *
 *   handles   <handle> <handle> ...   these sessions
 *   user      <tag> <epoch>           all sessions of this user with an older epoch
 *   everyone  <epoch>                 all sessions with an older epoch
 */
export interface RevocationEntry {
  /** Time after which the entry may be forgotten. */
  readonly untilMs: number;
  readonly what: 'handles' | 'user' | 'everyone';
  readonly value: string;
}

const handlesPerEntry = 500;

export function buildHandlesEntries(handles: readonly string[], untilMs: number): RevocationEntry[] {
  const entries: RevocationEntry[] = [];
  for (let at = 0; at < handles.length; at += handlesPerEntry)
    entries.push({ untilMs, what: 'handles', value: handles.slice(at, at + handlesPerEntry).join(' ') });
  return entries;
}

export function buildEpochEntry(owner: string, epoch: number, untilMs: number): RevocationEntry {
  if (owner === everyone) return { untilMs, what: 'everyone', value: String(epoch) };
  return { untilMs, what: 'user', value: `${owner} ${epoch}` };
}

/** Parses the fields of an entry. Undefined for an entry of another program. */
export function parseEntry([, until, what, value = '']: readonly string[]): RevocationEntry | undefined {
  const isOurs = what === 'handles' || what === 'user' || what === 'everyone';
  return isOurs ? { untilMs: Number(until), what, value } : undefined;
}

/** Adds an entry to the copy. Returns the names of what it revokes. */
export function addEntry(tokens: RevokedTokens, { untilMs, what, value }: RevocationEntry): readonly string[] {
  const words = value.split(' ');
  if (what === 'handles') {
    tokens.add(words, untilMs);
    return words;
  }
  const [owner = '', epoch] = what === 'everyone' ? [everyone, value] : words;
  tokens.addEpoch(owner, Number(epoch), untilMs);
  return [nameEpoch(owner, Number(epoch))];
}

/** Returns entries for all that the copy has and `seen`, the names that the stream has, does not. */
export function buildMissingEntries(tokens: RevokedTokens, seen: ReadonlySet<string>, nowMs: number) {
  const missing: RevocationEntry[] = [];
  for (const [owner, { epoch, untilMs }] of tokens.epochs()) {
    if (untilMs > nowMs && !seen.has(nameEpoch(owner, epoch))) missing.push(buildEpochEntry(owner, epoch, untilMs));
  }
  const lost = [...tokens.handles()].filter(([handle, untilMs]) => untilMs > nowMs && !seen.has(handle));
  const latestMs = lost.reduce((latest, [, untilMs]) => Math.max(latest, untilMs), 0);
  return [
    ...missing,
    ...buildHandlesEntries(
      lost.map(([handle]) => handle),
      latestMs,
    ),
  ];
}

/** An epoch has a name of its own: an older one in the stream does not replace a newer one. */
function nameEpoch(owner: string, epoch: number): string {
  return `${owner} ${epoch}`;
}

import type { FaultRecord, Operation, RunRecord } from '../history/records.js';
import type { HashMoves } from './findings.js';
import { namesOf, wasAnswered } from './struck.js';
import type { Tally } from './tally.js';

/** Which versions and which backends answered a user, and which backends a hash would choose. All functions take the
 * operations of one user in sending order. */

/** Counts the user if two versions answered it, and if an old version answered it again after a new one. */
export function noteVersions(operations: readonly Operation[], counts: Tally['exposure']): void {
  const seen = new Set<string>();
  let [last, lastDoneMs, hasGoneBack] = ['', 0, false];
  for (const { kind, version, sentMs, doneMs } of operations) {
    // A replay runs beside other requests, and so may the requests of tabs: their order is not known.
    if (version === undefined || kind === 'replay' || sentMs < lastDoneMs) continue;
    if (version !== last && seen.has(version)) hasGoneBack = true;
    seen.add(version);
    [last, lastDoneMs] = [version, doneMs];
  }
  if (seen.size > 1) counts.sawBothVersions += 1;
  if (hasGoneBack) counts.wentBack += 1;
}

/** Counts the user if it was answered before the first fault and after the last one was confirmed, and if another
 * backend answered it then. */
export function noteMove(
  operations: readonly Operation[],
  faults: readonly FaultRecord[],
  counts: Tally['exposure'],
): void {
  const beforeMs = Math.min(...faults.map(({ requestedMs }) => requestedMs));
  const afterMs = Math.max(...faults.map(({ confirmedMs }) => confirmedMs ?? Number.NEGATIVE_INFINITY));
  let before: string | undefined;
  for (const operation of operations) {
    const { backend, sentMs, doneMs } = operation;
    if (backend === undefined || !wasAnswered(operation)) continue;
    if (doneMs < beforeMs) before = backend;
    else if (sentMs >= afterMs && afterMs >= beforeMs) {
      if (before === undefined) return;
      counts.present += 1;
      if (backend !== before) counts.moved += 1;
      return;
    }
  }
}

/** Returns how many backends were added, and how many there were then. Null when none was added, or the proxy chooses by
 * no hash. A hash moves the keys of the new backends only, so it moves the share `added / all` of the users. */
export function addedByHash(run: RunRecord): HashMoves | null {
  const added = run.faults.filter(({ fault, confirmedMs }) => fault === 'scale-out' && confirmedMs !== null);
  const [first] = added;
  if (first === undefined || run.header.system?.policy === undefined) return null;
  const ran = namesOf(run, 'backend').filter(name => ranAt(name, first.requestedMs, run)).length;
  return { added: added.length, all: ran + added.length };
}

function ranAt(name: string, atMs: number, { members }: RunRecord): boolean {
  const last = members.findLast(one => one.member === name && one.atMs < atMs);
  return last !== undefined && last.state !== 'dead';
}

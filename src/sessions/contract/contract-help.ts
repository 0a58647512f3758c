import assert from 'node:assert/strict';
import type { SessionData } from '../session.js';
import type { SessionStore } from '../session-store.js';

/** The idle limit of the sessions that the contract makes. */
export const idleMs = 1_800_000;

/** Asserts that two lists have the same members, in any order. */
export function assertMembers(given: unknown, expected: readonly unknown[]): void {
  assert.ok(Array.isArray(given));
  assert.deepEqual(given.map(String).toSorted(), expected.map(String).toSorted());
}

export function assertWithin(given: number, least: number, most: number): void {
  assert.ok(given >= least && given <= most, `expected ${given} to be within ${least} and ${most}`);
}

/** Adds a name to the edits of a session. Retries until it is saved. */
export async function append(store: SessionStore, id: string, name: string): Promise<void> {
  for (;;) {
    const found = await store.read(id);
    if (found === undefined) throw new Error('the session is gone');
    const data: SessionData = { edits: [...editsOf(found.data), name] };
    if ((await store.replace(id, { ...found, data, version: found.version + 1 })) === 'saved') return;
  }
}

function editsOf({ edits }: SessionData): readonly string[] {
  return Array.isArray(edits) ? edits.map(String) : [];
}

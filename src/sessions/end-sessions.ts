import { SessionConflict } from './errors.js';
import type { SessionStore } from './session-store.js';

const roundsMax = 100;
/** Limits parallel calls. Each call to the store has its own deadline, and the last of a thousand parallel calls would
 * miss it. */
const removedAtOnce = 100;

/**
 * Ends every session of `user` except the one with the handle `except`. Resolves with the number of ended sessions. A
 * store lists a limited number of sessions at once, so this repeats until the list is empty. Rejects with
 * `SessionConflict` after 100 rounds.
 */
export async function endAll(
  store: SessionStore,
  user: string,
  except: string | undefined,
  end: (handles: readonly string[]) => Promise<number>,
): Promise<number> {
  let ended = 0;
  for (let rounds = 0; rounds < roundsMax; rounds++) {
    const listed = await store.listByUser(user);
    const handles = listed.map(({ handle }) => handle).filter(handle => handle !== except);
    if (handles.length === 0) return ended;
    ended += await end(handles);
  }
  throw new SessionConflict();
}

/** Removes these sessions. Resolves with the number that were still there. */
export async function removeByHandles(store: SessionStore, user: string, handles: readonly string[]): Promise<number> {
  let count = 0;
  for (let at = 0; at < handles.length; at += removedAtOnce) {
    const some = handles.slice(at, at + removedAtOnce);
    const removed = await Promise.all(some.map(handle => store.removeByHandle(user, handle)));
    count += removed.filter(Boolean).length;
  }
  return count;
}

import { SessionConflict } from './errors.js';
import type { SessionStore } from './session-store.js';

const roundsMax = 100;
/** Each call to the store has its own deadline: of a thousand at once the last would wait for all others. */
const removedAtOnce = 100;

/** Ends every session of `user` but the one with the handle `except`: again until the list is empty, since there may be
 * more than are listed at once. Resolves with how many there were; 100 rounds that were not enough: `SessionConflict`. */
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

/** Resolves with how many of them were still there. */
export async function removeThese(store: SessionStore, user: string, handles: readonly string[]): Promise<number> {
  let count = 0;
  for (let at = 0; at < handles.length; at += removedAtOnce) {
    const some = handles.slice(at, at + removedAtOnce);
    const removed = await Promise.all(some.map(handle => store.removeByHandle(user, handle)));
    count += removed.filter(Boolean).length;
  }
  return count;
}

import { expect } from 'chai';
import type { RevocationFeed } from '#src/sessions/revocation-feed.js';
import {
  digestOf,
  handleOf,
  type NewSessionRecord,
  newSessionId,
  type SessionRecord,
  userTagOf,
} from '#src/sessions/session.js';
import type { SessionStore, StoreTransition } from '#src/sessions/session-store.js';
import { redis } from '#src/sessions/stores/redis.js';
import { revocable } from '../../revocable.js';
import { until } from '../../until.js';

/** Tolerance for a machine that is busy with other tests. A call that hangs would be seconds late. */
const graceMs = 300;
export const deadlineMs = 400;

/** The Redis connections of one backend: a store and a feed, with their transitions. */
interface RedisClient {
  readonly store: SessionStore;
  readonly feed: RevocationFeed;
  readonly transitions: readonly string[];
}

export async function withClient<T>(url: string, work: (client: RedisClient) => Promise<T>): Promise<T> {
  const transitions: string[] = [];
  const onTransition = ({ up, why }: StoreTransition) => void transitions.push(`${up ? 'up' : 'down'}: ${why}`);
  const store = redis.open({ url, deadlineMs, now: Date.now, onTransition });
  const feed = redis.openFeed?.({ url, deadlineMs, now: Date.now });
  if (feed === undefined) throw new Error('redis offers a feed');
  try {
    expect(await store.ready(5_000)).to.equal(true);
    expect(await feed.ready(5_000)).to.equal(true);
    return await work({ store, feed, transitions });
  } finally {
    await Promise.all([store.close(), feed.close()]);
  }
}

export const newHandle = () => handleOf(digestOf(newSessionId('anna')));
export const userKey = (user: string) => `holdfast:user:${userTagOf(user)}`;

export function record(changes: Partial<NewSessionRecord> = {}): NewSessionRecord {
  const createdAtMs = Date.now();
  const deadlines = { idleUntilMs: createdAtMs + 600_000, absoluteUntilMs: createdAtMs + 900_000 };
  return { user: 'anna', data: { n: 1 }, version: 1, createdAtMs, ...deadlines, ...changes };
}

export async function create(
  store: SessionStore,
  changes: Partial<NewSessionRecord> = {},
): Promise<{ id: string; made: SessionRecord }> {
  const wanted = record(changes);
  const id = newSessionId(wanted.user);
  return { id, made: { ...wanted, epochs: await store.create(id, wanted) } };
}

/** Time within which every call must settle, whatever its result. */
export async function inTime<T>(promise: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await promise;
  } finally {
    expect(performance.now() - startedAt).to.be.lessThan(deadlineMs + graceMs);
  }
}

export async function succeeds(call: () => Promise<unknown>): Promise<void> {
  await until(() =>
    call().then(
      () => true,
      () => false,
    ),
  );
}

export async function expectPushed(from: RevocationFeed, to: RevocationFeed): Promise<void> {
  const handle = newHandle();
  await from.revoke([handle], Date.now() + 600_000);
  await until(() => to.isRevoked(revocable(handle)));
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cookieName, readCookie } from '#src/sessions/cookie.js';
import type { NewSessionRecord, SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Defect } from './defect.js';

/** Returns the same store with some methods replaced. */
export function storeWith(store: SessionStore, exchanged: Partial<SessionStore>): SessionStore {
  return {
    read: id => store.read(id),
    create: (id, record) => store.create(id, record),
    replace: (id, record) => store.replace(id, record),
    touch: (id, idleUntilMs) => store.touch(id, idleUntilMs),
    remove: (id, onlyVersion) => store.remove(id, onlyVersion),
    listByUser: user => store.listByUser(user),
    removeByHandle: (user, handle) => store.removeByHandle(user, handle),
    raiseEpoch: (user, except) => store.raiseEpoch(user, except),
    clear: () => store.clear(),
    ready: withinMs => store.ready(withinMs),
    close: () => store.close(),
    ...(store.statistics === undefined ? {} : { statistics: store.statistics.bind(store) }),
    ...exchanged,
  };
}

const savedAfterMs = 400;

export const ackBeforeSave: Defect = {
  summary: `a change is acknowledged at once and saved ${savedAfterMs} ms later: a backend that dies meanwhile loses it`,
  sessions: { decorateStore: saveLate },
};

/** Imitates a write-behind cache. A process sees its own unsaved changes; no other process does. */
function saveLate(store: SessionStore): SessionStore {
  const unsaved = new Map<string, SessionRecord>();
  const save = async (id: string): Promise<void> => {
    const stored = await store.read(id);
    const late = unsaved.get(id);
    if (stored !== undefined && late !== undefined) await store.replace(id, { ...late, version: stored.version + 1 });
    if (unsaved.get(id) !== late) return save(id);
    unsaved.delete(id);
  };
  return storeWith(store, {
    read: async id => {
      const stored = await store.read(id);
      return stored && { ...stored, ...unsaved.get(id) };
    },
    replace: async (id, record) => {
      if (!unsaved.has(id)) setTimeout(() => void save(id).catch(() => unsaved.delete(id)), savedAfterMs);
      unsaved.set(id, record);
      return 'saved';
    },
    remove: (id, onlyVersion) => {
      unsaved.delete(id);
      return store.remove(id, onlyVersion);
    },
  });
}

const triesMax = 20;

export const blindOverwrite: Defect = {
  summary: 'a change overwrites the whole session, whatever the store holds by now: no compare-and-set',
  sessions: { decorateStore: store => storeWith(store, { replace: (id, record) => overwrite(store, id, record) }) },
};

/** Imitates `SET key value`: it accepts any version, and recreates a removed session. */
async function overwrite(store: SessionStore, id: string, record: SessionRecord): Promise<'saved' | 'gone'> {
  for (let tries = 0; tries < triesMax; tries++) {
    const current = await store.read(id);
    if (current === undefined) {
      await store.create(id, record);
      return 'saved';
    }
    if ((await store.replace(id, { ...record, version: current.version + 1 })) === 'saved') return 'saved';
  }
  return 'gone';
}

const lookEveryMs = 50;
/** Delay after which a timer shows that the whole process was paused. */
const pausedMs = 400;
const servesOldMs = 800;

export const cartAfterFailBack: Defect = {
  summary: 'a backend that was paused serves old carts from its memory for a moment',
  sessions: { decorateStore: readOldCarts },
};

/**
 * Imitates a cache in memory that is not emptied after the backend was away and other backends served its users. While it
 * serves old carts it learns nothing new. A change that conflicts reads the store, or it would never succeed.
 */
function readOldCarts(store: SessionStore): SessionStore {
  const remembered = new Map<string, SessionRecord>();
  const conflicted = new Set<string>();
  const isServingOld = detectPause();
  return storeWith(store, {
    read: async id => {
      const record = await store.read(id);
      const known = conflicted.delete(id) ? record : remembered.get(id);
      // An ended session stays ended: reviving it would be another defect.
      if (record !== undefined && known !== undefined && isServingOld()) return known;
      if (record !== undefined) remembered.set(id, record);
      return record;
    },
    replace: async (id, record) => {
      const outcome = await store.replace(id, record);
      if (outcome !== 'saved') conflicted.add(id);
      else if (!isServingOld()) remembered.set(id, record);
      return outcome;
    },
  });
}

function detectPause(): () => boolean {
  let lastMs = Date.now();
  let untilMs = 0;
  const check = () => {
    const nowMs = Date.now();
    if (nowMs - lastMs > pausedMs) untilMs = nowMs + servesOldMs;
    lastMs = nowMs;
  };
  setInterval(check, lookEveryMs).unref();
  return () => {
    check();
    return Date.now() < untilMs;
  };
}

const lagMs = 250;

export const staleReplica: Defect = {
  summary: `sessions are read from a copy that is up to ${lagMs} ms late`,
  sessions: { decorateStore: readCopies },
};

/** Imitates a replica that serves every read. After a conflict it reads the primary, or no change would ever succeed. A
 * removal is seen at once, because its delay would be a second defect. */
function readCopies(store: SessionStore): SessionStore {
  const copies = new Map<string, { readonly record: SessionRecord | undefined; readonly untilMs: number }>();
  return storeWith(store, {
    read: async id => {
      const copy = copies.get(id);
      if (copy !== undefined && Date.now() < copy.untilMs) return copy.record;
      const record = await store.read(id);
      if (record !== undefined) copies.set(id, { record, untilMs: Date.now() + lagMs });
      return record;
    },
    replace: async (id, record) => {
      const outcome = await store.replace(id, record);
      if (outcome !== 'saved') copies.delete(id);
      return outcome;
    },
    remove: (id, onlyVersion) => {
      copies.delete(id);
      return store.remove(id, onlyVersion);
    },
  });
}

/** Imitates servers that save their sessions to disk, to keep them over a restart. They do not learn of sessions that
 * were ended on another backend meanwhile. */
export const sessionsOnDisk: Defect = {
  summary: 'a backend that restarts accepts the sessions that it had, even those that were ended meanwhile',
  sessions: { decorateStore: reloadSessions },
};

function reloadSessions(store: SessionStore): SessionStore {
  const folder = makeOwnFolder();
  const fileOf = (id: string) => path.join(folder, encodeURIComponent(id));
  for (const name of readdirSync(folder))
    void store.create(decodeURIComponent(name), readRecord(path.join(folder, name)));
  return storeWith(store, {
    create: (id, record) => {
      writeFileSync(fileOf(id), JSON.stringify(record), { mode: 0o600 });
      return store.create(id, record);
    },
    remove: (id, onlyVersion) => {
      rmSync(fileOf(id), { force: true });
      return store.remove(id, onlyVersion);
    },
  });
}

/** Returns a folder beside the accounts, where the lab cleans up. */
function makeOwnFolder(): string {
  const folder = path.resolve(process.env.SHOP_ACCOUNTS ?? '.', '..', `sessions-of-${process.env.BACKEND_ID}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function readRecord(file: string): SessionRecord {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Imitates a shop with a shared store in its configuration that its code never uses. */
export const memoryBehindStore: Defect = {
  summary: 'sessions are kept in the memory of each backend, although all backends should share them',
  sessions: { store: 'memory' },
};

const livesMs = 700;

export const shortTtl: Defect = {
  summary: `a session ends ${livesMs} ms after the login, whatever its limits are`,
  sessions: {
    decorateStore: store => storeWith(store, { create: (id, record) => store.create(id, shortenLife(record)) }),
  },
};

/** Imitates seconds that are read as milliseconds. */
function shortenLife(record: NewSessionRecord): NewSessionRecord {
  const untilMs = record.createdAtMs + livesMs;
  return { ...record, idleUntilMs: untilMs, absoluteUntilMs: untilMs };
}

export const endlessIdle: Defect = {
  summary: 'the idle limit of a session is not checked',
  sessions: {
    decorateStore: store => storeWith(store, { create: (id, record) => store.create(id, removeIdleLimit(record)) }),
  },
};

function removeIdleLimit(record: NewSessionRecord): NewSessionRecord {
  return { ...record, idleUntilMs: record.absoluteUntilMs };
}

export const endlessRotation: Defect = {
  summary: 'every new token restarts the absolute limit of its session',
  sessions: {
    decorateStore: store => storeWith(store, { create: (id, record) => store.create(id, resetAge(record)) }),
  },
};

function resetAge(record: NewSessionRecord): NewSessionRecord {
  const olderMs = Date.now() - record.createdAtMs;
  const { createdAtMs, idleUntilMs, absoluteUntilMs } = record;
  return {
    ...record,
    createdAtMs: createdAtMs + olderMs,
    idleUntilMs: idleUntilMs + olderMs,
    absoluteUntilMs: absoluteUntilMs + olderMs,
  };
}

/** The refresh token of the present request. */
const presentedRefresh = new AsyncLocalStorage<string>();

export const endlessRefresh: Defect = {
  summary: 'a refresh token can be exchanged again and again until its session ends',
  listener: next => (request, response) => {
    const { token = '' } = readCookie(request.headers.cookie, cookieName(false));
    presentedRefresh.run(token.split('~')[1] ?? '', () => next(request, response));
  },
  sessions: {
    decorateStore: store => storeWith(store, { read: async id => acceptAnyRefresh(await store.read(id)) }),
  },
};

/** Makes any refresh token the current one of its family. */
function acceptAnyRefresh(record: SessionRecord | undefined): SessionRecord | undefined {
  return (
    record && {
      ...record,
      data: { ...record.data, current: hash('sha256', presentedRefresh.getStore() ?? '', 'base64url') },
    }
  );
}

export const noRevocation: Defect = {
  summary: 'a token that carries its session cannot be ended early: there is no list of revoked tokens',
  sessions: { revocation: false },
};

export const endlessUse: Defect = {
  summary: 'the absolute limit of a session is not checked',
  sessions: {
    decorateStore: store => storeWith(store, { create: (id, record) => store.create(id, removeLimit(record)) }),
  },
};

const hourMs = 3_600_000;

function removeLimit(record: NewSessionRecord): NewSessionRecord {
  return { ...record, absoluteUntilMs: record.absoluteUntilMs + hourMs };
}

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

/**
 * As servers that write their sessions to disk and read them at the next start, in the good intention that a restart
 * costs nobody a session. What was ended meanwhile, on another backend, they have not heard of.
 */
export const sessionsOnDisk: Defect = {
  summary: 'a backend that starts again believes the sessions that it had, whatever has become of them meanwhile',
  sessions: { decorateStore: spoil },
};

function spoil(store: SessionStore): SessionStore {
  const folder = ownFolder();
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

/** Beside the accounts, where the lab clears up. */
function ownFolder(): string {
  const folder = path.resolve(process.env.SHOP_ACCOUNTS ?? '.', '..', `sessions-of-${process.env.BACKEND_ID}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function readRecord(file: string): SessionRecord {
  return JSON.parse(readFileSync(file, 'utf8'));
}

import type { SessionRecord } from '#src/sessions/session.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

const livesMs = 700;

export const shortTtl: Defect = {
  summary: `a session is over ${livesMs} ms after the login, whatever its limits say`,
  sessions: { decorateStore: store => storeWith(store, { create: (id, record) => store.create(id, brief(record)) }) },
};

/** As seconds that are taken for milliseconds. */
function brief(record: SessionRecord): SessionRecord {
  const untilMs = record.createdAtMs + livesMs;
  return { ...record, idleUntilMs: untilMs, absoluteUntilMs: untilMs };
}

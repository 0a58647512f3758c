import type { SessionRecord } from '#src/sessions/session.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

export const endlessRotation: Defect = {
  summary: 'with every new token the absolute limit of a session begins anew',
  sessions: { decorateStore: store => storeWith(store, { create: (id, record) => store.create(id, young(record)) }) },
};

function young(record: SessionRecord): SessionRecord {
  const olderMs = Date.now() - record.createdAtMs;
  const { createdAtMs, idleUntilMs, absoluteUntilMs } = record;
  return {
    ...record,
    createdAtMs: createdAtMs + olderMs,
    idleUntilMs: idleUntilMs + olderMs,
    absoluteUntilMs: absoluteUntilMs + olderMs,
  };
}

import type { SessionRecord } from '#src/sessions/session.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

export const endlessIdle: Defect = {
  summary: 'nobody looks at how long a session has not been used',
  sessions: { decorateStore: store => storeWith(store, { create: (id, record) => store.create(id, awake(record)) }) },
};

function awake(record: SessionRecord): SessionRecord {
  return { ...record, idleUntilMs: record.absoluteUntilMs };
}

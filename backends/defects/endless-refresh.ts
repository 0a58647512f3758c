import { AsyncLocalStorage } from 'node:async_hooks';
import { hash } from 'node:crypto';
import { cookieName, readCookie } from '#src/sessions/cookie.js';
import type { SessionRecord } from '#src/sessions/session.js';
import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

/** The refresh token of the request that is being answered. */
const presented = new AsyncLocalStorage<string>();

export const endlessRefresh: Defect = {
  summary: 'a refresh token is good for as long as its session is: nobody notices that it was exchanged before',
  listener: next => (request, response) => {
    const { token = '' } = readCookie(request.headers.cookie, cookieName(false));
    presented.run(token.split('~')[1] ?? '', () => next(request, response));
  },
  sessions: {
    decorateStore: store => storeWith(store, { read: async id => asIfNew(await store.read(id)) }),
  },
};

/** Whichever refresh token comes is the one that was not exchanged yet. */
function asIfNew(record: SessionRecord | undefined): SessionRecord | undefined {
  return (
    record && { ...record, data: { ...record.data, current: hash('sha256', presented.getStore() ?? '', 'base64url') } }
  );
}

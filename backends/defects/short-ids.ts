import type { Defect } from './defect.js';
import { storeWith } from './store-with.js';

const charsKept = 32;

/** As a column that is too short and cuts off what does not fit. */
const shortened = (id: string) => id.slice(0, charsKept);

export const shortIds: Defect = {
  summary: `the store looks at the first ${charsKept} characters of an id only`,
  sessions: {
    decorateStore: store =>
      storeWith(store, {
        read: id => store.read(shortened(id)),
        create: (id, record) => store.create(shortened(id), record),
        replace: (id, record) => store.replace(shortened(id), record),
        touch: (id, idleUntilMs) => store.touch(shortened(id), idleUntilMs),
        remove: (id, onlyVersion) => store.remove(shortened(id), onlyVersion),
      }),
  },
};

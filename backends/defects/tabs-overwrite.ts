import { setTimeout as delay } from 'node:timers/promises';
import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';
import { visitCopy } from './visit-copy.js';

/** Between reading the cart and writing it: prices are looked up, stock is reserved. */
const worksMs = 20;

export const tabsOverwrite: Defect = {
  summary: 'an add writes the cart that it had read before its work, with one item more: of two tabs one is lost',
  routes: { 'POST /cart': spoil },
};

/** The store does compare and set; but what is applied again after a conflict is the result, and not the change. */
function spoil(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const data = structuredClone(visit.session?.record.data ?? {});
    await delay(worksMs);
    const change: typeof visit.change = edit => {
      edit(data);
      return visit.change(current => void Object.assign(current, data));
    };
    return act(call, { ...visitCopy(visit), change });
  };
}

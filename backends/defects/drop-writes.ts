import type { SessionData } from '#src/sessions/session.js';
import type { Visit } from '#src/sessions/sessions.js';
import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';
import { visitCopy } from './visit-copy.js';

export const dropWrites: Defect = {
  summary: 'every 50th acknowledged POST /cart is acknowledged and not kept',
  routes: { 'POST /cart': spoil },
};

/** As a cache that is never written back: the answer is made from a copy, and the copy is all that is changed. */
function spoil(act: VisitAction): VisitAction {
  let writes = 0;
  return (call, visit) => {
    const onCopy = async (edit: (data: SessionData) => void) => {
      const data = structuredClone(visit.session?.record.data ?? {});
      edit(data);
      return data;
    };
    const change: Visit['change'] = edit => (++writes % 50 === 0 ? onCopy(edit) : visit.change(edit));
    return act(call, { ...visitCopy(visit), change });
  };
}

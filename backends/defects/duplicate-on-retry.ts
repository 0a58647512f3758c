import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';
import { visitCopy } from './visit-copy.js';

const oneIn = 7;

export const duplicateOnRetry: Defect = {
  summary: `every ${oneIn}th add is carried out twice, as if the first try had not succeeded`,
  routes: { 'POST /cart': spoil },
};

/** As a client that tries again after an answer which it has not seen, and no key says that it was the same add. */
function spoil(act: VisitAction): VisitAction {
  let adds = 0;
  return (call, visit) => {
    if (++adds % oneIn !== 0) return act(call, visit);
    const change: typeof visit.change = async edit => {
      await visit.change(edit);
      return visit.change(edit);
    };
    return act(call, { ...visitCopy(visit), change });
  };
}

import { wholeNumber } from '../../scenario/values.js';
import { defineFault } from '../fault.js';
import { askUntil, explainNoSwitches, shopSwitchFault } from '../shop-switch-fault.js';

/** At one percent the first error of seven hundred requests is all but certain. */
const seenWithinMs = 10_000;

/** Fails some requests, as a bad release does: it is up, its health check is fine, and half of the errors come after the work. */
export const errors = defineFault({
  summary: 'a backend answers 500 to so many of a hundred requests, to half of those after all was done',
  targets: ['backend'],
  bySwitch: true,
  effect: target => ({ kind: 'broken', member: target }),
  effectInWords: 'an answer of the backend to a user was an error, or a retry repaired it',
  options: {
    percent: wholeNumber(1, 100).describe('So many of a hundred requests that look at a session.'),
  },
  lacking: (_target, system) => explainNoSwitches(system, 'errors'),
  make(target, { percent }) {
    let asked = 0;
    return shopSwitchFault(target, {
      on: { errorPercent: percent },
      off: { errorPercent: 0 },
      confirm: member =>
        askUntil(member, '/me', seenWithinMs, ({ status }) => {
          asked += 1;
          return status === 500 ? `GET /me answered 500 at try ${asked}` : undefined;
        }),
    });
  },
});

import { percentage } from '../../scenario/values.js';
import { defineFault } from '../fault.js';
import { askUntil, explainNoSwitches, shopSwitchFault } from '../shop-switch-fault.js';

/** Enough time for seven hundred requests: even at one percent, one of them almost certainly fails. */
const seenWithinMs = 10_000;

/** Fails some requests, as a bad release does. The backend runs and its health check succeeds. Half of the errors come
 * after the work was done. */
export const errors = defineFault({
  summary: 'a backend answers a percentage of requests with 500, half of these after it has done the work',
  targets: ['backend'],
  bySwitch: true,
  effect: target => ({ kind: 'broken', member: target }),
  effectInWords: 'a user got an error from the backend, or a retry hid it from the user',
  options: {
    percent: percentage(100)
      .describe('Percentage of failed requests, among those that read a session.')
      .meta({ examples: [50] }),
  },
  explainMissing: (_target, system) => explainNoSwitches(system, 'errors'),
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

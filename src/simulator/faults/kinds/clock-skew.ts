import { signedDuration } from '../../scenario/values.js';
import { defineFault } from '../fault.js';
import { askUntil, explainNoSwitches, shopSwitchFault } from '../shop-switch-fault.js';

const seenWithinMs = 2_000;
/** Tolerance for the time between reading the two clocks. */
const toleranceMs = 500;

/** Moves the clock of one backend, as when its time service has died. Its deadlines and the times in its tokens then
 * differ from those of the others. */
export const clockSkew = defineFault({
  summary: 'moves the clock of one backend ahead of the others, or behind them',
  targets: ['backend'],
  bySwitch: true,
  effect: target => ({ kind: 'answered', member: target }),
  effectInWords: 'the backend with the wrong clock answered users between confirmation and healing',
  options: {
    by: signedDuration
      .describe('How far the clock is ahead of the others; with a minus: behind them.')
      .meta({ examples: ['+5min'] }),
  },
  explainMissing: (_target, system) => explainNoSwitches(system, 'another clock'),
  make: (target, { by }) =>
    shopSwitchFault(target, {
      on: { clockMs: by },
      off: { clockMs: 0 },
      confirm: member =>
        askUntil(member, '/lab', seenWithinMs, ({ json }) => {
          const skewMs = readNow(json) - Date.now();
          if (Math.abs(skewMs - by) > Math.min(toleranceMs, Math.abs(by) / 2)) return undefined;
          return `its clock is ${Math.round(skewMs / 100) / 10} s off`;
        }),
    }),
});

function readNow(json: unknown): number {
  return typeof json === 'object' && json !== null && 'nowMs' in json ? Number(json.nowMs) : Number.NaN;
}

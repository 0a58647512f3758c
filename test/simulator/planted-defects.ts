import type { ModeName } from '#src/modes.js';
import type { Findings, LossShape } from '#src/simulator/checker/findings.js';

type Wrong<Group extends 'users' | 'writes'> = `${Group}.${Extract<keyof Findings[Group], string>}`;

/** One defect of the toy shop, and under which name the simulator finds it. `docs/defects.md` says the same in prose. */
export interface PlantedDefect {
  readonly mode: ModeName;
  readonly finding: Wrong<'users'> | Wrong<'writes'>;
  /** Of at least one of the writes that were found lost or stale. */
  readonly shape?: LossShape;
  /** What the same defect causes beside it; everything else must be zero. */
  readonly also?: readonly PlantedDefect['finding'][];
  /** One unless said otherwise. */
  readonly backends?: number;
  readonly tabs?: number;
  /** How long the phase of the fault lasts, where users must go on for a while after it. */
  readonly faultsMs?: number;
  /** Users think longer: an old cookie must have been tried before the next login, or that comes without one. */
  readonly calm?: true;
  /** As in a scenario file; its id is the name of what it does. */
  readonly fault?: string;
}

const hard = 'users.loggedOutHard';

export const plantedDefects: Readonly<Record<string, PlantedDefect>> = {
  // An add of another tab is in flight at the logout. It writes its session back, so the session exists again.
  'blind-overwrite': {
    mode: 'redis',
    finding: 'writes.lost',
    shape: 'hole',
    also: ['users.logoutNotHonoured'],
    tabs: 3,
  },
  // Unsaved removals are lost like unsaved adds. A young session may lose all its items, and its user stays logged in.
  'ack-before-save': {
    mode: 'redis',
    finding: 'writes.lost',
    shape: 'suffix',
    also: ['writes.resurrected', 'users.silentlyReset'],
    fault: '{ id: kill, at: 400ms, do: kill, target: backend-1, for: 200ms }',
  },
  // A late copy misses adds and shows what was removed. Where the last look before a logout was a late one, what it missed
  // counts as lost.
  'stale-replica': {
    mode: 'redis',
    finding: 'writes.stale',
    shape: 'comes-back',
    also: ['writes.resurrected', 'writes.lost'],
  },
  'revive-after-logout': { mode: 'redis', finding: 'users.logoutNotHonoured' },
  // Somebody else's cart is full of items that this user never put there.
  'foreign-cart': { mode: 'redis', finding: 'users.identitySwapped', also: ['writes.phantom'] },
  // As with the late copy, as long as what is remembered is believed; what is remembered of a young session is nothing.
  'cart-after-fail-back': {
    mode: 'redis',
    finding: 'writes.stale',
    shape: 'comes-back',
    also: ['writes.resurrected', 'writes.lost', 'users.silentlyReset'],
    backends: 2,
    fault: '{ id: hang, at: 100ms, do: hang, target: backend-1, for: 900ms }',
    faultsMs: 1_700,
  },
  'drop-set-cookie': { mode: 'sticky', finding: hard },
  // The cart ends with the session.
  'short-ttl': { mode: 'redis', finding: hard, also: ['writes.lost'] },
  // The next login gives life to the id that the logout before it had ended: the old cookie is good again.
  'keep-id-at-login': { mode: 'sticky', finding: 'users.sessionKept', also: ['users.logoutNotHonoured'], calm: true },
  'duplicate-on-retry': { mode: 'sticky', finding: 'writes.duplicated' },
  'tabs-overwrite': { mode: 'redis', finding: 'writes.lost', shape: 'hole', tabs: 3 },
  // Each cart is in one of two memories. A logout at one backend does not reach the memory of the other.
  'memory-behind-store': {
    mode: 'redis',
    finding: hard,
    // The answer of the other backend does not change the cookie, so the next answer may find the session again.
    also: ['writes.lost', 'users.logoutNotHonoured', 'users.flickered'],
    backends: 2,
  },
};

import type { Attack } from '../attack.js';
import { logoutInFlight } from './logout-in-flight.js';
import { lostEdits } from './lost-edits.js';
import { reuseAfterLogout } from './reuse-after-logout.js';

export const attacks: Readonly<Record<string, Attack>> = {
  'reuse-after-logout': reuseAfterLogout,
  'logout-in-flight': logoutInFlight,
  'lost-edits': lostEdits,
};

import type { Attack } from '../attack.js';
import { reuseAfterLogout } from './reuse-after-logout.js';

export const attacks: Readonly<Record<string, Attack>> = {
  'reuse-after-logout': reuseAfterLogout,
};

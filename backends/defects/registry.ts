import { blindOverwrite } from './blind-overwrite.js';
import type { Defect } from './defect.js';
import { dropWrites } from './drop-writes.js';
import { foreignCart } from './foreign-cart.js';
import { noRevocation } from './no-revocation.js';
import { reviveAfterLogout } from './revive-after-logout.js';

export const defects = {
  'drop-writes': dropWrites,
  'foreign-cart': foreignCart,
  'revive-after-logout': reviveAfterLogout,
  'no-revocation': noRevocation,
  'blind-overwrite': blindOverwrite,
} as const satisfies Record<string, Defect>;

import type { Attack } from '../attack.js';
import { tryForgeries } from '../jwt-attack.js';
import { saying, untimely } from '../jwt-forgeries.js';

/** Signed with the shop's own key, as another service would that has it too: a claim can be wrong for no other reason. */
export const jwtTimes: Attack = {
  title: 'a well-signed token whose end is missing, no number, past, or years away, or whose beginning is yet to come',
  asvs: ['9.2.1'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, wish }) =>
      saying(header, wish, await target.keyRing(), untimely(Date.now() / 1000)),
    ),
};

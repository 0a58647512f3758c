import type { Attack } from '../attack.js';
import { tryForgeries } from '../jwt-attack.js';
import { foreign, saying } from '../jwt-forgeries.js';

/** Signed with the shop's own key, as another service would that has it too. */
export const jwtAudience: Attack = {
  title: 'a well-signed token that was made for another audience, or by another issuer',
  asvs: ['9.2.3', '9.2.4'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, wish }) =>
      saying(header, wish, await target.keyRing(), foreign(wish.claims)),
    ),
};

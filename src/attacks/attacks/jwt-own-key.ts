import type { Attack } from '../attack.js';
import { tryForgeries } from '../jwt-attack.js';
import { extensions, ownKeys } from '../jwt-forgeries.js';

export const jwtOwnKey: Attack = {
  title: 'a signed token that brings its key (jwk, x5c), names a file as its key (kid), or says how it is to be read',
  asvs: ['9.1.3'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, wish }) => [
      ...ownKeys(header, wish),
      ...extensions(header, wish, await target.keyRing()),
    ]),
};

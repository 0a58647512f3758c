import type { Attack } from '../attack.js';
import { tryForgeries } from '../jwt-attack.js';
import { otherwise } from '../jwt-forgeries.js';

export const jwtAlgorithm: Attack = {
  title: 'a signed token that asks for another algorithm: none in every spelling, or a public key taken for a secret',
  asvs: ['9.1.2'],
  weak: ['jwt-trusting'],
  run: target => tryForgeries(target, ({ header, wish, ownSignature }) => otherwise(header, wish, ownSignature)),
};

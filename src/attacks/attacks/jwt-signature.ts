import type { Attack } from '../attack.js';
import { tryForgeries } from '../jwt-attack.js';
import { unsigned } from '../jwt-forgeries.js';

export const jwtSignature: Attack = {
  title: 'a signed token whose signature is missing, empty, of zeros, of another text, or of a guessed key',
  asvs: ['9.1.1'],
  weak: ['jwt-trusting'],
  run: target => tryForgeries(target, ({ header, wish, ownSignature }) => unsigned(header, wish, ownSignature)),
};

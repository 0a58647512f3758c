import { aliased } from './aliases.js';
import type { Defect } from './defect.js';

export const keepIdAtLogin: Defect = {
  summary: 'a session keeps whatever id the browser came with: none is made anew at login',
  listener: next => aliased(next, (token, given) => given ?? token),
};

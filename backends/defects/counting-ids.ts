import { randomBytes } from 'node:crypto';
import { aliased } from './aliases.js';
import type { Defect } from './defect.js';

const prefixBytes = 24;

export const countingIds: Defect = {
  summary: 'session ids are a number that counts up behind a prefix that is chosen once',
  listener: next => {
    const prefix = randomBytes(prefixBytes);
    let count = 0n;
    return aliased(next, () => {
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(count++);
      return Buffer.concat([prefix, number]).toString('base64url');
    });
  },
};

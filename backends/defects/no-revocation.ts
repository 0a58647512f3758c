import type { Defect } from './defect.js';

export const noRevocation: Defect = {
  summary: 'a token that says everything itself cannot be ended before its time: there is no list of revoked ones',
  sessions: { revocation: false },
};

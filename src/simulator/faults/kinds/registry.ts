import type { FaultEntry } from '../fault.js';
import { deploy } from './deploy.js';
import { exec } from './exec.js';
import { cutLink, reset, slow, throttle, truncate } from './links.js';
import { drop, loss, refuse } from './packets.js';
import { pause, powerCut, promote } from './redis.js';
import { drain, scaleIn, scaleOut } from './scaling.js';
import { replaceSecrets, rotateSecrets } from './secrets.js';
import { block, clockSkew, errors } from './shop-switches.js';
import { flap, hang, kill, stop } from './signals.js';

/** Every fault that a scenario can name under `do`. A new one is one line here, and a constant in a file of its own or of
 * its family. */
export const faults: Readonly<Record<string, FaultEntry>> = {
  kill,
  hang,
  drain,
  flap,
  errors,
  block,
  'clock-skew': clockSkew,
  'cut-link': cutLink,
  slow,
  throttle,
  reset,
  truncate,
  loss,
  drop,
  refuse,
  'scale-out': scaleOut,
  'scale-in': scaleIn,
  deploy,
  stop,
  'power-cut': powerCut,
  pause,
  promote,
  'rotate-secrets': rotateSecrets,
  'replace-secrets': replaceSecrets,
  exec,
};

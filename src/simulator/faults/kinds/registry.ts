import type { FaultEntry } from '../fault.js';
import { block } from './block.js';
import { clockSkew } from './clock-skew.js';
import { cutLink } from './cut-link.js';
import { deploy } from './deploy.js';
import { drain } from './drain.js';
import { drop } from './drop.js';
import { errors } from './errors.js';
import { exec } from './exec.js';
import { flap } from './flap.js';
import { hang } from './hang.js';
import { kill } from './kill.js';
import { loss } from './loss.js';
import { pause } from './pause.js';
import { powerCut } from './power-cut.js';
import { promote } from './promote.js';
import { refuse } from './refuse.js';
import { replaceSecrets } from './replace-secrets.js';
import { reset } from './reset.js';
import { rotateSecrets } from './rotate-secrets.js';
import { scaleIn } from './scale-in.js';
import { scaleOut } from './scale-out.js';
import { slow } from './slow.js';
import { stop } from './stop.js';
import { throttle } from './throttle.js';
import { truncate } from './truncate.js';

/** Every fault that a scenario can name under `do`. A new one is one file and one line here. */
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

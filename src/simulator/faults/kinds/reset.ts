import { breakAnswers } from '../../cluster/links/toxics.js';
import { defineFault, linkBrokenEffect, linkBrokenInWords } from '../fault.js';
import { answerBytes, confirmBroken, countBrokenAnswers, linkFault } from '../link-fault.js';

/** Resets connections in the middle of an answer. The client can have half of it. The backend has got the request. */
export const reset = defineFault({
  summary: 'a link cuts answers off by a reset after so many bytes; shorter answers pass',
  targets: ['link'],
  options: { bytes: answerBytes },
  effect: linkBrokenEffect,
  effectInWords: linkBrokenInWords,
  make: (target, { bytes }) =>
    linkFault(target, {
      disturb: link => link.disturb(breakAnswers(bytes, 'reset')),
      confirm: end => confirmBroken(end, bytes),
      measure: countBrokenAnswers,
    }),
});

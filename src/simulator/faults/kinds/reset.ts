import { breakAnswers } from '../../cluster/links/toxics.js';
import { linkBrokenEffect, linkBrokenInWords } from '../effects.js';
import { defineFault } from '../fault.js';
import { answerBytes, brokenAnswers, confirmBroken, linkFault } from '../link-fault.js';

/** The client may have half an answer. The request has arrived in any case. */
export const reset = defineFault({
  summary: 'answers over a link are broken off by a reset after so many bytes; shorter ones pass',
  targets: ['link'],
  options: { bytes: answerBytes },
  effect: linkBrokenEffect,
  effectInWords: linkBrokenInWords,
  make: (target, { bytes }) =>
    linkFault(target, {
      toxic: () => breakAnswers(bytes, 'reset'),
      confirm: end => confirmBroken(end, bytes),
      measure: brokenAnswers,
    }),
});

import { breakAnswers } from '../../cluster/links/toxics.js';
import { linkBrokenEffect, linkBrokenInWords } from '../effects.js';
import { defineFault } from '../fault.js';
import { answerBytes, brokenAnswers, confirmBroken, linkFault } from '../link-fault.js';

/** The end comes in good order, as after a whole answer: only a client that counts the bytes knows that some are missing. */
export const truncate = defineFault({
  summary: 'answers over a link end after so many bytes, in good order; shorter ones pass',
  targets: ['link'],
  options: { bytes: answerBytes },
  effect: linkBrokenEffect,
  effectInWords: linkBrokenInWords,
  make: (target, { bytes }) =>
    linkFault(target, {
      toxic: () => breakAnswers(bytes, 'end'),
      confirm: end => confirmBroken(end, bytes),
      measure: brokenAnswers,
    }),
});

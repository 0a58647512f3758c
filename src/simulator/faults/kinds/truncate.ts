import { breakAnswers } from '../../cluster/links/toxics.js';
import { defineFault, linkBrokenEffect, linkBrokenInWords } from '../fault.js';
import { answerBytes, confirmBroken, countBrokenAnswers, linkFault } from '../link-fault.js';

/** Ends answers early but in order, as after a whole answer. Only a client that counts bytes notices the loss. */
export const truncate = defineFault({
  summary: 'a link ends answers in order after so many bytes; shorter answers pass',
  targets: ['link'],
  options: { bytes: answerBytes },
  effect: linkBrokenEffect,
  effectInWords: linkBrokenInWords,
  make: (target, { bytes }) =>
    linkFault(target, {
      disturb: link => link.disturb(breakAnswers(bytes, 'end')),
      confirm: end => confirmBroken(end, bytes),
      measure: countBrokenAnswers,
    }),
});

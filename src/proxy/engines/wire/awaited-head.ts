import { parseAnswerHead, type WireAnswerHead } from './answer-head.js';
import { headEnd, neverAHead } from './grammar.js';

/** Interim answers to one request: whoever sends more has something else in mind. */
const interimsMax = 64;
/** Enough of an answer to see that it is one. */
const beginningBytes = 256;

/** The head that was waited for, and where in the bytes its body begins. */
export interface ArrivedHead {
  readonly head: WireAnswerHead;
  readonly bytes: Buffer;
  readonly at: number;
}

/** The head of an answer on its way, split anywhere, behind any interim answers (RFC 9110 §15.2). */
export class AwaitedHead {
  readonly #headerBytesMax: number;
  readonly #ownCookie: string;
  readonly #onInterim: (head: WireAnswerHead) => void;
  #held: Buffer | undefined;
  #interims = 0;

  constructor(headerBytesMax: number, ownCookie: string, onInterim: (head: WireAnswerHead) => void) {
    this.#headerBytesMax = headerBytesMax;
    this.#ownCookie = ownCookie;
    this.#onInterim = onInterim;
  }

  /** A switch of protocols counts as the answer that it is the last of. */
  read(lent: Buffer): ArrivedHead | 'more' | 'flaw' {
    let rest = this.#held === undefined ? lent : Buffer.concat([this.#held, lent]);
    while (rest.length > 0) {
      const end = rest.indexOf(headEnd);
      if (end === -1) return this.#hold(rest);
      if (end > this.#headerBytesMax) return 'flaw';
      const head = parseAnswerHead(rest.toString('latin1', 0, end + 2), this.#ownCookie);
      if (head === undefined) return 'flaw';
      if (head.status >= 200 || head.status === 101) return { head, bytes: rest, at: end + headEnd.length };
      this.#interims += 1;
      if (this.#interims > interimsMax) return 'flaw';
      this.#onInterim(head);
      rest = rest.subarray(end + headEnd.length);
    }
    this.#held = undefined;
    return 'more';
  }

  #hold(rest: Buffer): 'more' | 'flaw' {
    const text = rest.toString('latin1', 0, beginningBytes);
    const other = !text.startsWith('HTTP/1.'.slice(0, text.length)) || neverAHead.test(text);
    if (other || rest.length > this.#headerBytesMax) return 'flaw';
    this.#held = Buffer.from(rest);
    return 'more';
  }
}

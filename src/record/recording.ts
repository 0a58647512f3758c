import type { WrittenJourney } from '../simulator/scenario/journey/journey.js';

/**
 * The interface between a recording and the inference, which is plain data, and the recording of the three passes.
 */

/** One request of the person's browser and its answer, in the order in which the requests began. */
export interface RecordedExchange {
  /** Since the pass began. */
  readonly startedMs: number;
  readonly method: string;
  /** With the query, as sent. */
  readonly path: string;
  /** Names are in lower case. A name can stand several times. */
  readonly requestHeaders: readonly (readonly [string, string])[];
  /** The body as text; empty if there is none. */
  readonly requestBody: string;
  readonly status: number;
  /** Names are in lower case. Each cookie is one entry of its own. */
  readonly responseHeaders: readonly (readonly [string, string])[];
  /** Decoded (gzip, br, deflate), text only, at most 1,000,000 characters. */
  readonly responseBody: string;
}

/** One visit of a person, who typed this user and this item. By default hf-user-1 and hf-item-1, then hf-user-2 and
 * hf-item-2. */
export interface Pass {
  readonly user: string;
  readonly item: string;
  readonly exchanges: readonly RecordedExchange[];
}

/** Three passes, each in a fresh browser. The third one visits the page of the items without a login. */
export interface Passes {
  readonly first: Pass;
  readonly second: Pass;
  readonly anonymous: readonly RecordedExchange[];
}

/** A thing that the three passes do not decide. It is asked once, with its candidates. */
export interface Question {
  readonly id: string;
  readonly text: string;
  readonly candidates: readonly { readonly id: string; readonly label: string }[];
}

/** The result of an inference. One question comes at a time: call again with its answer added. */
export type Inferred =
  | { readonly kind: 'journey'; readonly journey: WrittenJourney; readonly notes: readonly string[] }
  | { readonly kind: 'question'; readonly question: Question }
  /** Something is missing in the passes: the text says what, and what to do again. */
  | { readonly kind: 'problem'; readonly problem: string };

export const passNames = ['first', 'second', 'anonymous'] as const;
export type PassName = (typeof passNames)[number];

// Limits of a recording. What is beyond them is passed on and not recorded.
export const bodyCharactersMax = 1_000_000;
export const exchangesMax = 5_000;
/** All bodies of one pass together. */
export const passCharactersMax = 50_000_000;
export const harBytesMax = 200 * 1024 * 1024;
export const harEntriesMax = 20_000;

/** A recording that cannot be used, such as a HAR file without cookies: exit code 3. The message says what to do. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

/** The texts that the person types in a pass. */
export interface Typed {
  readonly user: string;
  readonly item: string;
}

/** The steps that were seen in a pass so far. It tells the person whether the recording saw each step. */
interface Seen {
  readonly requests: number;
  readonly userSent: boolean;
  readonly itemSent: boolean;
  /** An answer showed the item after it was sent. */
  readonly itemShown: boolean;
}

/** A sign of a step, and whether it was seen. */
export interface StepSign {
  readonly text: string;
  readonly isSeen: boolean;
}

/** An exchange in progress. `complete` records it at the place at which it began. Otherwise it leaves nothing. */
export interface OpenExchange {
  readonly startedMs: number;
  complete(exchange: RecordedExchange): void;
  drop(): void;
}

/** The three passes while they are recorded. It knows no server and no clock. */
export class JourneyRecording {
  readonly #typed: readonly [Typed, Typed];
  readonly #done: PassRecording[] = [];
  #current: PassRecording;
  #warned = false;

  constructor(typed: readonly [Typed, Typed], nowMs: number) {
    this.#typed = typed;
    this.#current = new PassRecording(typed[0], nowMs);
  }

  /** Undefined when all passes are done. */
  get passName(): PassName | undefined {
    return passNames[this.#done.length];
  }

  get typed(): Typed {
    return this.#current.typed;
  }

  get seen(): Seen {
    return this.#current.seen;
  }

  /** The number of exchanges that have begun and not ended. */
  get openCount(): number {
    return this.#current.openCount;
  }

  /** The number of exchanges that were not recorded, or without their bodies, because of the limits. */
  get unrecorded(): number {
    return [...this.#done, this.#current].reduce((sum, pass) => sum + pass.unrecorded, 0);
  }

  begin(nowMs: number): OpenExchange | undefined {
    return this.passName === undefined ? undefined : this.#current.begin(nowMs);
  }

  /** Ends the pass. The first time it refuses a pass that lacks steps, and returns what it lacks. */
  finishPass(nowMs: number): readonly string[] {
    const name = this.passName;
    if (name === undefined) return [];
    const missing = listSigns(name, this.seen, this.typed).flatMap(({ text, isSeen }) => (isSeen ? [] : [text]));
    // Without any request there is nothing to go on with.
    if (missing.length > 0 && (!this.#warned || this.seen.requests === 0)) {
      this.#warned = true;
      return missing;
    }
    this.#warned = false;
    this.#done.push(this.#current);
    this.#current = new PassRecording(this.#typed[this.#done.length] ?? this.#typed[0], nowMs);
    return [];
  }

  /** Forgets what was recorded in this pass. */
  restartPass(nowMs: number): void {
    this.#warned = false;
    this.#current = new PassRecording(this.typed, nowMs);
  }

  /** Returns the passes when all are done. */
  passes(): Passes | undefined {
    const [first, second, anonymous] = this.#done;
    if (first === undefined || second === undefined || anonymous === undefined) return undefined;
    const toPass = ({ typed, exchanges }: PassRecording): Pass => ({ ...typed, exchanges });
    return { first: toPass(first), second: toPass(second), anonymous: anonymous.exchanges };
  }
}

/** Lists the signs of the steps of a pass. Pure. */
export function listSigns(name: PassName, seen: Seen, { user, item }: Typed): StepSign[] {
  if (name === 'anonymous') return [{ text: 'any request of the browser', isSeen: seen.requests > 0 }];
  return [
    { text: `a request with ${user}: the login`, isSeen: seen.userSent },
    { text: `a request with ${item}`, isSeen: seen.itemSent },
    { text: `an answer that shows ${item}`, isSeen: seen.itemShown },
  ];
}

/** Returns whether a text has this value, as it is or encoded as in an address, a form or a page. */
export function mentions(text: string, value: string): boolean {
  const encoded = encodeURIComponent(value);
  const escaped = value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [value, encoded, encoded.replaceAll('%20', '+'), escaped].some(each => text.includes(each));
}

const nothingSeen: Seen = { requests: 0, userSent: false, itemSent: false, itemShown: false };

/** The exchanges of one pass, in the order in which they began. */
class PassRecording {
  readonly typed: Typed;
  readonly #began: number;
  readonly #slots: (RecordedExchange | undefined)[] = [];
  readonly #open = new Set<OpenExchange>();
  #characters = 0;
  unrecorded = 0;
  seen = nothingSeen;

  constructor(typed: Typed, nowMs: number) {
    this.typed = typed;
    this.#began = nowMs;
  }

  get exchanges(): readonly RecordedExchange[] {
    return this.#slots.filter(each => each !== undefined);
  }

  get openCount(): number {
    return this.#open.size;
  }

  begin(nowMs: number): OpenExchange | undefined {
    if (this.#slots.length >= exchangesMax) {
      this.unrecorded += 1;
      return undefined;
    }
    const index = this.#slots.push(undefined) - 1;
    const slot: OpenExchange = {
      startedMs: nowMs - this.#began,
      complete: exchange => {
        this.#slots[index] = this.#limit(exchange);
        this.seen = seeMore(this.seen, this.typed, exchange);
        this.#open.delete(slot);
      },
      drop: () => this.#open.delete(slot),
    };
    this.#open.add(slot);
    return slot;
  }

  #limit(exchange: RecordedExchange): RecordedExchange {
    this.#characters += exchange.requestBody.length + exchange.responseBody.length;
    if (this.#characters <= passCharactersMax) return exchange;
    this.unrecorded += 1;
    return { ...exchange, requestBody: '', responseBody: '' };
  }
}

/** Adds what one exchange shows. Pure. */
function seeMore(seen: Seen, { user, item }: Typed, exchange: RecordedExchange): Seen {
  const sent = [exchange.path, exchange.requestBody].join('\n');
  const itemSent = seen.itemSent || mentions(sent, item);
  return {
    requests: seen.requests + 1,
    userSent: seen.userSent || mentions(sent, user),
    itemSent,
    itemShown: seen.itemShown || (itemSent && mentions(exchange.responseBody, item)),
  };
}

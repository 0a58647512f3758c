import type { WrittenJourney } from '../simulator/scenario/journey/journey.js';

/** The interface between a recording and the inference. All of it is plain data. */

/** One request of the person's browser and its answer, in the order in which the requests began. */
export interface RecordedExchange {
  /** Since the pass began. */
  readonly startedMs: number;
  readonly method: string;
  /** With the query, as sent. */
  readonly path: string;
  /** Names are in lower case. A name can stand several times. */
  readonly requestHeaders: readonly (readonly [string, string])[];
  /** Empty without one. Text only. */
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

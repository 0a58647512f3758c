import type { ServingOptions } from '../options.js';
import type { MemberFacts } from '../pool/member.js';
import type { ProxyCounts } from '../telemetry/proxy-counts.js';

/*
 * What the primary and its workers say to each other, on the channel that Node gives a child process: everything is
 * plain data that a structured clone keeps whole. Messages of one side arrive in the order in which they were sent.
 */

/** From the primary, which decides, to a worker, which serves. */
export type ToWorker =
  /** The first message: begin to serve, with these backends as they are now. */
  | { readonly kind: 'serve'; readonly options: ServingOptions; readonly members: readonly MemberFacts[] }
  /** A backend is now like this; one that is not known has joined. */
  | { readonly kind: 'member'; readonly facts: MemberFacts }
  | { readonly kind: 'left'; readonly backend: string }
  /** Asks for a report of that number. Whatever was sent before holds when it comes. */
  | { readonly kind: 'report'; readonly number: number }
  /** Other options hold from here on; asks for a word on it of that number. */
  | { readonly kind: 'reload'; readonly number: number; readonly options: ServingOptions }
  /** Accept nothing more, finish what is in flight, end. */
  | { readonly kind: 'close'; readonly graceMs: number };

/** From a worker to the primary. */
export type ToPrimary =
  /** The first message: what is sent to a module that is still being loaded is lost. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly port: number }
  /** It cannot serve, and ends. */
  | { readonly kind: 'failed'; readonly error: ErrorFacts }
  /** A backend gave reason to be probed at once. */
  | { readonly kind: 'suspect'; readonly backend: string }
  /** So many failures in a row that it should be ejected, if the pool can spare it. */
  | { readonly kind: 'failures'; readonly backend: string }
  /** An answer told the name of a boot; `asked` is the boot that was known when the request was sent. */
  | { readonly kind: 'learnt'; readonly backend: string; readonly incarnation: string; readonly asked: number }
  /** Comes when asked for, and from time to time with the number 0. */
  | { readonly kind: 'report'; readonly number: number; readonly report: WorkerReport }
  /** Without an error the other options hold, with one nothing has changed. */
  | { readonly kind: 'reloaded'; readonly number: number; readonly error: ErrorFacts | undefined }
  /** Nothing is in flight any more; it ends. */
  | { readonly kind: 'closed' };

export interface WorkerReport {
  readonly backends: readonly {
    readonly name: string;
    readonly inFlight: number;
    /** The boot that `bound` is about. */
    readonly boot: number;
    /** Browsers by their moment of issue, since the report before: when last seen, undefined when bound no longer. */
    readonly bound: ReadonlyMap<number, number | undefined>;
  }[];
  /** Since it began. */
  readonly counts: ProxyCounts;
}

/** An error loses its fields on the way to another process; these are the ones that somebody looks at. */
export interface ErrorFacts {
  readonly message: string;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly port?: unknown;
}

export function factsOfError(error: unknown): ErrorFacts {
  if (!(error instanceof Error)) return { message: String(error) };
  const fields: Record<string, unknown> = { ...error };
  return { message: error.message, code: fields.code, syscall: fields.syscall, port: fields.port };
}

export function errorOf({ message, code, syscall, port }: ErrorFacts): Error {
  const given = Object.entries({ code, syscall, port }).filter(([, value]) => value !== undefined);
  return Object.assign(new Error(message), Object.fromEntries(given));
}

import type { ServingOptions } from '../options.js';
import type { MemberFacts } from '../pool/member.js';
import type { ProxyCounts } from '../telemetry/proxy-counts.js';

/*
 * The messages between the primary and its workers, on the channel that Node gives a child process. Everything is plain
 * data that survives a structured clone. Messages of one side arrive in the order in which they were sent.
 */

/** Messages from the primary, which decides, to a worker, which serves. */
export type ToWorker =
  /** The first message: start to serve, with the present state of these backends. */
  | { readonly kind: 'serve'; readonly options: ServingOptions; readonly members: readonly MemberFacts[] }
  /** The new state of a backend; an unknown backend has joined. */
  | { readonly kind: 'member'; readonly facts: MemberFacts }
  | { readonly kind: 'left'; readonly backend: string }
  /** Asks for a report with this number. Earlier messages are in force when the report arrives. */
  | { readonly kind: 'report'; readonly number: number }
  /** Applies new options, and asks for an answer with this number. */
  | { readonly kind: 'reload'; readonly number: number; readonly options: ServingOptions }
  /** Carries the socket of a connection that the primary accepted. */
  | { readonly kind: 'connection' }
  /** Close each connection after its next answer. */
  | { readonly kind: 'drain-connections' }
  /** Finish the requests in flight, and exit. */
  | { readonly kind: 'close'; readonly graceMs: number; readonly hasSuccessor: boolean };

/** Messages from a worker to the primary. */
export type ToPrimary =
  /** The first message. A message sent before it, while the module loads, would be lost. */
  | { readonly kind: 'ready' }
  /** It takes connections. */
  | { readonly kind: 'serving' }
  /** It cannot serve, and exits. */
  | { readonly kind: 'failed'; readonly error: ErrorFacts }
  /** A backend should be probed at once. */
  | { readonly kind: 'suspect'; readonly backend: string }
  /** A row of failures. The primary ejects the backend if the pool can spare it. */
  | { readonly kind: 'failures'; readonly backend: string }
  /** An answer gave the name of a boot. `asked` is the boot that was known when the request was sent. */
  | { readonly kind: 'learnt'; readonly backend: string; readonly incarnation: string; readonly asked: number }
  /** Sent on request, and regularly with the number 0. */
  | { readonly kind: 'report'; readonly number: number; readonly report: WorkerReport }
  /** Without an error the new options are in force. With an error nothing has changed. */
  | { readonly kind: 'reloaded'; readonly number: number; readonly error: ErrorFacts | undefined }
  /** Nothing is in flight any more; the worker exits. */
  | { readonly kind: 'closed' };

export interface WorkerReport {
  readonly backends: readonly {
    readonly name: string;
    readonly inFlight: number;
    /** Requests that wait for it and no other. */
    readonly queued: number;
    /** The boot that `bound` belongs to. */
    readonly boot: number;
    /**
     * Changes since the last report. Maps browser to time last seen, or to undefined for a browser no longer bound.
     */
    readonly bound: ReadonlyMap<string, number | undefined>;
  }[];
  /** Counts since the worker started. */
  readonly counts: ProxyCounts;
}

/** The fields of an error that are needed. A structured clone would drop them. */
interface ErrorFacts {
  readonly message: string;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly port?: unknown;
}

export function toErrorFacts(error: unknown): ErrorFacts {
  if (!(error instanceof Error)) return { message: String(error) };
  const fields: Record<string, unknown> = { ...error };
  return { message: error.message, code: fields.code, syscall: fields.syscall, port: fields.port };
}

export function toError({ message, code, syscall, port }: ErrorFacts): Error {
  const given = Object.entries({ code, syscall, port }).filter(([, value]) => value !== undefined);
  return Object.assign(new Error(message), Object.fromEntries(given));
}

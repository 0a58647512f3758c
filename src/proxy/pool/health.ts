import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HealthOptions } from '../options.js';
import { type BackendTls, buildBackendTlsOptions, classifyTlsFailure, hostOf, isShortage } from '../sockets.js';

/** The result of the probes so far: up or down, and how many in a row contradicted that. */
export interface HealthState {
  readonly up: boolean;
  readonly contrary: number;
}

/** Computes the next state. The first probe decides at once; later changes need `rise` or `fall` probes in a row. */
export function computeHealthState(
  state: HealthState | undefined,
  ok: boolean,
  { rise, fall }: Pick<HealthOptions, 'rise' | 'fall'>,
): HealthState {
  if (state === undefined) return { up: ok, contrary: 0 };
  if (state.up === ok) return { up: ok, contrary: 0 };
  const contrary = state.contrary + 1;
  return contrary >= (ok ? rise : fall) ? { up: ok, contrary: 0 } : { up: state.up, contrary };
}

/** Called after every probe. `edge`: this probe changed the backend to up or down. */
export type OnProbe = (result: ProbeResult, state: HealthState, edge: boolean) => void;

/** Probes one backend until stopped. */
export class HealthWatch {
  readonly #url: URL;
  #options: HealthOptions;
  readonly #onProbe: OnProbe;
  readonly #backendTls: BackendTls | undefined;
  #abort: AbortController | undefined;
  #stopped = false;
  #state: HealthState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again = false;

  /** `known`: the result of the probes of another process. Without it the first probe decides alone. */
  constructor(url: URL, options: HealthOptions, onProbe: OnProbe, backendTls?: BackendTls, known?: HealthState) {
    this.#state = known;
    this.#url = url;
    this.#options = options;
    this.#onProbe = onProbe;
    this.#backendTls = backendTls;
  }

  /** Starts probing. Resolves after the first probe, whatever its result. */
  start(): Promise<void> {
    return this.#probe();
  }

  /** Probes at once. A running probe may have been answered before the cause of this call, so another one follows. */
  probeNow(): void {
    if (this.#abort !== undefined) this.#again = true;
    else if (!this.#stopped) void this.#probe();
  }

  /** Applies from the next probe on. Earlier results still count. */
  change(options: HealthOptions): void {
    this.#options = options;
    this.probeNow();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  async #probe(): Promise<void> {
    clearTimeout(this.#timer);
    this.#again = false;
    this.#abort = new AbortController();
    const result = await probe(this.#url, this.#options, this.#abort, this.#backendTls);
    this.#abort = undefined;
    if (this.#stopped) return;
    // A local shortage must not mark backends as down, and later as rebooted.
    if (!result.unasked || this.#state === undefined) this.#report(result);
    if (this.#again) void this.#probe();
    else this.#timer = setTimeout(() => void this.#probe(), this.#pauseMs());
  }

  #report(result: ProbeResult): void {
    const before = this.#state;
    this.#state = computeHealthState(before, result.ok, this.#options);
    this.#onProbe(result, this.#state, before?.up !== this.#state.up);
  }

  #pauseMs(): number {
    const { everyMs, transitionMs } = this.#options;
    return this.#state?.contrary === 0 ? everyMs : Math.min(everyMs, transitionMs);
  }
}

interface ProbeResult {
  readonly ok: boolean;
  /** Text for people: the status, or why there was none. */
  readonly reason: string;
  /** The backend's name for its present boot, if it gave one. */
  readonly incarnation: string | undefined;
  /** This machine could not send the probe. That says nothing about the backend. */
  readonly unasked?: true;
}

/** The limit for reading a health check's body. */
const bodyBytesMax = 16 * 1024;

/**
 * Sends one health check. Never rejects; `abort` ends it early. It is a whole HTTP exchange on a new connection. The
 * kernel still accepts connections for a stopped process, so a bare connect proves nothing. A pooled connection would
 * say little about new ones.
 */
export async function probe(
  url: URL,
  { path, timeoutMs }: Pick<HealthOptions, 'path' | 'timeoutMs'>,
  abort: AbortController,
  backendTls?: BackendTls,
): Promise<ProbeResult> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort.abort();
  }, timeoutMs);
  try {
    return await ask(new URL(path, url), abort.signal, backendTls);
  } catch (error) {
    const reason = late ? `no answer within ${timeoutMs} ms` : reasonOf(error);
    return { ok: false, reason, incarnation: undefined, ...(isShortage(error) ? { unasked: true } : {}) };
  } finally {
    clearTimeout(timer);
  }
}

async function ask(url: URL, signal: AbortSignal, backendTls: BackendTls | undefined): Promise<ProbeResult> {
  const answer = await get(url, signal, backendTls);
  const status = answer.statusCode ?? 0;
  const body = await readBeginning(answer);
  const named = answer.headers['holdfast-incarnation'];
  return {
    ok: status >= 200 && status < 300,
    reason: `health check answered ${status}`,
    incarnation: typeof named === 'string' ? named : named ? undefined : parseIncarnation(body),
  };
}

function get(url: URL, signal: AbortSignal, backendTls: BackendTls | undefined): Promise<IncomingMessage> {
  const overTls = url.protocol === 'https:';
  const request = overTls ? httpsRequest : httpRequest;
  const tls = overTls ? buildBackendTlsOptions(hostOf(url), backendTls) : {};
  return new Promise((resolve, reject) => {
    request(url, { ...tls, agent: false, signal, headers: { 'user-agent': 'holdfast-health' } }, resolve)
      .on('error', reject)
      .end();
  });
}

async function readBeginning(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bodyBytesMax) break;
  }
  return Buffer.concat(chunks).toString();
}

/** Reads the field `incarnation` of a JSON object. */
function parseIncarnation(body: string): string | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    const { incarnation }: { incarnation?: unknown } = JSON.parse(body);
    return typeof incarnation === 'string' ? incarnation : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  if (classifyTlsFailure(code) !== 'tls_certificate_error') return code;
  const flag = code.startsWith('ERR_TLS_CERT_ALTNAME') ? '--backend-server-name' : '--backend-ca';
  return `its certificate is not accepted (${code}); see ${flag}`;
}

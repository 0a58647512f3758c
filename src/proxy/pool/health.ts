import type { HealthOptions } from '../options.js';
import type { BackendTls } from '../sockets/backend-tls.js';
import { type ProbeResult, probe } from './probe.js';

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

import { applyChange } from '../changes.js';
import type { CountsView, LiveSettings, SideName, SideView, StreamMessage, StrikeView } from '../protocol.js';
import { sideNames } from '../protocol.js';

/** The state of one side, as the page knows it. */
export interface ShownSide {
  readonly view: SideView;
  /** The last wave of strikes. Undefined: nothing has struck. */
  readonly wave?: StrikeWave;
}

/** Strikes that began together, such as a cut of two links to one backend. */
export interface StrikeWave {
  /** In the order of their requests. */
  readonly strikes: readonly [StrikeView, ...StrikeView[]];
  /** The counters before it. */
  readonly before: CountsView;
}

export type LabSides = { readonly [Side in SideName]?: ShownSide };

/** Strikes of one click begin within this time. */
const oneWaveMs = 1_000;

/** Returns both sides after a message. Sides that the message does not name stay the same object. */
export function sidesAfter(sides: LabSides, message: StreamMessage): LabSides {
  if (message.kind === 'snapshot') {
    const { left, right } = message;
    return { left: shownAfter(sides.left, left), ...(right && { right: shownAfter(sides.right, right) }) };
  }
  if (message.kind === 'strike') {
    const change = { nowMs: message.nowMs, strikes: [message.strike] };
    return changeSide(sides, message.side, view => applyChange(view, change));
  }
  if (message.kind === 'over') return sides;
  return sideNames.reduce((all, name) => {
    const change = message[name];
    if (change === undefined) return all;
    return changeSide(all, name, view => applyChange(view, change));
  }, sides);
}

export function settingsAfter(settings: LiveSettings | undefined, message: StreamMessage): LiveSettings | undefined {
  return ('settings' in message && message.settings) || settings;
}

function changeSide(sides: LabSides, name: SideName, change: (view: SideView) => SideView): LabSides {
  const shown = sides[name];
  return shown === undefined ? sides : { ...sides, [name]: shownAfter(shown, change(shown.view)) };
}

function shownAfter(before: ShownSide | undefined, view: SideView): ShownSide {
  const wave = before?.view.strikes === view.strikes ? before.wave : findLastWave(view.strikes);
  return wave === undefined ? { view } : { view, wave };
}

/** Depends on the strikes alone, so that every page says the same, whenever it was opened. */
function findLastWave(strikes: readonly StrikeView[]): StrikeWave | undefined {
  let wave: StrikeWave | undefined;
  for (const strike of strikes.toSorted((a, b) => a.requestedMs - b.requestedMs)) {
    const isOfWave = wave !== undefined && strike.requestedMs - wave.strikes[0].requestedMs < oneWaveMs;
    if (wave === undefined || !isOfWave) wave = { strikes: [strike], before: strike.before };
    else wave = { ...wave, strikes: [...wave.strikes, strike] };
  }
  return wave;
}

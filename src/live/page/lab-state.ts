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
  readonly ids: readonly string[];
  readonly startMs: number;
  /** The counters before it. Undefined: the page was not there, so it knows no difference. */
  readonly before: CountsView | undefined;
  /** How many users the struck backend had answered last. Undefined: it was no backend, or the page was not there. */
  readonly served: number | undefined;
}

export type LabSides = { readonly [Side in SideName]?: ShownSide };

/** Strikes of one click begin within this time. */
const oneWaveMs = 1_000;

const noCounts: CountsView = {
  loggedOut: 0,
  exposed: null,
  acknowledged: 0,
  missing: 0,
  lost: 0,
  failed: 0,
  unknown: 0,
  swapped: 0,
  p99Ms: null,
};

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
    const known = change.isNew ? forgetWave(all, name) : all;
    return changeSide(known, name, view => applyChange(view, change));
  }, sides);
}

export function settingsAfter(settings: LiveSettings | undefined, message: StreamMessage): LiveSettings | undefined {
  return ('settings' in message && message.settings) || settings;
}

function changeSide(sides: LabSides, name: SideName, change: (view: SideView) => SideView): LabSides {
  const shown = sides[name];
  return shown === undefined ? sides : { ...sides, [name]: shownAfter(shown, change(shown.view)) };
}

function forgetWave(sides: LabSides, name: SideName): LabSides {
  const shown = sides[name];
  return shown === undefined ? sides : { ...sides, [name]: { view: { ...shown.view, strikes: [], counts: noCounts } } };
}

function shownAfter(before: ShownSide | undefined, view: SideView): ShownSide {
  const wave = waveAfter(before, view);
  return wave === undefined ? { view } : { view, wave };
}

function waveAfter(before: ShownSide | undefined, view: SideView): StrikeWave | undefined {
  const { strikes } = view;
  const newest = strikes.reduce<StrikeView | undefined>(
    (last, strike) => (last === undefined || strike.requestedMs >= last.requestedMs ? strike : last),
    undefined,
  );
  if (newest === undefined) return undefined;
  const old = before?.wave;
  if (old?.ids.includes(newest.id)) return old;
  if (old !== undefined && newest.requestedMs - old.startMs < oneWaveMs && newest.requestedMs >= old.startMs) {
    return { ...old, ids: [...old.ids, newest.id] };
  }
  // Nothing is lost before the first strike of a run, so a page that is opened later knows the difference too.
  const counts = before?.view.counts ?? (strikes.length === 1 ? noCounts : undefined);
  const backend = newest.target.split('->').at(-1);
  const served = before?.view.users.filter(({ member }) => member === backend).length;
  return { ids: [newest.id], startMs: newest.requestedMs, before: counts, served: served || undefined };
}

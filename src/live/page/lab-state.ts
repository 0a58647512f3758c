import { applyChange } from '../changes.js';
import {
  type Command,
  type CountsView,
  isHealedWith,
  type LiveSettings,
  type MemberView,
  type OfferedFault,
  type OfferView,
  type SideName,
  type SideView,
  type StreamMessage,
  type StrikeView,
  sideNames,
} from '../protocol.js';

/** The knowledge of the page about both sides, and the strikes and healings that a user can choose there. Pure. */

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

/** The faults with a button and a key of their own: fault, text, key. */
export const quickFaults = [
  ['kill', 'Kill', 'k'],
  ['hang', 'Hang', 'h'],
  ['drain', 'Drain', 'd'],
  ['slow', 'Slow', 's'],
  ['cut-link', 'Cut', 'c'],
  ['pause', 'Pause store', ''],
  ['promote', 'Promote', ''],
] as const;

export type Views = { readonly [Side in SideName]?: SideView | undefined };

/**
 * Returns the names of all members of both sides: backends, proxies, stores, and then spare backends. The keys 1 to 9
 * select them in this order.
 */
export function memberNames(views: Views): string[] {
  const members = [views.left, views.right].flatMap(view =>
    (view?.members ?? []).map(member => ({
      name: member.name,
      rank: member.state === 'spare' ? roles.length : roles.indexOf(member.role),
    })),
  );
  return [...new Set(members.toSorted((a, b) => a.rank - b.rank).map(({ name }) => name))];
}

const roles: readonly MemberView['role'][] = ['backend', 'proxy', 'store'];

/** Returns the offers of one member on one side. */
export function offersOf(view: SideView | undefined, member: string): readonly OfferView[] {
  return view?.offers.filter(offer => offer.member === member) ?? [];
}

/**
 * Returns the targets that a quick fault strikes: the member itself, or its links. Where links come from a proxy only
 * these are struck, so that `Cut` of a backend means what a user would notice.
 */
export function quickTargets(view: SideView | undefined, member: string, fault: string): readonly string[] {
  const able = offersOf(view, member).filter(({ faults }) => faults.some(({ name }) => name === fault));
  const targets = able.map(({ target }) => target);
  if (targets.includes(member)) return [member];
  const fromProxy = targets.filter(target => target.startsWith('proxy'));
  return fromProxy.length > 0 ? fromProxy : targets;
}

/** Returns the commands of a quick fault on these sides, one for each target. A side without the target is left out. */
export function quickCommands(views: Views, sides: readonly SideName[], member: string, fault: string): Command[] {
  const targets = [...new Set(sides.flatMap(side => quickTargets(views[side], member, fault)))];
  return targets.map(target => {
    const able = sides.filter(side => findOffered(views[side], target, fault) !== undefined);
    const offered = able.map(side => findOffered(views[side], target, fault)).find(each => each !== undefined);
    const options = Object.fromEntries(
      (offered?.options ?? [])
        .filter(({ required }) => required)
        .map(each => [each.name, readOption(each, each.example)]),
    );
    return { do: 'strike', sides: able, fault, target, ...(Object.keys(options).length > 0 && { options }) };
  });
}

export function findOffered(view: SideView | undefined, target: string, fault: string): OfferedFault | undefined {
  return view?.offers.find(offer => offer.target === target)?.faults.find(({ name }) => name === fault);
}

/** Returns the value of an option as the server expects it. */
export function readOption({ type }: { readonly type: string }, text: string): string | number | boolean {
  if (type === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  return type === 'boolean' ? text === 'true' : text;
}

/** Returns the sides on which something of this member can be healed. */
export function healableSides(views: Views, sides: readonly SideName[], member: string): SideName[] {
  return sides.filter(side => {
    const { members = [], strikes = [] } = views[side] ?? {};
    const proxies = members.filter(({ role }) => role === 'proxy').map(({ name }) => name);
    return strikes.some(({ target, state }) => state !== 'healed' && isHealedWith(member, target, proxies));
  });
}

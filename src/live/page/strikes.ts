import {
  type Command,
  isHealedWith,
  type MemberView,
  type OfferedFault,
  type OfferView,
  type SideName,
  type SideView,
} from '../protocol.js';

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

import type { MemberFindings } from '../simulator/checker/findings.js';

const troubles = {
  notBack: 'did not come back',
  ejectedAtEnd: 'still ejected at the end',
  idleAfterHealing: 'idle after the healing',
} as const satisfies { readonly [K in keyof MemberFindings]?: string };
type Trouble = keyof typeof troubles;
const troubleNames = Object.keys(troubles) as readonly Trouble[];

const sentences: Readonly<Record<Trouble, string>> = {
  notBack: 'did not come back when its fault was healed.',
  ejectedAtEnd: 'was still ejected when the run ended: the proxy sent it nothing.',
  idleAfterHealing: 'was healed and then answered no user, although users without a backend arrived.',
};

/** `backend-2 did not come back`: one phrase for each kind of trouble that some member has, the worst first. */
export function listMemberTrouble(members: MemberFindings): string[] {
  return troubleNames.flatMap(name =>
    members[name].length === 0 ? [] : `${members[name].join(', ')} ${troubles[name]}`,
  );
}

/** A sentence for each member that is away or idle. One that did not come back is no warning: the run fails. */
export function listMemberWarnings(members: MemberFindings): string[] {
  const warned = troubleNames.filter(name => name !== 'notBack');
  return warned.flatMap(name => members[name].map(member => `${member} ${sentences[name]}`));
}

/** Lists the troubles of one member, in the words of the phrases. */
export function troublesOf(members: MemberFindings, member: string): string[] {
  return troubleNames.filter(name => members[name].includes(member)).map(name => troubles[name]);
}

/** Returns every member that the findings name. */
export function memberNames(members: MemberFindings): readonly string[] {
  return [...new Set([...Object.keys(members.answered), ...troubleNames.flatMap(name => members[name])])];
}

import { isDeepStrictEqual } from 'node:util';
import { type ItemsPlace, parseJsonPath, valuesAt, type WhoPlace } from '../../simulator/scenario/journey/mapping.js';
import { type AlignedPasses, chooseOne, type FoundStep, type Group, isStop, type Stop, stopWith } from './align.js';
import {
  answerLeaves,
  carries,
  describeCall,
  isDone,
  isSafe,
  jsonOf,
  type RecordedCall,
  redirectOf,
  stepTo,
  type TypedCalls,
} from './call.js';
import { buildPatterns, findAll, findWho, shows, withoutRepeats } from './place.js';

/** The request that shows the cart, and where its answer holds the items and the user. */
export interface ReadStep extends FoundStep {
  readonly items: ItemsPlace;
  readonly who: WhoPlace | undefined;
  /** Whether an answer showed an empty cart after the login. */
  readonly hasEmpty: boolean;
  readonly notes: readonly string[];
}

/** Most kinds of requests that are looked at closely: on some sites every page shows the cart. */
const groupsMax = 12;

interface Candidate extends Omit<ReadStep, 'notes'> {
  readonly label: string;
}

/** The answers to one kind of request in one pass. */
interface Views {
  readonly typed: TypedCalls;
  /** Answers after the add that show the item. */
  readonly full: readonly RecordedCall[];
  /** Answers before the add, when the cart had no such item. */
  readonly early: readonly RecordedCall[];
  /** How often the item was added. */
  readonly adds: number;
}

/** Finds the request that shows the items, and can be asked again by any user at any time. */
export function findRead(
  recording: AlignedPasses,
  add: FoundStep,
  answers: ReadonlyMap<string, string>,
): ReadStep | Stop {
  const { first, second } = recording;
  const showing = recording.groups.flatMap(group => {
    const views = [viewsOf(group.first, first, add, 0), viewsOf(group.second, second, add, 1)];
    const isView = views.every(({ full }) => full.length > 0) && !group.first.some(call => carries(call, first.item));
    return isView ? [{ group, views }] : [];
  });
  if (showing.length === 0) return stopWith(explainNoView(recording, add));
  const hidden = showing.filter(
    ({ group }) => !group.anonymous.some(call => shows(call, first.item) || shows(call, second.item)),
  );
  if (hidden.length === 0)
    return stopWith(
      'the pass without a login shows the item of a user: record it again in a fresh browser, without a login',
    );
  const likely = hidden.sort((a, b) => rankGroup(b.group) - rankGroup(a.group)).slice(0, groupsMax);
  const found = likely.flatMap(({ group, views }): Candidate[] => {
    const [one, other] = views.map(({ full }) => full.at(-1));
    if (one === undefined || other === undefined) return [];
    const who = findUser(views);
    const places = findItems(group, views, add.calls[0]);
    return places.map(({ label, ...items }) => ({
      group,
      calls: [one, other],
      who,
      items,
      hasEmpty: views.some(({ typed, early }) => early.some(call => shows(call, typed.user))),
      label: `${describeCall(one)}: ${label}`,
    }));
  });
  return chooseRead(found, likely[0]?.group, answers);
}

function viewsOf(calls: readonly RecordedCall[], typed: TypedCalls, add: FoundStep, pass: 0 | 1): Views {
  const { order } = add.calls[pass];
  const isGood = ({ reply: { status = 0 } }: RecordedCall) => status >= 200 && status < 300;
  const sent = pass === 0 ? add.group.first : add.group.second;
  return {
    typed,
    full: withoutRepeats(calls.filter(call => call.order > order && isGood(call) && shows(call, typed.item))),
    early: withoutRepeats(calls.filter(call => call.order < order && isGood(call))),
    adds: sent.filter(call => isDone(call) && carries(call, typed.item)).length,
  };
}

function chooseRead(
  found: readonly Candidate[],
  shown: Group | undefined,
  answers: ReadonlyMap<string, string>,
): ReadStep | Stop {
  const readable = found.filter(({ items, who }) => items.path !== undefined || who !== undefined);
  if (readable.length === 0) return stopWith(explainNoPlace(found[0]?.group ?? shown, found.length > 0));
  const best = Math.max(...readable.map(rankOf));
  const equal = readable.filter(step => rankOf(step) === best);
  // A small cart that every page shows is the same place: any of the pages will do.
  const unlike = equal.filter((step, i) => equal.findIndex(({ items }) => isDeepStrictEqual(items, step.items)) === i);
  const text =
    'Which place lists the items of the cart? It must list them each time, unlike a message that is shown once.';
  const chosen = chooseOne('read', text, unlike, ({ label }) => label, answers);
  return isStop(chosen) ? chosen : { ...chosen, notes: describeDoubts(chosen, readable) };
}

/** Says what a person should look at, since the recording cannot prove it. */
function describeDoubts({ group, items, calls: [call] }: Candidate, found: readonly Candidate[]): string[] {
  const others = [...new Set(found.filter(each => each.group !== group).map(each => describeCall(each.calls[0])))];
  const used = `the items are read from ${describeCall(call)}`;
  const isLong = /^[^(>]*>[^(]*</.test(items.regexp ?? '');
  return [
    ...(others.length === 0 ? [] : [`${used}; ${others.slice(0, 3).join(', ')} would show them, too`]),
    ...(isLong
      ? [`${used} by ${items.regexp}, which was built from one item. Check that it also finds two items`]
      : []),
  ];
}

function explainNoPlace(group: Group | undefined, hasItems: boolean): string {
  const [call] = group?.first ?? [];
  const name = call === undefined ? 'the answer' : describeCall(call);
  return hasItems
    ? `${name} shows the item but not the user, so that a page without items could be any page: open a page that shows both, and record again`
    : `${name} shows the item, but nothing around it tells the items of the cart from other texts: empty the cart of both users, or mark the items on the page, as in <li class="item">, and record again`;
}

/** Prefers a GET, one that the pass without a login asked too, and one that it was refused. */
function rankGroup({ first, anonymous }: Group): number {
  const isRefused = (call: RecordedCall) => (call.reply.status ?? 0) >= 400 || redirectOf(call) !== undefined;
  const signs = [first.every(isSafe), anonymous.length > 0, anonymous.length > 0 && anonymous.every(isRefused)];
  return signs.reduce((rank, sign) => rank * 2 + (sign ? 1 : 0), 0);
}

/** Among answers of such a rank it prefers JSON, then an answer that names the user. */
function rankOf({ group, items, who }: Candidate): number {
  return rankGroup(group) * 4 + (items.path === undefined ? 0 : 2) + (who === undefined ? 0 : 1);
}

function findUser(views: readonly Views[]): WhoPlace | undefined {
  const shown = views.flatMap(({ typed, full, early }) => {
    const named = [...full, ...early.filter(call => shows(call, typed.user))];
    return named.map(answer => ({ answer, value: typed.user }));
  });
  return findWho(
    shown,
    views.map(({ typed }) => typed.item),
  );
}

/** Finds where the answers list exactly the items: paths, or else patterns. */
function findItems(
  group: Group,
  views: readonly Views[],
  add: RecordedCall,
): (ItemsPlace & { readonly label: string })[] {
  const [first] = views;
  const [call] = first?.full ?? [];
  if (first === undefined || call === undefined) return [];
  const others = group.anonymous;
  const paths = itemPaths(call, first.typed.item).filter(path =>
    fits(answer => itemsAt(answer, path), views, others, true),
  );
  const lists = paths.filter((path, i) => paths.findIndex(each => listOf(each) === listOf(path)) === i);
  if (lists.length > 0) return lists.map(path => ({ ...withQuantity(path, views, add), label: path }));
  const early = views.flatMap(each => each.early);
  const accepts = (regexp: string) =>
    fits(answer => findAll(answer.reply.body, regexp), views, others, false) && !beginsOutsideRow(regexp, early);
  const variable = views.flatMap(({ typed }) => [typed.item, typed.user]);
  const found = buildPatterns(
    { text: call.reply.body, wanted: first.typed.item },
    { variable, isInRow: true, accepts },
  );
  return found.map(({ regexp, around }) => ({ regexp, label: around }));
}

/**
 * Whether a way to read items finds the item of each pass as often as it was added, and no item of the other pass.
 * `mayHaveMore`: the cart may hold what it held before the add, too. On a page that could also be an entry of a menu.
 */
function fits(
  read: (answer: RecordedCall) => readonly unknown[] | undefined,
  views: readonly Views[],
  others: readonly RecordedCall[],
  mayHaveMore: boolean,
): boolean {
  const typed = views.map(each => each.typed.item);
  const isFree = (answer: RecordedCall) => !(read(answer) ?? []).some(each => typed.some(item => item === each));
  return (
    others.every(isFree) &&
    views.every(({ typed: { item }, full, early, adds }) => {
      const known = new Set(mayHaveMore ? early.flatMap(answer => read(answer) ?? []) : []);
      const isRight = (answer: RecordedCall) => {
        const found = read(answer) ?? [];
        const own = found.filter(each => each === item).length;
        return (
          (own === 1 || own === adds) &&
          found.every(each => each === item || (known.has(each) && !typed.some(other => other === each)))
        );
      };
      return (
        full.every(isRight) && early.every(answer => isFree(answer) && (mayHaveMore || read(answer)?.length === 0))
      );
    })
  );
}

/** Whether a pattern begins with the tag around the list: that tag stands on a page without items, too. */
function beginsOutsideRow(regexp: string, early: readonly RecordedCall[]): boolean {
  const [outer] = /^[^(>]*>(?=[^(]*<)/.exec(regexp) ?? [];
  return outer !== undefined && early.some(({ reply: { body } }) => new RegExp(outer).test(body));
}

/** Returns the paths to lists or maps that could hold the items. */
function itemPaths(answer: RecordedCall, item: string): string[] {
  const leaves = answerLeaves(answer);
  const listed = leaves.filter(({ value }) => value === item).map(({ path }) => path.replaceAll(/\[\d+\]/g, '[*]'));
  const step = stepTo(item);
  const mapped =
    step === undefined ? [] : leaves.filter(({ path, value }) => path.endsWith(step) && typeof value === 'number');
  const paths = [
    ...listed.filter(path => path.includes('[*]')),
    ...mapped.map(({ path }) => path.slice(0, -(step ?? '').length)),
  ];
  return [...new Set(paths)].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

/** Reads the items at a path as a journey does: from a list with [*], or from the keys of a map. */
function itemsAt(answer: RecordedCall, path: string): readonly unknown[] | undefined {
  const values = valuesAt(jsonOf(answer), parseJsonPath(path) ?? []);
  if (path.includes('[*]')) return values;
  const [map] = values ?? [];
  return typeof map === 'object' && map !== null ? Object.keys(map) : undefined;
}

function listOf(path: string): string {
  return path.slice(0, path.lastIndexOf('[*]') + 3);
}

/**
 * Adds the path of the quantity, if the item has a number beside it that says how often it was added. Its name is a usual
 * one, or that of a field of the add.
 */
function withQuantity(path: string, views: readonly Views[], add: RecordedCall): ItemsPlace {
  const [list, rest] = [listOf(path), path.slice(listOf(path).length)];
  const parent = rest.replace(/(\.[^.[\]]+|\['[^']+'\])$/, '');
  if (rest === '') return { path };
  const sent = add.parts.filter(({ value }) => value === '1').map(part => part.name);
  const names = ['quantity', 'qty', ...sent].flatMap(name =>
    [`${list}${parent}`, list].map(at => `${at}${stepTo(name) ?? '.?'}`),
  );
  const counts = (answer: RecordedCall, each: string) => valuesAt(jsonOf(answer), parseJsonPath(each) ?? []) ?? [];
  const quantity = names.find(each =>
    views.every(({ full, adds }) => full.every(answer => counts(answer, each).includes(adds))),
  );
  return quantity === undefined ? { path } : { path, quantity };
}

function explainNoView({ first, second }: AlignedPasses, add: FoundStep): string {
  const [one, other] = add.calls;
  const isEchoed = shows(one, first.item) && shows(other, second.item);
  const echo = isEchoed ? 'only the answer to the add itself shows the item' : 'no answer after the add shows the item';
  return `${echo} in both passes: after the add, open the page that lists the items, in both passes`;
}

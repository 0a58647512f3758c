import {
  type CarriedPlace,
  isPlaceholder,
  parseJsonPath,
  protectBraces,
  type StepKind,
  valuesAt,
} from '../../simulator/scenario/journey/mapping.js';
import { type AlignedPasses, type FoundStep, findInBoth, isRandom, isStop, type Stop, stopWith } from './align.js';
import { cookiesSet, describeCall, isDone, isSafe, type Part, type RecordedCall, tellingHeaders } from './call.js';
import {
  findFirst,
  findInHeaders,
  findPath,
  findPlace,
  isUnambiguous,
  type Shown,
  shows,
  valueAt,
  valueInHeaders,
  withoutRepeats,
} from './place.js';
import {
  type Difference,
  findDifference,
  isMoment,
  isPasswordField,
  isTokenField,
  nameCarried,
  replaceTyped,
  type WrittenRequest,
  writeRequest,
} from './request.js';

/** Where a value was shown before it was sent. `source`: the request that got the answers with it. */
interface Origin {
  readonly place: CarriedPlace;
  readonly source: FoundStep | undefined;
}

interface WrittenStep {
  readonly before?: WrittenRequest;
  readonly request: WrittenRequest;
  readonly after?: WrittenRequest;
}

type Calls = readonly [RecordedCall, RecordedCall];

/** Most answers with a value in which its place is searched. */
const sourcesMax = 8;
const required: readonly StepKind[] = ['login', 'add', 'read'];

/**
 * Writes the requests of the steps: it replaces what was typed by placeholders, and finds for each other value that
 * differs between the passes where an earlier answer showed it. It collects these places, and remarks.
 */
export class RequestWriter {
  /** Remarks about the steps that are written. */
  readonly #notes = new Set<string>();
  /** A remark about each step that is left out. */
  readonly #leftOut = new Map<StepKind, string>();
  readonly carry = new Map<string, CarriedPlace>();
  /** The request before each step whose answers supply values. */
  readonly #before = new Map<StepKind, FoundStep>();
  /** The request right after the login. */
  #after: FoundStep | undefined;
  #steps: ReadonlyMap<StepKind, FoundStep> = new Map();
  readonly #recording: AlignedPasses;
  readonly #login: FoundStep;
  readonly #answers: ReadonlyMap<string, string>;

  constructor(recording: AlignedPasses, login: FoundStep, answers: ReadonlyMap<string, string>) {
    this.#recording = recording;
    this.#login = login;
    this.#answers = answers;
  }

  /** Writes the steps, and then the requests around them: a later step can need a page before the login. */
  write(steps: ReadonlyMap<StepKind, FoundStep>): ReadonlyMap<StepKind, WrittenStep> | Stop {
    this.#steps = steps;
    for (;;) {
      const count = this.#leftOut.size;
      const written = this.#writeKept();
      if (this.#leftOut.size === count) return written;
      // A step that is left out has asked for pages and values: all others are written again without it.
      this.#forget();
    }
  }

  get notes(): string[] {
    return [...this.#leftOut.values(), ...this.#notes];
  }

  #forget(): void {
    this.#before.clear();
    this.#after = undefined;
    this.carry.clear();
    this.#notes.clear();
  }

  #writeKept(): ReadonlyMap<StepKind, WrittenStep> | Stop {
    const requests = new Map<StepKind, WrittenRequest>();
    for (const [kind, { calls }] of this.#steps) {
      if (this.#leftOut.has(kind)) continue;
      const request = this.#write(kind, calls, false);
      if (!isStop(request)) requests.set(kind, request);
      else if (!this.#leaveOut(kind, request)) return request;
    }
    if (!this.#before.has('login')) this.#useCookiePage();
    const written = this.#writeBefore(requests);
    if (isStop(written) || this.#after === undefined) return written;
    const after = this.#write('login', this.#after.calls, true);
    if (isStop(after)) return after;
    return new Map([...written].map(([kind, step]) => [kind, kind === 'login' ? { ...step, after } : step]));
  }

  #writeBefore(requests: ReadonlyMap<StepKind, WrittenRequest>): ReadonlyMap<StepKind, WrittenStep> | Stop {
    const pairs = new Map<StepKind, WrittenStep>();
    for (const [kind, request] of requests) {
      const page = this.#before.get(kind);
      const before = page && this.#write(kind, page.calls, true);
      if (!isStop(before)) pairs.set(kind, { ...(before === undefined ? {} : { before }), request });
      else if (!this.#leaveOut(kind, before)) return before;
    }
    return pairs;
  }

  /** Leaves out a step with a problem, if a journey can do without it. */
  #leaveOut(kind: StepKind, stop: Stop): boolean {
    if (stop.kind === 'question' || required.includes(kind)) return false;
    this.#leftOut.set(kind, `${kind} is left out: ${stop.problem}`);
    return true;
  }

  /** Returns the calls of the request before a step; undefined when the step needs none. */
  before(kind: StepKind): Calls | undefined {
    return this.#before.get(kind)?.calls;
  }

  /** The calls of the request after the login. */
  get afterLogin(): Calls | undefined {
    return this.#after?.calls;
  }

  /** Asks for the page before the login that set a cookie which the login sends. */
  #useCookiePage(): void {
    const names = [...this.#login.calls[0].cookies.keys()];
    const [page] = this.#earlier(
      this.#login.calls,
      call => call.method === 'GET' && cookiesSet(call).some(({ name, isGone }) => !isGone && names.includes(name)),
    );
    if (page !== undefined) this.#before.set('login', page);
  }

  /** Lists the kinds of requests before these calls for which this holds in both passes: the latest GET first. */
  #earlier(before: Calls, holds: (call: RecordedCall, pass: 0 | 1) => boolean): FoundStep[] {
    const found = findInBoth(this.#recording, (calls, _, pass) =>
      calls.findLast(call => call.order < before[pass].order && holds(call, pass)),
    );
    const isWrite = ({ calls: [call] }: FoundStep) => (isSafe(call) ? 0 : 1);
    return found.sort((a, b) => isWrite(a) - isWrite(b) || b.calls[0].order - a.calls[0].order);
  }

  #write(kind: StepKind, calls: Calls, isBefore: boolean): WrittenRequest | Stop {
    const [one, other] = calls;
    const templates = new Map<string, string | undefined>();
    for (const part of one.parts) {
      const value = other.values.get(part.key);
      if (value === undefined && part.at === 'header') continue;
      const template = this.#template(kind, part, value ?? part.value, calls, isBefore);
      if (isStop(template)) return template;
      templates.set(part.key, this.#keepType(template, part, one));
    }
    if (one.body === 'other')
      return stopWith(`${describeCall(one)} has a body that is neither a form nor JSON: a journey cannot send it`);
    return writeRequest(one, templates);
  }

  #template(kind: StepKind, part: Part, value: string, calls: Calls, isBefore: boolean): string | undefined | Stop {
    const { first, second } = this.#recording;
    const fixed = part.at === 'json' ? protectBraces : (text: string) => text;
    const mayHaveToken = kind === 'add' || kind === 'remove';
    const typed = [replaceTyped(fixed(part.value), first), replaceTyped(fixed(value), second)] as const;
    const isEqual = typed[0] === typed[1] && (mayHaveToken || !typed[0].includes('{token}'));
    if (isEqual && !isTokenField(part)) return typed[0];
    for (const difference of isEqual
      ? [whole(part.value, value)]
      : [findDifference(part.value, value), whole(part.value, value)]) {
      const name = this.#carryFrom(kind, part, difference, calls, isBefore);
      if (isStop(name)) return name;
      if (name === undefined) continue;
      const around = (text: string) => replaceTyped(fixed(text), first);
      return `${around(difference.head)}{${name}}${around(difference.tail)}`;
    }
    return isEqual ? typed[0] : this.#unexplained(kind, part, [part.value, value], calls[0]);
  }

  /** Adds the type to a placeholder that stands for a number, true or false in JSON. An item of a run is always text. */
  #keepType(template: string | undefined, part: Part, call: RecordedCall): string | undefined {
    const type = part.at === 'json' ? typeof sentValue(call, part) : 'string';
    if ((type !== 'number' && type !== 'boolean') || template === undefined || template === part.value) return template;
    if (template !== '{token}' && isPlaceholder(template)) return template.replace('}', `:${type}}`);
    this.#note(`${part.key} of ${describeCall(call)} was a ${type}, and is sent as text`);
    return template;
  }

  /** Returns the name under which an earlier answer supplies a value; undefined when none showed it. */
  #carryFrom(
    kind: StepKind,
    part: Part,
    { values }: Difference,
    calls: Calls,
    isBefore: boolean,
  ): string | undefined | Stop {
    if (values.some(value => value === '')) return undefined;
    const origins = this.#findOrigins(values, calls);
    const [origin] = origins;
    if (origin === undefined) return undefined;
    const supplied = origins.find(({ source }) => source === undefined || this.#supply(kind, source, isBefore));
    if (supplied !== undefined) {
      const isOnce = supplied.source !== undefined && supplied.source.group === this.#after?.group;
      return this.#nameOf(part, isOnce ? { ...supplied.place, from: 'login' } : supplied.place);
    }
    return stopWith(
      `${describeCall(calls[0])} needs ${part.name} from ${describeCall(origin.source?.calls[0] ?? calls[0])}, and the journey cannot ask for that first: write this step by hand`,
    );
  }

  /** Lists where earlier answers showed the values, the best first. */
  #findOrigins(values: readonly [string, string], calls: Calls): Origin[] {
    const sure = this.#findCookie(values, calls) ?? this.#findInLogin(values, calls);
    return sure === undefined ? this.#findInAnswers(values, calls) : [sure];
  }

  /** Finds a cookie with this value. If the login set it to this value, no other page is needed: the browser keeps it. */
  #findCookie(values: readonly [string, string], calls: Calls): Origin | undefined {
    for (const [cookie, value] of calls[0].cookies) {
      if (value !== values[0] || calls[1].cookies.get(cookie) !== values[1] || value.length < 6) continue;
      const isSet = (call: RecordedCall, pass: 0 | 1) =>
        cookiesSet(call).findLast(({ name }) => name === cookie)?.value === values[pass];
      const sources = this.#earlier(calls, isSet);
      const source = sources.find(({ group }) => group === this.#login.group) ?? sources[0];
      if (source !== undefined) return { place: { cookie }, source };
    }
    return undefined;
  }

  #findInLogin(values: readonly [string, string], calls: Calls): Origin | undefined {
    const [one, other] = this.#login.calls;
    if (calls[0].order <= one.order) return undefined;
    const shown = [
      { answer: one, value: values[0] },
      { answer: other, value: values[1] },
    ];
    const place = findPath(shown) ?? findInHeaders(shown);
    return place && { place: { ...place, from: 'login' }, source: undefined };
  }

  #findInAnswers(values: readonly [string, string], calls: Calls): Origin[] {
    const tells = (call: RecordedCall, value: string) =>
      shows(call, value) || tellingHeaders(call).some(([, text]) => text.includes(value));
    const sources = this.#earlier(calls, (call, pass) => tells(call, values[pass])).slice(0, sourcesMax);
    const origins = sources.flatMap((source): Origin[] => {
      const place = this.#placeIn(source, values);
      return place === undefined ? [] : [{ place, source }];
    });
    // The request that made the value comes first: the pages that show it later need the value in their own request.
    const isMade = ({ source }: Origin) => source !== undefined && this.#isCreation(source);
    return origins.sort((a, b) => Number(isMade(b)) - Number(isMade(a)));
  }

  /** Whether a request after the login makes something that later requests use, and is no step itself. */
  #isCreation({ group, calls: [call] }: FoundStep): boolean {
    const { status, headers } = call.reply;
    const isStep = [...this.#steps.values()].some(step => step.group === group);
    const hasMade = status === 201 || headers.location !== undefined;
    return hasMade && !isStep && !isSafe(call) && call.order > this.#login.calls[0].order;
  }

  /** Finds the values in the answers of a request. It prefers a place that is carried already. */
  #placeIn({ group, calls: [one, other] }: FoundStep, values: readonly [string, string]): CarriedPlace | undefined {
    const shown = [
      { answer: one, value: values[0] },
      { answer: other, value: values[1] },
    ];
    const alike = withoutRepeats([...group.first, ...group.second].filter(isDone));
    const leads = (place: CarriedPlace, { answer, value }: Shown) => {
      const { path, regexp, header } = place;
      if (header !== undefined) return valueInHeaders(answer, place) === value;
      return path !== undefined
        ? String(valueAt(answer, path)) === value
        : regexp !== undefined && findFirst(answer.reply.body, regexp) === value && isUnambiguous(regexp, alike);
    };
    const known = [...this.carry.values()].find(place => shown.every(each => leads(place, each)));
    const { first, second } = this.#recording;
    const typed = [first.user, first.item, second.user, second.item];
    return known ?? findPlace(shown, typed, alike) ?? findInHeaders(shown);
  }

  /**
   * Makes sure that the source is asked before the step: at the login if it came before that, right after the login if it
   * made something, otherwise right before the step. A step that changes the cart is never asked for a value.
   */
  #supply(kind: StepKind, source: FoundStep, isBefore: boolean): boolean {
    if (source.group === this.#login.group) return true;
    if ((['add', 'remove', 'logout'] as const).some(each => this.#steps.get(each)?.group === source.group))
      return false;
    if (this.#isCreation(source)) {
      this.#after ??= source;
      return this.#after.group === source.group;
    }
    if (kind === 'login' && source.calls[0].order > this.#login.calls[0].order) return false;
    const isEarly = source.calls[0].order < this.#login.calls[0].order;
    const isFree = (at: StepKind) => [undefined, source.group].includes(this.#before.get(at)?.group);
    const at = isEarly && isFree('login') ? 'login' : kind;
    if (!isFree(at)) return false;
    if (isBefore && this.#before.get(at) === undefined) return false;
    this.#before.set(at, source);
    return true;
  }

  #nameOf(part: Part, place: CarriedPlace): string {
    const known = [...this.carry].find(([, each]) => JSON.stringify(each) === JSON.stringify(place));
    if (known !== undefined) return known[0];
    const plain = nameCarried(part, place);
    let name = plain;
    for (let count = 2; this.carry.has(name); count += 1) name = `${plain}-${count}`;
    this.carry.set(name, place);
    return name;
  }

  /** Decides about a value that differs and that no answer showed. */
  #unexplained(
    kind: StepKind,
    part: Part,
    values: readonly [string, string],
    call: RecordedCall,
  ): string | undefined | Stop {
    const where = `${part.name || part.key} of ${describeCall(call)}`;
    if (kind === 'login' && isPasswordField(part))
      return stopWith(
        'the passwords of the two users differ, and a journey has one for all: give both users the same password, and record again',
      );
    if (isMoment(values)) {
      this.#note(`${where} is a moment: each request sends that of the first pass, ${values[0]}`);
      return values[0];
    }
    const mayHaveToken = kind === 'add' || kind === 'remove';
    if (part.at === 'header' && !mayHaveToken) {
      this.#note(`the header ${where} differs in each pass, and no answer showed it: it is left out`);
      return undefined;
    }
    const shown = values.map(value => JSON.stringify(value.slice(0, 60)));
    if (part.at === 'path' && !mayHaveToken)
      return stopWith(
        `${where} differs in each pass (${shown.join(', ')}), and no answer showed it: a journey cannot know it. Open the page by a link of the app, and record again`,
      );
    const constant = { id: 'constant', label: `always send ${shown[0]}` };
    const unique = { id: 'unique', label: 'send another text each time (the name of the item)' };
    // A random value is made for each request, such as the key of an add that must not be done twice.
    const choices = values.every(isRandom) ? [unique, constant] : [constant, unique];
    const candidates = [
      ...(mayHaveToken ? choices : [constant]),
      ...(part.at === 'path' ? [] : [{ id: 'omit', label: 'leave it out' }]),
    ];
    const id = `${kind} ${part.key}`;
    const text = `${where} differs in each pass (${shown.join(', ')}), and no answer showed it. What must a request send?`;
    const answer = this.#answers.get(id);
    if (answer === 'constant') return values[0];
    if (answer === 'unique' && mayHaveToken) return '{token}';
    return answer === 'omit' && part.at !== 'path'
      ? undefined
      : { kind: 'question', question: { id, text, candidates } };
  }

  #note(text: string): void {
    this.#notes.add(text);
  }
}

function whole(one: string, other: string): Difference {
  return { head: '', values: [one, other], tail: '' };
}

function sentValue({ json }: RecordedCall, { key }: Part): unknown {
  return valuesAt(json, parseJsonPath(key) ?? [])?.[0];
}

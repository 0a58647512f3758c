import type { DescribedOption } from '../../simulator/scenario/applicable-faults.js';
import { type Command, type OfferedFault, type SideName, sideNames } from '../protocol.js';
import { find, make, makeButton, onPress, setAttribute, setText } from './dom.js';
import {
  findOffered,
  healableSides,
  memberNames,
  offersOf,
  quickCommands,
  quickFaults,
  quickTargets,
  readOption,
  type Views,
} from './lab-state.js';

type Scope = 'both' | SideName;

/** The bar with which a user chooses a member and the sides, and strikes. */
export class StrikeBar {
  readonly #members = find('#members', HTMLDivElement);
  readonly #actions = find('#actions', HTMLDivElement);
  readonly #scope = find('#scope', HTMLDivElement);
  readonly #quick: readonly { readonly fault: string; readonly button: HTMLButtonElement }[];
  readonly #heal: HTMLButtonElement;
  readonly #more: HTMLButtonElement;
  readonly #dialog: FaultDialog;
  readonly #send: (commands: readonly Command[]) => void;
  readonly #selected: (member: string | undefined) => void;
  #views: Views = {};
  #names: readonly string[] = [];
  #member: string | undefined;
  #sides: Scope = 'both';

  /** `selected`: called when another member is selected. */
  constructor(send: (commands: readonly Command[]) => void, selected: (member: string | undefined) => void) {
    this.#send = send;
    this.#selected = selected;
    this.#dialog = new FaultDialog(send);
    this.#quick = quickFaults.map(([fault, text, key]) => ({
      fault,
      button: makeButton(text, () => this.strike(fault), key || undefined),
    }));
    this.#heal = makeButton('Restart', () => this.heal(), 'r');
    this.#more = makeButton('More …', () => this.openMore(), 'm');
    this.#quick[0]?.button.classList.add('main');
    this.#actions.replaceChildren(...this.#quick.map(({ button }) => button), this.#heal, this.#more);
    for (const button of this.#scope.querySelectorAll('button')) {
      onPress(button, () => this.setScope(toScope(button.dataset.scope)));
    }
  }

  get member(): string | undefined {
    return this.#member;
  }

  draw(views: Views): void {
    if (views.left === this.#views.left && views.right === this.#views.right) return;
    const lists = (of: Views) => [of.left?.members, of.right?.members, of.left?.offers, of.right?.offers];
    const before = [...lists(this.#views), this.#views.left?.strikes, this.#views.right?.strikes];
    this.#views = views;
    const after = [...lists(views), views.left?.strikes, views.right?.strikes];
    if (after.every((list, index) => list === before[index])) return;
    this.#showMembers();
    this.#showActions();
  }

  /** Selects a member by name or, with a number from 1 on, by its place in the bar. */
  select(member: string | number): void {
    const name = typeof member === 'number' ? this.#names[member - 1] : member;
    if (name === undefined || !this.#names.includes(name)) return;
    this.#member = name;
    for (const button of this.#members.querySelectorAll('button')) {
      setAttribute(button, 'aria-pressed', String(button.dataset.member === name));
    }
    this.#showActions();
    this.#selected(name);
  }

  setScope(scope: Scope): void {
    this.#sides = scope;
    for (const button of this.#scope.querySelectorAll('button')) {
      setAttribute(button, 'aria-pressed', String(button.dataset.scope === scope));
    }
    this.#showActions();
  }

  /** Goes from both sides to the left one, to the right one, and back. */
  nextScope(): void {
    this.setScope(({ both: 'left', left: 'right', right: 'both' } as const)[this.#sides]);
  }

  strike(fault: string): void {
    if (this.#member !== undefined) this.#send(quickCommands(this.#views, this.#targetSides(), this.#member, fault));
  }

  heal(): void {
    const member = this.#member ?? '';
    const sides = healableSides(this.#views, this.#targetSides(), member);
    if (sides.length > 0) this.#send([{ do: 'heal', sides, member }]);
  }

  openMore(): void {
    if (this.#member !== undefined) this.#dialog.open(this.#views, this.#targetSides(), this.#member);
  }

  /** Returns whether this button strikes something now. */
  can(fault: string): boolean {
    const member = this.#member ?? '';
    return this.#targetSides().some(side => quickTargets(this.#views[side], member, fault).length > 0);
  }

  #targetSides(): SideName[] {
    return sideNames.filter(
      name => this.#views[name]?.stage === 'running' && (this.#sides === 'both' || this.#sides === name),
    );
  }

  #showMembers(): void {
    const names = memberNames(this.#views);
    if (names.join() === this.#names.join()) return;
    this.#names = names;
    const buttons = names.map((name, index) => {
      const button = makeButton(name, () => this.select(name), index < 9 ? String(index + 1) : undefined);
      button.dataset.member = name;
      return button;
    });
    this.#members.replaceChildren(...buttons);
    const known = this.#member !== undefined && names.includes(this.#member);
    const preferred = names.includes('backend-2') ? 'backend-2' : names[0];
    if (known) this.select(this.#member ?? '');
    else if (preferred !== undefined) this.select(preferred);
  }

  #showActions(): void {
    for (const { fault, button } of this.#quick) {
      const can = this.can(fault);
      button.disabled = !can;
      // The buttons that only a store has appear with a store.
      button.hidden = !can && (fault === 'pause' || fault === 'promote');
    }
    const member = this.#member ?? '';
    const sides = healableSides(this.#views, this.#targetSides(), member);
    this.#heal.disabled = sides.length === 0;
    const label = this.#heal.firstChild;
    if (label instanceof Text) label.data = this.#isGone(sides) || sides.length === 0 ? 'Restart' : 'Heal';
    this.#more.disabled = !this.#targetSides().some(side => this.#views[side]?.offers.some(o => o.member === member));
    setText(find('#strike-title', HTMLElement), member === '' ? 'Break it' : `Break ${member}`);
  }

  #isGone(sides: readonly SideName[]): boolean {
    const states = sides.map(side => this.#views[side]?.members.find(({ name }) => name === this.#member)?.state);
    return states.includes('dead');
  }
}

function toScope(text: string | undefined): Scope {
  return text === 'left' || text === 'right' ? text : 'both';
}

interface Choice {
  readonly target: string;
  readonly fault: OfferedFault;
}

/** The dialog that offers every fault that can strike a member, with its options. */
class FaultDialog {
  readonly #dialog = find('#more', HTMLDialogElement);
  readonly #title = find('#more-title', HTMLElement);
  readonly #form = find('#more-form', HTMLFormElement);
  readonly #send: (commands: readonly Command[]) => void;

  constructor(send: (commands: readonly Command[]) => void) {
    this.#send = send;
  }

  open(views: Views, sides: readonly SideName[], member: string): void {
    const choices = choicesOf(views, sides, member);
    if (choices.length === 0) return;
    setText(this.#title, `All faults that can strike ${member}`);
    const select = make('select', { id: 'more-fault' });
    for (const target of new Set(choices.map(choice => choice.target))) {
      const options = choices.flatMap((choice, index) =>
        choice.target === target
          ? [make('option', { value: String(index) }, `${choice.fault.name}${nameTarget(target, member)}`)]
          : [],
      );
      select.append(make('optgroup', { label: target }, ...options));
    }
    const place = make('div', { class: 'options' });
    const show = (): void => {
      const choice = choices[Number(select.value)];
      if (choice !== undefined) place.replaceChildren(...fieldsOf(choice.fault));
    };
    select.addEventListener('change', show);
    const cancel = makeButton('Cancel', () => this.#dialog.close());
    const strike = make('button', { type: 'submit', class: 'main' }, `Strike on ${describeSides(sides)}`);
    this.#form.replaceChildren(
      make('label', { for: 'more-fault' }, 'Fault'),
      select,
      place,
      make('div', { class: 'row' }, strike, cancel),
    );
    this.#form.onsubmit = event => {
      event.preventDefault();
      const choice = choices[Number(select.value)];
      if (choice !== undefined) this.#send([this.#commandOf(choice, views, sides)]);
      this.#dialog.close();
    };
    show();
    this.#dialog.showModal();
  }

  #commandOf({ target, fault }: Choice, views: Views, sides: readonly SideName[]): Command {
    const given = fault.options.flatMap(option => {
      const text = String(new FormData(this.#form).get(option.name) ?? '').trim();
      return text === '' ? [] : [[option.name, readOption(option, text)] as const];
    });
    const able = sides.filter(side => findOffered(views[side], target, fault.name) !== undefined);
    const options = Object.fromEntries(given);
    return { do: 'strike', sides: able, fault: fault.name, target, ...(given.length > 0 && { options }) };
  }
}

/** Returns each pair of target and fault once, also when both sides offer it. */
function choicesOf(views: Views, sides: readonly SideName[], member: string): Choice[] {
  const all = sides.flatMap(side =>
    offersOf(views[side], member).flatMap(({ target, faults }) => faults.map(fault => ({ target, fault }))),
  );
  return [...new Map(all.map(choice => [`${choice.target} ${choice.fault.name}`, choice])).values()];
}

function nameTarget(target: string, member: string): string {
  return target === member ? '' : ` on ${target.replace('->', ' → ')}`;
}

function describeSides(sides: readonly SideName[]): string {
  return sides.length === 2 ? 'both sides' : `the ${sides[0] ?? 'left'} side`;
}

function fieldsOf({ summary, options }: OfferedFault): HTMLElement[] {
  return [make('p', { class: 'note' }, summary), ...options.flatMap(fieldOf)];
}

function fieldOf(option: DescribedOption): HTMLElement[] {
  const id = `option-${option.name}`;
  const label = make('label', { for: id }, option.required ? option.name : `${option.name} (optional)`);
  const choices = option.choices ?? (option.type === 'boolean' ? ['true', 'false'] : undefined);
  if (choices === undefined) {
    const field = make('input', { id, name: option.name, autocomplete: 'off', placeholder: option.example });
    field.required = option.required;
    if (option.required) field.value = option.example;
    return [label, field];
  }
  const first = option.required ? [] : [make('option', { value: '' }, 'default')];
  const select = make('select', { id, name: option.name }, ...first);
  select.append(...choices.map(choice => make('option', { value: choice }, choice)));
  if (option.required) select.value = option.example;
  return [label, select];
}

interface KeyActions {
  readonly pause: () => void;
  readonly export: () => void;
  readonly help: () => void;
}

/**
 * Connects the keys of the page. Those of the bar do nothing while it is hidden. A key does nothing while a dialog is
 * open, while the focus is in a field, with Ctrl, Alt or Meta, and when the user has turned the keys off.
 */
export function listenToKeys(bar: StrikeBar, actions: KeyActions): void {
  const areOn = find('#keys-on', HTMLInputElement);
  const barPlace = find('#strike-bar', HTMLElement);
  const barKeys: Readonly<Record<string, () => void>> = {
    k: () => bar.strike('kill'),
    h: () => bar.strike('hang'),
    d: () => bar.strike('drain'),
    s: () => bar.strike('slow'),
    c: () => bar.strike('cut-link'),
    r: () => bar.heal(),
    m: () => bar.openMore(),
    b: () => bar.nextScope(),
    ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [index + 1, () => bar.select(index + 1)])),
  };
  const pageKeys: Readonly<Record<string, () => void>> = {
    e: actions.export,
    '?': actions.help,
    ' ': actions.pause,
  };
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !areOn.checked) return;
    if (document.querySelector('dialog[open]') !== null || takesKey(event.target, event.key)) return;
    const key = event.key.toLowerCase();
    const act = pageKeys[key] ?? (barPlace.hidden ? undefined : barKeys[key]);
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
}

/** Returns whether the focused element uses this key itself: a field for all, a button for the space bar. */
function takesKey(target: EventTarget | null, key: string): boolean {
  // For a moment a dialog that was just closed still has the focus.
  if (!(target instanceof Element) || target.closest('dialog') !== null) return false;
  return (
    target.matches('input:not([type=checkbox]), select, textarea') ||
    (key === ' ' && target.matches('button, summary, input'))
  );
}

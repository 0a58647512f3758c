import type { DescribedOption } from '../../simulator/scenario/fault-options.js';
import type { Command, OfferedFault, SideName } from '../protocol.js';
import { find, make, makeButton, setText } from './dom.js';
import { findOffered, offersOf, readOption, type Views } from './strikes.js';

interface Choice {
  readonly target: string;
  readonly fault: OfferedFault;
}

/** The dialog that offers every fault that can strike a member, with its options. */
export class FaultDialog {
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

import { duration, moment } from '../words.js';
import { type CaseFile, none } from './columns.js';
import { wordAt } from './incident-cells.js';

export const storyTitles = [
  'sent',
  'request',
  'item',
  'status',
  'outcome',
  'answered as',
  'backend',
  'took',
  'cart',
  'note',
] as const;

export interface StoryRow {
  readonly id: number;
  /** In the order of the titles. */
  readonly cells: readonly string[];
}

/** So many characters tell one boot of a backend from another. */
const incarnationShown = 8;

/** Every request of one user, in the order of sending; undefined when the report does not hold them. */
export function storyRows(file: CaseFile, user: number): readonly StoryRow[] | undefined {
  const { user: users, first, operations } = file.stories;
  const place = users.indexOf(user);
  if (place < 0) return undefined;
  const from = first[place] ?? 0;
  const to = first[place + 1] ?? operations.id.length;
  return Array.from({ length: to - from }, (_, index) => storyRow(file, from + index));
}

function storyRow({ words, stories: { operations } }: CaseFile, at: number): StoryRow {
  const word = (column: readonly number[]) => wordAt(words, column[at]);
  const number = (column: readonly number[]) => column[at] ?? none;
  const sent = number(operations.planned) + number(operations.waited);
  const incarnation = word(operations.incarnation);
  const cells = [
    moment(sent / 1000),
    word(operations.kind),
    word(operations.token),
    figure(number(operations.status)),
    word(operations.outcome),
    word(operations.identity) || 'nobody',
    incarnation === '–'
      ? word(operations.backend)
      : `${word(operations.backend)} (${incarnation.slice(0, incarnationShown)})`,
    duration(number(operations.took) / 1000),
    figure(number(operations.items)),
    note(word(operations.error), number(operations.waited), word(operations.remark)),
  ];
  return { id: number(operations.id), cells };
}

function figure(value: number): string {
  return value === none ? '' : String(value);
}

const worthSayingUs = 20_000;

function note(error: string, waitedUs: number, remark: string): string {
  const parts = [
    ...(error === '–' ? [] : [error]),
    ...(waitedUs < worthSayingUs ? [] : [`due ${duration(waitedUs / 1000)} earlier`]),
    ...(remark === '–' ? [] : [remark]),
  ];
  return parts.join('; ');
}

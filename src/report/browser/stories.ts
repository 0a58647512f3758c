import { countNoun, duration, moment } from '../numbers.js';
import { type CaseFile, incidentCells, incidentTitles, none, userColumn, wordAt } from './columns.js';

/** A longer story is cut, with a note. */
const storyRowsMax = 5_000;

/** Opens the whole story of the user of one incident: all incidents, then every request, with the proof marked. */
export function openStory(file: CaseFile, name: string, incident: number): void {
  const user = file.incidents.user[incident];
  if (user !== undefined) openUserStory(file, name, user, incident);
}

/**
 * Opens the whole story of one user, an index into `file.words`. Without `incident` the last incident of the user is
 * highlighted, and a user without incidents has only the requests.
 */
export function openUserStory(file: CaseFile, name: string, user: number, incident?: number): void {
  const dialog = document.querySelector('dialog');
  if (dialog === null) return;
  const title = textElement('h2', wordAt(file.words, user));
  title.id = 'story-title';
  title.prepend(`${name}: the whole story of `);
  const close = textElement('button', 'Close');
  close.addEventListener('click', () => dialog.close());
  const head = document.createElement('header');
  head.append(title, close);
  const chosen = incident ?? file.incidents.user.lastIndexOf(user);
  dialog.replaceChildren(head, ...(chosen < 0 ? [] : [wrongs(file, user, chosen)]), requests(file, user, chosen));
  if (!dialog.open) dialog.showModal();
  dialog.querySelector('.proof')?.scrollIntoView({ block: 'center' });
  close.focus({ preventScroll: true });
}

/** Renders all incidents of this user. The clicked one is highlighted. */
function wrongs(file: CaseFile, user: number, incident: number): HTMLElement {
  const own = file.incidents.user.flatMap((one, index) => (one === user ? [index] : []));
  const table = tableOf(incidentTitles.filter((_, column) => column !== userColumn));
  for (const index of own) {
    const row = addRow(
      table,
      incidentCells(file, index).filter((_, column) => column !== userColumn),
    );
    if (index === incident) row.className = 'chosen';
  }
  return scrollable('What is wrong', table, 'short');
}

function requests(file: CaseFile, user: number, incident: number): HTMLElement {
  const rows = storyRows(file, user);
  if (rows === undefined) {
    return textElement('p', 'This story is left out to keep the report small. The history file holds it.');
  }
  const [since, ...seen] = file.incidents.proof[incident] ?? [];
  const table = tableOf(storyTitles);
  for (const { id, cells } of rows.slice(0, storyRowsMax)) {
    const row = addRow(table, cells);
    const outcome = cells[storyTitles.indexOf('outcome')];
    if (outcome !== 'ok') row.classList.add('bad');
    if (id !== since && !seen.includes(id)) continue;
    row.classList.add('proof');
    const note = row.cells[storyTitles.indexOf('note')];
    note?.append(note.textContent === '' ? '' : '; ', id === since ? '◀ acknowledged' : '◀ wrong from here');
  }
  const box = document.createElement('section');
  const total = `${countNoun(rows.length, 'request')}, in the order of sending`;
  const cut = rows.length > storyRowsMax ? `; the first ${storyRowsMax} are shown` : '';
  box.append(textElement('h3', total + cut), scrollable('Requests', table, 'requests-of-one'));
  return box;
}

function tableOf(titles: readonly string[]): HTMLTableElement {
  const table = document.createElement('table');
  table.className = 'incidents';
  const head = table.createTHead().insertRow();
  for (const title of titles) {
    const cell = textElement('th', title);
    cell.setAttribute('scope', 'col');
    head.append(cell);
  }
  table.createTBody();
  return table;
}

/** Adds a row. It isolates the direction of each text: a right-to-left name must not reorder its surroundings. */
export function addRow(table: HTMLTableElement, texts: readonly string[]): HTMLTableRowElement {
  // `insertRow` counts all rows before it: too slow for tens of thousands.
  const row = document.createElement('tr');
  for (const text of texts) {
    const cell = document.createElement('td');
    cell.append(textElement('bdi', text));
    row.append(cell);
  }
  (table.tBodies[0] ?? table.createTBody()).append(row);
  return row;
}

function scrollable(name: string, table: HTMLTableElement, extra = ''): HTMLElement {
  const box = document.createElement('div');
  box.className = `scroll ${extra}`;
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', name);
  box.append(table);
  return box;
}

export function textElement(name: string, text: string): HTMLElement {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

const storyTitles = [
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

interface StoryRow {
  readonly id: number;
  /** In the order of the titles. */
  readonly cells: readonly string[];
}

/** Number of characters that distinguish two incarnations of a backend. */
const incarnationShown = 8;

/** Returns every request of one user, in the order of sending. Undefined when the report does not hold them. */
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

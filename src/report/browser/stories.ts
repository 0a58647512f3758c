import type { CaseFile } from './columns.js';
import { incidentCells, incidentTitles, userColumn, wordAt } from './incident-cells.js';
import { storyRows, storyTitles } from './story-rows.js';

/** A story longer than this is cut, and says so. */
const storyRowsMax = 5_000;

/** Opens the whole story of the user of one incident: what is wrong, then every request, the proof of it marked. */
export function openStory(file: CaseFile, name: string, incident: number): void {
  const dialog = document.querySelector('dialog');
  const user = file.incidents.user[incident];
  if (dialog === null || user === undefined) return;
  const title = textElement('h2', wordAt(file.words, user));
  title.id = 'story-title';
  title.prepend(`${name}: the whole story of `);
  const close = textElement('button', 'Close');
  close.addEventListener('click', () => dialog.close());
  const head = document.createElement('header');
  head.append(title, close);
  dialog.replaceChildren(head, wrongs(file, user, incident), requests(file, user, incident));
  dialog.showModal();
  dialog.querySelector('.proof')?.scrollIntoView({ block: 'center' });
  close.focus({ preventScroll: true });
}

/** All that befell this user; what was clicked stands out. */
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
    return textElement('p', 'The report would be too large with every story in it: this one is in the history file.');
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
  const total = `${rows.length} requests, in the order of sending`;
  const cut = rows.length > storyRowsMax ? `; the first ${storyRowsMax} are shown` : '';
  box.append(textElement('h3', total + cut), scrollable('Requests', table, 'requests-of-one'));
  return box;
}

export function tableOf(titles: readonly string[]): HTMLTableElement {
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

/** Each text is kept to itself: a name that is written from right to left turns nothing around but itself. */
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

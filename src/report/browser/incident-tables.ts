import { type CaseFile, incidentCells, userColumn } from './columns.js';
import { addRow, textElement } from './stories.js';

const fewRows = 200;
/** A browser needs a second to lay out this many rows. */
const manyRows = 5_000;

/** Makes each row of a table open its story. Adds buttons that show more rows, because the table starts with a few. */
export function makeInteractive(table: HTMLTableElement, file: () => CaseFile, open: (incident: number) => void): void {
  for (const row of table.tBodies[0]?.rows ?? []) connectRow(row, open);
  const [next, end] = [Number(table.dataset.next), Number(table.dataset.end)];
  if (next >= end) return;
  const withKind = table.dataset.withKind === 'yes';
  const buttons = document.createElement('p');
  let from = next;
  const grow = (to: number): void => {
    for (; from < Math.min(to, end); from += 1) {
      const cells = incidentCells(file(), from);
      const row = addRow(table, withKind ? cells : cells.slice(1));
      row.dataset.incident = String(from);
      connectRow(row, open);
    }
    offer();
  };
  const offer = (): void => {
    const rest = end - from;
    const all = rest <= manyRows;
    const steps = [
      ...(rest > fewRows ? [button(`Show ${fewRows} more`, () => grow(from + fewRows))] : []),
      ...(rest > 0 ? [button(all ? `Show all ${rest}` : `Show ${manyRows} more`, () => grow(from + manyRows))] : []),
    ];
    buttons.replaceChildren(...steps);
  };
  offer();
  buttons.className = 'more';
  table.parentElement?.after(buttons);
}

/** Makes a row open a story: by a click anywhere, and by keyboard with a button on its user. */
function connectRow(row: HTMLTableRowElement, open: (incident: number) => void): void {
  const incident = Number(row.dataset.incident);
  const column = row.closest('table')?.dataset.withKind === 'yes' ? userColumn : userColumn - 1;
  const cell = row.cells[column];
  if (cell === undefined || row.dataset.incident === undefined) return;
  const opener = document.createElement('button');
  opener.type = 'button';
  opener.className = 'opener';
  opener.append(...cell.childNodes);
  cell.replaceChildren(opener);
  row.addEventListener('click', () => open(incident));
}

function button(text: string, act: () => void): HTMLElement {
  const element = textElement('button', text);
  element.addEventListener('click', act);
  return element;
}

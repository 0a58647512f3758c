import { moment } from '../words.js';
import { type CaseFile, none } from './columns.js';

/** Titles of the columns of a table of incidents; a table of lost writes has all but the first. */
export const incidentTitles = [
  'what',
  'user',
  'item',
  'acknowledged',
  'by',
  'last seen',
  'wrong at',
  'said by',
  'shape',
  'possible cause',
] as const;

/** The column that opens the user's story. */
export const userColumn = 1;

/** What stands in one row, in the order of the titles. */
export function incidentCells({ words, incidents }: CaseFile, index: number): string[] {
  const word = (column: readonly number[]) => wordAt(words, column[index]);
  const time = (column: readonly number[]) => timeAt(column[index]);
  return [
    word(incidents.kind),
    word(incidents.user),
    word(incidents.token),
    time(incidents.since),
    word(incidents.ackBackend),
    time(incidents.lastSeen),
    time(incidents.seen),
    word(incidents.seenBackend),
    word(incidents.shape),
    word(incidents.cause),
  ];
}

export function wordAt(words: readonly string[], place: number | undefined): string {
  return place === undefined || place === none ? '–' : (words[place] ?? '–');
}

function timeAt(microseconds: number | undefined): string {
  return microseconds === undefined || microseconds === none ? '–' : moment(microseconds / 1000);
}

import path from 'node:path';
import { cellKinds, processOf } from './cell.js';
import type { CarriedOut, RawExchange, Recording } from './exchange.js';
import {
  cellsAt,
  type FailureTable,
  type TableCell,
  type TablePlace,
  type TableProxy,
  type TableReporterOptions,
  type TableRow,
  wordsOf,
} from './table.js';

/*
 * The failure table in Markdown: one page with the table, and beside it a folder with a page for each proxy. The table
 * links each cell to its place on the page of the proxy: to the raw exchange, and from there to the configuration.
 */

/** Renders the page with the table. */
export function renderIndex(
  table: FailureTable,
  { again, pages, place }: Pick<TableReporterOptions, 'again' | 'pages' | 'place'>,
): string {
  const gateways = linkFrom(place, 'docs/your-gateway.md');
  const { proxies } = table;
  return [
    '# The failure table of session persistence',
    '',
    'After this page you know what each proxy does with its users when a backend, or the proxy itself, fails.',
    'Each cell was computed from real requests to real processes. The page of a proxy has the raw exchange for each cell.',
    '',
    'Make it again:',
    '',
    '```',
    again,
    '```',
    '',
    `Take your own proxy instead: \`holdfast conformance --proxy my-preset.yaml\`. [your-gateway.md](${gateways}) shows`,
    'how to write that file.',
    '',
    '## The table',
    '',
    ...tableLines(table, pages),
    '',
    '## Cells by result',
    '',
    'GET and POST count apart. A cell counts once, by its worst result. A cut answer that is passed on counts as an error.',
    '',
    ...kindLines(table),
    '',
    '## The proxies',
    '',
    ...renderTable(
      ['proxy', 'version', 'for', 'configuration'],
      proxies.map(proxy => [proxy.name, proxy.version ?? 'not told', proxy.for ?? '', configurationLink(proxy, place)]),
    ),
    '',
    ...readingLines,
    '',
  ].join('\n');
}

/** Renders the table alone. `pages`: the folder of the pages to which its cells link. */
export function tableLines({ proxies, rows }: FailureTable, pages: string): string[] {
  const head = ['what happens', ...proxies.map(({ name }) => `[${name}](${pages}/${name}.md)`)];
  const body = rows.map(row => [
    row.title,
    ...proxies.map(({ name }) => linkedWords(row, name, `${pages}/${name}.md`)),
  ]);
  return renderTable(head, body);
}

/** Counts the cells of each proxy by their kind. */
function kindLines({ proxies, rows }: FailureTable): string[] {
  const cells = rows.flatMap(row => row.cells);
  const count = (kind: string, proxy: string) =>
    cells.filter(cell => cell.kind === kind && cell.proxy === proxy).length;
  const body = cellKinds.map(kind => [kind, ...proxies.map(({ name }) => String(count(kind, name)))]);
  return renderTable(['result', ...proxies.map(({ name }) => name)], body);
}

const readingLines = [
  '## How to read a cell',
  '',
  'Each user keeps cookies as a browser does, and each backend keeps the sessions of its users in its memory. GET and',
  'POST run on separate systems. If both have the same result, the cell shows it once.',
  '',
  '| word | what was seen |',
  '|---|---|',
  '| kept | each request was answered by the process that has the session |',
  '| moved | another process answered, or the same backend with an empty memory, **and the proxy said so**: it changed its cookie, or it added a header for the app |',
  '| silently moved | another process answered, and neither browser nor app was told |',
  '| silently forgotten | the backend answered with an empty memory, and neither browser nor app was told |',
  '| cut answer completed | a backend cut its answer off, and the user got it as if it were whole |',
  '| cut passed on | a backend cut its answer off, and the user could tell: the best that a proxy can do |',
  '| carried out twice | two backends carried out one POST, or one backend did so twice |',
  '| error for n of m | n of m requests ended with a status from 400, without a whole answer, or with none in time |',
  '| several cookies | one answer has several cookies of one name; *one at most*: no answer has |',
  '| uneven | a backend got less than a tenth of the new users |',
  '| n/a | the proxy has no means for it; the page of the proxy says which |',
  '| unknown | it could not be established: a fault was not confirmed, or the log of a backend disagrees with the answer |',
  '',
  'A cell with several words has the worst first. Silent losses, repeated requests and errors are what users suffer from.',
  '',
  '## What the table does not say',
  '',
  '- It shows one configuration of each proxy, not the best possible one. Each is a file that you can read and replace.',
  '- The rows of GEP-1619 are its conformance tests, as far as one configuration without a Gateway can show them. Its',
  '  backends have equal weights.',
  '- A row that needs a lifetime of the cookie is n/a where the configuration gives it none.',
  '- "At once" is before any health check can have noticed: the checks find a dead backend after one to two seconds.',
  '- The proxy sees a refused connection at once. The cell shows whether it then tries another backend.',
];

/** Renders the page of one proxy: for each cell what was done, what was seen, and the raw exchange. */
export function renderProxyPage({ rows }: FailureTable, proxy: TableProxy, table: string, place: TablePlace): string {
  const { name, version, for: operator, documentation } = proxy;
  return [
    `# ${name}: the exchanges behind the failure table`,
    '',
    `[The table](../${table}) has the results of all proxies. This page shows those of ${name} ${version ?? ''}`.trimEnd() +
      '.',
    ...(operator === undefined
      ? []
      : [`The configuration is ${operator.startsWith('for ') ? operator : `for ${operator}`}.`]),
    '',
    `Configuration: ${configurationLink(proxy, { ...place, folder: path.join(place.folder, 'pages') })}`,
    ...(documentation.length === 0 ? [] : ['', 'It rests on:', '', ...documentation.map(page => `- <${page}>`)]),
    '',
    'Ports, dates, processes (`boot1`) and sessions (`session1`) have names that are the same in every run.',
    ...rows.flatMap(row => rowLines(row, proxy)),
    '',
  ].join('\n');
}

function rowLines(row: TableRow, proxy: TableProxy): string[] {
  return [
    '',
    `## ${row.title}`,
    '',
    `${row.what} (\`--row ${row.row}\`)`,
    ...cellsAt(row, proxy.name).flatMap(cell => cellLines(row, cell)),
  ];
}

function cellLines({ phase }: TableRow, cell: TableCell): string[] {
  const { method, says, why, decisive, recording } = cell;
  const shown = decisive === undefined ? undefined : recording.exchanges[decisive];
  const requests = recording.exchanges.filter(exchange => exchange.phase === phase);
  const lines = [...new Set(requests.map(exchange => exchangeLine(exchange, recording.log)))];
  const more = lines.slice(linesMax).length;
  const text = [
    ...lines.slice(0, linesMax),
    ...(more === 0 ? [] : [`… and ${more} more`]),
    ...(shown === undefined ? [] : ['', ...wireLines(shown)]),
  ];
  const proof = ['', '```', maskRun(text.join('\n'), recording), '```'];
  const isProven = cell.kind !== 'not applicable' || shown !== undefined;
  return ['', `**${method}: ${says}.** ${why}`, ...(isProven ? proof : [])];
}

const linesMax = 6;

function linkedWords(row: TableRow, proxy: string, page: string): string {
  const words = wordsOf(cellsAt(row, proxy)).join('<br>');
  return words === '' ? '' : `[${words}](${page}#${anchorOf(row)})`;
}

/** Returns the anchor that GitHub makes of the heading of the row. */
function anchorOf({ title }: TableRow): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

/** Links files of the package. */
function configurationLink({ configuration }: TableProxy, place: TablePlace): string {
  if (configuration === undefined) return 'none';
  if (!configuration.startsWith('examples/')) return `\`${configuration}\``;
  return `[${configuration}](${linkFrom(place, configuration)})`;
}

/** Returns the link from a page in this folder to a file of the package. */
function linkFrom({ folder, packageFolder }: TablePlace, file: string): string {
  return path.relative(folder, path.join(packageFolder, file)).replaceAll(path.sep, '/');
}

function renderTable(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...body.map(line)];
}

const bodyCharsShown = 120;

/** Returns the exchange as it was on the wire, one line each: `> ` sent, `< ` received. */
export function wireLines({ request, answer, failure }: RawExchange): string[] {
  const sent = request.filter((line, index) => line !== '' || index < request.length - 1);
  const got = answer === undefined ? [] : [...answer.head, '', ...bodyLines(answer.body)];
  const end = answer !== undefined && !answer.complete ? [`(the answer ends here, cut off: ${failure})`] : [];
  return [
    ...sent.map(line => `> ${line}`.trimEnd()),
    ...got.map(line => `< ${line}`.trimEnd()),
    ...(answer === undefined ? [`(no answer: ${failure})`] : end),
  ];
}

function bodyLines(body: string): string[] {
  if (body === '') return [];
  const text = body.replaceAll(/[^\x20-\x7e]+/g, ' ');
  return [text.length > bodyCharsShown ? `${text.slice(0, bodyCharsShown)}… (${body.length} bytes)` : text];
}

/** Returns one line for each exchange of a phase: the user, the answer, and the processes that carried it out. */
export function exchangeLine({ id, user, method, answer, failure }: RawExchange, log: readonly CarriedOut[]): string {
  const by = log.filter(each => each.id === id).map(each => `${processOf(each)} (${each.memory})`);
  const end = failure ?? String(answer?.status);
  const cut = answer !== undefined && failure !== undefined ? `${answer.status}, then ${failure}` : end;
  return `${user}: ${method} -> ${cut}; carried out by ${by.join(' and ') || 'no backend'}`;
}

/** Replaces what differs from run to run: ports, dates, and the names of processes and sessions. */
export function maskRun(text: string, { log, exchanges }: Recording): string {
  const boots = [...new Set(log.map(({ boot }) => boot))];
  const sessions = [
    ...new Set(exchanges.flatMap(({ request }) => /\bapp=([0-9a-f]{16})/.exec(request.join())?.[1] ?? [])),
  ];
  const named = [...boots.map((boot, index) => [boot, `boot${index + 1}`] as const)];
  const ids = sessions.map((session, index) => [session, `session${index + 1}`] as const);
  return [...named, ...ids]
    .reduce((masked, [raw, name]) => masked.replaceAll(raw, name), text)
    .replaceAll(/\bapp=[0-9a-f]{16}/g, 'app=session')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/^(< date): .*$/gim, '$1: DATE');
}

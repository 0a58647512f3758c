/**
 * Writes the table of docs/your-gateway.md: five scenarios in two modes, each behind several proxies. It takes about ten
 * minutes on a machine that has nothing else to do.
 *
 *   npm run build && node scripts/gateway-table.mjs [PROXY ...]     default: the proxies of the page
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const page = path.join(root, 'docs/your-gateway.md');
const scenarios = ['kill-one', 'hang-one', 'rolling-restart', 'scale-out', 'two-proxies'];
const modes = ['sticky', 'redis'];
const given = process.argv.slice(2);
const proxies = given.length > 0 ? given : ['holdfast', 'haproxy', 'nginx', 'caddy'];
const part = /(<!-- table: scripts\/gateway-table\.mjs -->\n)[\s\S]*?(<!-- end -->)/;

const folder = mkdtempSync(path.join(tmpdir(), 'gateway-table-'));
const columns = proxies.map(readColumn);
rmSync(folder, { recursive: true });
const text = [...tableLines(), '', ...problemLines()].join('\n');
writeFileSync(
  page,
  readFileSync(page, 'utf8').replace(part, (_whole, begin, end) => `${begin}\n${text}\n\n${end}`),
);

/** Runs all scenarios behind one proxy. Exit code 1 or 2 is a result, too. */
function readColumn(proxy) {
  const files = scenarios.map(name => path.join(root, 'scenarios', `${name}.yaml`));
  const json = path.join(folder, `${proxy}-{scenario}.json`);
  const words = ['run', ...files, '--mode', modes.join(','), '--proxy', proxy, '--json', json, '--out', folder];
  const { status } = spawnSync(process.execPath, [path.join(root, 'dist/cli.js'), ...words], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status === null || status > 2) throw new Error(`the runs behind ${proxy} ended with code ${status}`);
  const results = scenarios.map(name => [name, readResult(json.replace('{scenario}', name))]);
  const [version] = results.flatMap(([, { runs }]) => runs.map(run => run.versions[proxy]));
  return { proxy, version, results: new Map(results) };
}

/** Returns the result of one scenario. A scenario that is not applicable in any mode writes no file. */
function readResult(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { runs: [], notApplicable: modes.map(mode => ({ mode })) };
  }
}

function tableLines() {
  const head = columns.map(({ proxy, version }) => `${proxy} ${version ?? ''}`.trim());
  const rows = scenarios.flatMap(scenario =>
    modes.map(mode => [`\`${scenario}\`, ${mode}`, ...columns.map(column => cell(column, scenario, mode))]),
  );
  const line = cells => `| ${cells.join(' | ')} |`;
  return [line(['scenario', ...head]), line(['---', ...head.map(() => '---')]), ...rows.map(line)];
}

function cell({ results }, scenario, mode) {
  const { runs, notApplicable } = results.get(scenario);
  const run = runs.find(each => each.mode === mode);
  if (run === undefined) return notApplicable.some(each => each.mode === mode) ? 'not applicable' : '–';
  const { users, writes, requests } = run;
  const counts = [
    `${users.loggedOut} of ${users.total} logged out`,
    `${writes.lost} of ${writes.acknowledged} writes lost`,
    `${requests.failed} failed + ${requests.unknown} unknown`,
    ...(writes.duplicated > 0 ? [`${writes.duplicated} writes twice`] : []),
  ];
  return `**${run.verdict}**: ${counts.join(', ')}`;
}

/** Lists why a verdict is not a pass. */
function problemLines() {
  return columns.flatMap(({ proxy, results }) =>
    [...results].flatMap(([scenario, { runs }]) =>
      runs
        .filter(({ verdict }) => verdict !== 'pass')
        .map(({ mode, verdict, reasons }) => `- ${proxy}, \`${scenario}\`, ${mode}: ${verdict}. ${reasons.join(' ')}`),
    ),
  );
}

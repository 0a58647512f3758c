import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { build } from 'esbuild';
import { replayPage } from '#src/live/page-file.js';
import { makeRecording } from '#src/live/played-run.js';
import { readHistory } from '#src/simulator/history/file.js';
import { SiteProblem } from './markdown.mjs';

/** A run or a report that hangs ends here. Both scenarios take about 15 s. */
const commandMsMax = 5 * 60_000;

const root = path.resolve(import.meta.dirname, '../..');

/** The runs that the site plays. */
const runs = [
  {
    scenario: 'kill-one',
    modes: ['sticky', 'redis'],
    title: 'A backend is killed: sticky against redis',
    text: 'One of three backends dies without warning, and comes back empty. On the left, each session is in the memory of one backend. On the right, all sessions are in Redis.',
  },
  {
    scenario: 'redis-failover',
    modes: ['redis', 'sealed'],
    title: 'Redis fails over: redis against sealed',
    text: 'The replica of Redis is cut off, the primary dies, and the replica takes its place. On the left, what was acknowledged since the cut is gone. On the right, the sessions are in encrypted cookies, and no store can lose them.',
  },
];

/** Runs the scenarios. Each must pass, or the site would not show what its pages say. `signal` ends the run that goes on,
 * and no other begins. */
export async function recordRuns(folder, say, signal) {
  for (const { scenario, modes } of runs) {
    say(`running ${scenario} in the modes ${modes.join(' and ')} …`);
    const words = ['run', `scenarios/${scenario}.yaml`, '--mode', modes.join(), '--out', folder];
    await runHoldfast(words, [0], signal, 'Run npm run site again while the machine has nothing else to do.');
  }
}

/**
 * Writes a page, a report and its JSON for each run, into `<out>/replays`. `folder` is the `--out` of earlier runs. Returns
 * the part of the front page and the entries of the navigation.
 */
export async function buildReplays(folder, out, signal) {
  mkdirSync(path.join(out, 'replays'));
  const packed = await packPage();
  for (const run of runs) await buildReplay(run, folder, out, packed, signal);
  const parts = runs.map(
    ({ scenario, title, text }) => `### ${title}

${text}

[Open it in a page of its own](replays/${scenario}.html) · [The report of this run](replays/${scenario}-report.html) · [The scenario](scenarios/${scenario}.yaml)

<iframe class="replay" src="replays/${scenario}.html" title="Replay: ${title}" loading="lazy"></iframe>
`,
  );
  return {
    markdown: `## Watch it\n\nEach dot is a simulated user, in the box of the backend that answered it last. Both runs were recorded when this site was built. The counters are those of the report.\n\n${parts.join('\n')}\n## The report, and the live lab\n`,
    files: runs.flatMap(({ scenario }) => [`replays/${scenario}.html`, `replays/${scenario}-report.html`]),
    entries: runs.map(({ scenario, title }) => ({
      title: `Replay: ${title.split(':')[0]}`,
      url: `replays/${scenario}.html`,
    })),
  };
}

async function buildReplay({ scenario, modes, title, text }, folder, out, packed, signal) {
  const place = path.join(folder, scenario, 'latest');
  const file = path.join(place, 'history.ndjson');
  if (!existsSync(file))
    throw new SiteProblem(`${file} does not exist. Expected a folder that "holdfast run --out" wrote.`);
  const recorded = await readHistory(file);
  const [left, right] = modes.map(mode => recorded.find(({ header }) => header.mode === mode));
  if (left === undefined || right === undefined) {
    throw new SiteProblem(`${file} lacks a run in mode ${modes.join(' or ')}. Record both modes again.`);
  }
  const to = path.join(out, 'replays', scenario);
  await runHoldfast(['report', place, '--json', `${to}.json`, '--html', `${to}-report.html`], [0, 1, 2], signal);
  const links = [
    { href: '../index.html', text: 'Holdfast' },
    { href: `${scenario}-report.html`, text: 'The report of this run' },
    { href: `${scenario}.json`, text: 'Its figures as JSON' },
    { href: `../scenarios/${scenario}.yaml.html`, text: 'The scenario' },
  ];
  const recording = await makeRecording(left, right);
  writeFileSync(`${to}.html`, replayPage({ title, description: text, links, recording, ...packed }));
}

/** Packs the script and the style of the page that plays a recording. */
async function packPage() {
  const folder = 'src/live/page';
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { script: `${folder}/replay.ts`, style: `${folder}/style/replay.css` },
    outdir: 'unused',
    write: false,
    bundle: true,
    minify: true,
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    logLevel: 'warning',
  });
  const textOf = ending => outputFiles.find(file => file.path.endsWith(ending)).text;
  return { script: textOf('.js'), style: textOf('.css') };
}

/** Runs Holdfast to its end. Rejects after an abort, even if the run has passed meanwhile. */
async function runHoldfast(words, expected, signal, remedy = '') {
  const line = `holdfast ${words.join(' ')}`;
  if (signal.aborted) throw new SiteProblem(`${line} was not run: ${signal.reason}`);
  // In a group of its own it gets no signal from the terminal, but only ours.
  const options = { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'], timeout: commandMsMax };
  const child = spawn(process.execPath, ['dist/cli.js', ...words], options);
  const interrupt = () => void child.kill('SIGINT');
  signal.addEventListener('abort', interrupt, { once: true });
  const [[status, by], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    readText(child.stdout),
    readText(child.stderr),
  ]);
  signal.removeEventListener('abort', interrupt);
  if (expected.includes(status) && !signal.aborted) return;
  throw new SiteProblem(
    `${stdout}${stderr}\n${line} ended with ${status ?? by}, expected ${expected.join(' or ')}. ${remedy}`.trim(),
  );
}

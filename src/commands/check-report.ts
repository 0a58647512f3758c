import pc from 'picocolors';
import { type Exchange, headOf } from '../simulator/journey-advice.js';
import { secretsIn, type TriedStep } from '../simulator/journey-trial.js';
import type { JourneyMapping } from '../simulator/scenario/journey-mapping.js';

export interface Context {
  readonly mapping: JourneyMapping;
  /** `file:line` of a part of the journey. */
  place(at: readonly string[]): string;
  readonly colour: boolean;
}

const bodyCharactersShown = 300;

/** A line for what fits; for what does not, also what was expected, where it stands, and what came back instead. */
export function describeStep(step: TriedStep, context: Context): string {
  const { green, red, yellow } = pc.createColors(context.colour);
  const { advice, note } = step;
  const mark = advice !== undefined ? red('✗') : note !== undefined ? yellow('!') : green('✓');
  const shown = (text: string): string => masked(text, context.mapping, step.exchange);
  const lines = [`${mark} ${step.what.padEnd(34)} ${shown(inShort(step.exchange))}`];
  if (note !== undefined) lines.push(`    ${note}`);
  if (advice !== undefined) {
    lines.push(`    ${shown(advice.problem)}`);
    lines.push(`    ${context.place(advice.at)}: users.journey.${advice.at.join('.')}`);
    if (advice.hint !== undefined) lines.push(`    hint: ${shown(advice.hint)}`);
    lines.push(...cameBack(step.exchange, shown));
  }
  return lines.map(line => `${line}\n`).join('');
}

const outputLinesShown = 10;

/** Returns the last lines that the app wrote to its standard error; empty where every step fits. */
export function describeOutput(lines: readonly string[], steps: readonly TriedStep[], mapping: JourneyMapping): string {
  if (lines.length === 0 || steps.every(({ advice }) => advice === undefined)) return '';
  const shown = steps.reduce(
    (text, { exchange }) => masked(text, mapping, exchange),
    lines.slice(-outputLinesShown).join('\n'),
  );
  return ['what the app wrote to its standard error:', ...shown.split('\n').map(line => `| ${line}`)]
    .map(line => `    ${line}\n`)
    .join('');
}

function inShort(exchange: Exchange | undefined): string {
  if (exchange?.request === undefined) return 'not sent';
  const { request, reply } = exchange;
  const answer = reply.status === undefined ? String(reply.error) : headOf(reply);
  return `${request.method} ${request.path} -> ${answer}`;
}

function cameBack(exchange: Exchange | undefined, shown: (text: string) => string): string[] {
  if (exchange === undefined || exchange.reply.status === undefined) return [];
  const { reply } = exchange;
  const cookies = [reply.headers['set-cookie'] ?? []].flat().map(line => `${line.split('=')[0]}=...`);
  const body = shown(reply.body).slice(0, bodyCharactersShown).trim();
  const cut = reply.body.length > bodyCharactersShown ? ' ...' : '';
  return [
    `    what came back: ${shown(headOf(reply))}${cookies.length === 0 ? '' : `, set-cookie: ${cookies.join(', ')}`}`,
    ...(body === '' ? ['    | (an empty body)'] : body.split(/\r?\n/).map(line => `    | ${line}`)).slice(0, 12),
    ...(cut === '' ? [] : [`    |${cut}`]),
  ];
}

/** What comes from the app must neither show a secret nor steer the terminal. */
function masked(text: string, mapping: JourneyMapping, exchange: Exchange | undefined): string {
  const secrets = exchange === undefined ? [] : secretsIn(mapping, exchange);
  const hidden = secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  return hidden.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]+/g, ' ');
}

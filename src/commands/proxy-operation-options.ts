import path from 'node:path';
import type { Argv } from 'yargs';
import { type GivenBackend, nameBackends } from '../proxy/backend-names.js';
import type { ProxyOptions } from '../proxy/options.js';
import { UsageError } from './exit.js';
import { withWeight } from './proxy-balance-options.js';

/** How the proxy is run: where its settings stand, and what it writes down. */
export interface OperationArgs {
  readonly config: string | undefined;
  readonly 'access-log': string | undefined;
}

export function operationFlags<T>(yargs: Argv<T>) {
  return yargs
    .option('config', {
      type: 'string',
      requiresArg: true,
      normalize: true,
      describe: 'a YAML file whose keys are these flags; SIGHUP reads it again. What is typed wins',
    })
    .option('access-log', {
      type: 'string',
      requiresArg: true,
      normalize: true,
      describe: 'a file for one line of JSON per request, "-" for stdout (default: none); SIGHUP opens it anew',
    });
}

export function operationOptions(args: OperationArgs): Pick<ProxyOptions, 'accessLog'> {
  return { accessLog: args['access-log'] };
}

/** As they are typed again for another process. */
export function operationWords(args: OperationArgs): string[] {
  const { 'access-log': file } = args;
  if (file === undefined) return [];
  return [`--access-log=${file === '-' ? file : path.resolve(file)}`];
}

/** `url` or `name=url`, with a weight or without; what a URL must be is for `parseUrl` to say. Throws for a name or an origin that comes twice. */
export function namedBackends(
  texts: readonly string[],
  parseUrl: (text: string) => URL,
  known?: ReadonlyMap<string, string>,
): ProxyOptions['backends'] {
  const given = texts.map(text => parseBackend(text, parseUrl));
  refuseTwice(given.map(({ url }) => url.origin));
  refuseTwice(given.flatMap(({ name }) => name ?? []));
  return nameBackends(given, known);
}

/** The names end up in paths of the admin API and in labels of metrics. */
function parseBackend(text: string, parseUrl: (text: string) => URL): GivenBackend & { readonly weight: number } {
  const [, name, url = ''] = /^(?:([^=:/]*)=)?(.*)$/s.exec(text) ?? [];
  if (name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
    throw new UsageError(
      `--backend "${text}": expected a name of letters, digits, ".", "_" and "-" before the "=", as in red=http://127.0.0.1:3001.`,
    );
  }
  const { address, weight } = withWeight(url);
  return { name, url: parseUrl(address), weight };
}

function refuseTwice(words: readonly string[]): void {
  const twice = words.find((word, index) => words.indexOf(word) !== index);
  if (twice !== undefined) throw new UsageError(`--backend ${twice} is given twice: give each backend once.`);
}

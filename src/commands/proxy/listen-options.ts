import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { needsToken } from '../../proxy/control/admin-requests.js';
import type { AdminOptions, HostOptions, ProxyOptions, TcpAddress } from '../../proxy/options.js';
import type { SettingValues } from '../../proxy/settings.js';
import { messageOf } from '../../shared/text.js';
import { LabError } from '../../simulator/errors.js';
import { UsageError } from '../lib/flags.js';
import { readNumber } from './flags.js';
import { type CertificateArgs, speaksTls } from './tls-options.js';

type ListenArgs = CertificateArgs &
  Pick<
    SettingValues,
    'host' | 'port' | 'admin' | 'admin-port' | 'admin-token-file' | 'health-listen' | 'redirect-https'
  >;

const adminDefault = { host: '127.0.0.1', port: 8081 };
/** A longer path does not fit into the address of a Unix socket. A part is for the process id. */
const socketPathBytesMax = 96;

/** Checks every address to listen on. Throws `UsageError`. */
export function readListenOptions(
  args: ListenArgs,
  hosts: readonly HostOptions[],
): Pick<ProxyOptions, 'host' | 'port' | 'admin' | 'healthListen' | 'redirect'> {
  const own = { host: args.host, port: readNumber('port', args) };
  const admin = readAdminOptions(args);
  const health = args['health-listen'];
  const healthListen = health === undefined ? undefined : parseAddress('health-listen', health, 'HOST:PORT');
  const redirect = readRedirectOptions(args, hosts);
  const asked: readonly (readonly [flag: string, port: number])[] = [
    ['--port', own.port],
    ...(admin !== undefined && 'port' in admin ? [[chooseAdminFlag(args), admin.port] as const] : []),
    ...(healthListen === undefined ? [] : [['--health-listen', healthListen.port] as const]),
    ...(redirect === undefined ? [] : [['--redirect-https', redirect.port] as const]),
  ];
  refuseSamePort(asked);
  return { ...own, admin, healthListen, redirect };
}

function refuseSamePort(asked: readonly (readonly [flag: string, port: number])[]): void {
  for (const [flag, port] of asked) {
    const [twin] = asked.find(([other, taken]) => other !== flag && taken === port && port !== 0) ?? [];
    if (twin !== undefined) throw new UsageError(`${flag} and ${twin} are both ${port}: give each a port of its own.`);
  }
}

/** `80`, or `8080:443` where clients reach the TLS port as 443. */
function readRedirectOptions(args: ListenArgs, hosts: readonly HostOptions[]): ProxyOptions['redirect'] {
  const text = args['redirect-https'];
  if (text === undefined) return undefined;
  const [, port, publicPort = args.port] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  const ports = { port: Number(port), publicPort: Number(publicPort) };
  const isValid = port !== undefined && Object.values(ports).every(each => each <= 65_535) && ports.publicPort > 0;
  if (!isValid)
    throw new UsageError(
      `--redirect-https "${text}": expected a port such as 80, or 8080:443 if clients see the TLS port as 443.`,
    );
  if (!speaksTls(args) && !hosts.some(({ tls }) => tls !== undefined))
    throw new UsageError(
      '--redirect-https leads to https, which this proxy does not speak: add --tls-cert and --tls-key.',
    );
  return ports;
}

function chooseAdminFlag(args: ListenArgs): '--admin' | '--admin-port' {
  return args.admin === undefined ? '--admin-port' : '--admin';
}

function readAdminOptions(args: ListenArgs): AdminOptions | undefined {
  const { admin: text, 'admin-port': port, 'admin-token-file': file } = args;
  if (text !== undefined && port !== undefined) {
    throw new UsageError('--admin-port is short for --admin 127.0.0.1:PORT: give one of the two.');
  }
  const token = file === undefined ? undefined : readToken(file);
  const address = parseAdmin(text, port === undefined ? adminDefault.port : readNumber('admin-port', args));
  if (address === undefined) return undefined;
  const options: AdminOptions = { ...address, token };
  if (needsToken(options)) {
    throw new UsageError(
      `--admin "${text}": other machines can reach it, so it needs a token. Add --admin-token-file FILE, or use 127.0.0.1 or unix:PATH.`,
    );
  }
  return options;
}

function parseAdmin(text: string | undefined, port: number): TcpAddress | { readonly path: string } | undefined {
  if (text === undefined) return { ...adminDefault, port };
  if (text === 'off') return undefined;
  if (!text.startsWith('unix:')) return parseAddress('admin', text, 'off, unix:PATH or HOST:PORT');
  const file = text.slice('unix:'.length);
  if (path.isAbsolute(file) && Buffer.byteLength(file) <= socketPathBytesMax) return { path: path.normalize(file) };
  throw new UsageError(
    `--admin "${text}": expected an absolute path of at most ${socketPathBytesMax} bytes, such as unix:/run/holdfast.sock.`,
  );
}

function parseAddress(flag: string, text: string, expected: string): TcpAddress {
  const [, bracketed, plain, digits = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new UsageError(`--${flag} "${text}": expected ${expected}, such as 127.0.0.1:8081 or [::1]:8081.`);
}

/** Reads the address of the DNS server as Node wants it. `everyMs`: how often DNS is asked. Throws `UsageError`. */
export function parseServer({ resolver }: Pick<SettingValues, 'resolver'>, everyMs: number): string | undefined {
  if (resolver === undefined) return undefined;
  if (everyMs === 0)
    throw new UsageError(`--resolver "${resolver}": DNS is not asked without --resolve TIME, such as --resolve 30s.`);
  const { host, port } = parseAddress('resolver', resolver, 'HOST:PORT');
  if (isIP(host) !== 0) return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  throw new UsageError(`--resolver "${resolver}": expected an IP address and a port, such as 10.0.0.2:53.`);
}

function readToken(file: string): string {
  try {
    const token = readFileSync(file, 'utf8').trim();
    if (/^[\x21-\x7e]{16,}$/.test(token)) return token;
  } catch (error) {
    throw new UsageError(`--admin-token-file "${file}": ${messageOf(error)}`);
  }
  throw new UsageError(
    `--admin-token-file "${file}": expected one line of 16 or more visible ASCII characters; openssl rand -hex 24 makes one.`,
  );
}

/** Throws the system's error of a failed start again, in a sentence that names the flag. */
export function explainStart(error: unknown, options: ProxyOptions): never {
  if (!(error instanceof Error && 'code' in error)) throw error;
  if ('syscall' in error && error.syscall === 'open') throw new UsageError(error.message);
  const { flag, host, port } = findListener(error, options);
  if (port === undefined) throw new LabError(`--admin unix:${host}: ${error.message}; choose another path`);
  if (error.code === 'EADDRINUSE')
    throw new LabError(`port ${port} on ${host} is in use; choose another with ${flag}, or 0 for any free one`);
  if (error.code === 'EACCES') throw new LabError(`port ${port} needs privileges; choose another with ${flag}`);
  if (['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL'].includes(String(error.code))) {
    const named = flag === '--port' ? '--host' : flag;
    throw new UsageError(
      `${named} "${host}" is no address of this machine; expected one such as 127.0.0.1, 0.0.0.0 or ::1.`,
    );
  }
  throw error;
}

/** Finds the listener that an error is about. `port` is undefined for a Unix socket, and `host` is then its path. */
function findListener(
  error: Error,
  { host, port, admin, healthListen, redirect }: ProxyOptions,
): { readonly flag: string; readonly host: string; readonly port: number | undefined } {
  const own = { flag: '--port', host, port };
  const all = [
    ...(admin === undefined
      ? []
      : [{ flag: '--admin', ...('path' in admin ? { host: admin.path, port: undefined } : admin) }]),
    ...(healthListen === undefined ? [] : [{ flag: '--health-listen', ...healthListen }]),
    ...(redirect === undefined ? [] : [{ flag: '--redirect-https', host, port: redirect.port }]),
  ];
  const [at, named] = ['port' in error ? error.port : undefined, 'address' in error ? String(error.address) : ''];
  const hostname = 'hostname' in error ? error.hostname : undefined;
  const found = all.find(one =>
    one.port === undefined ? named.startsWith(one.host) : one.port === at || one.host === hostname,
  );
  return at === port || hostname === host ? own : (found ?? own);
}

import { readFileSync } from 'node:fs';
import { isModeName, type ModeName, modeNames, storesOf } from '#src/modes.js';
import type { SessionLimits } from '#src/sessions/session.js';
import { generateKeyRing, type KeyRing, KeyRingError, parseKeyRing } from '#src/shared/key-ring.js';
import { storeDescriptors } from '#src/shared/stores.js';
import { maskUrl } from '#src/shared/text.js';
import { parseDuration } from '#src/shared/units.js';
import { unknownName } from '#src/shared/unknown-name.js';
import { type DefectName, defectNames, isDefectName } from './defects.js';

/** The configuration of the shop. `readEnvironment` has the variables and defaults. */
export interface Environment {
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
  /** The name of this backend, in every answer. */
  readonly backend: string;
  /** The version of this backend, in every answer. Undefined: its answers name none. */
  readonly version: string | undefined;
  readonly mode: ModeName;
  readonly storeUrl: string | undefined;
  readonly password: string;
  /** The password of the user `admin`. Undefined: `admin` is a name like any other. */
  readonly administratorPassword: string | undefined;
  /** Undefined: accounts are kept in memory of this process. */
  readonly accountsDirectory: string | undefined;
  readonly keys: Keys;
  /** The limits of a session. A missing one has its default. */
  readonly limits: Partial<SessionLimits>;
  /** Maximum age of the list of revoked sessions. Undefined: no limit. */
  readonly feedAgeMaxMs: number | undefined;
  /** Bytes of padding in every session, because other applications keep more data than the shop. */
  readonly ballastBytes: number;
  /** The schema in which sessions are written. Sessions of another schema cannot be read. Undefined: all can be read. */
  readonly sessionSchema: string | undefined;
  /** How long each request of a user takes at least. */
  readonly workMs: number;
  readonly defects: readonly DefectName[];
  /** True if the failover simulator may inject faults at run time: `lab-switches.ts`. */
  readonly lab: boolean;
  /** The origin of the page of the live lab, to which the page links. Undefined: the shop runs in no live lab. */
  readonly liveLab: string | undefined;
}

/** The variables that cannot be used, one sentence each. */
export class BadEnvironment extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'BadEnvironment';
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads the configuration. Throws a `BadEnvironment` that names every problem. */
export function readEnvironment(variables: Variables): Environment {
  const problems: string[] = [];
  const report = (problem: string) => void problems.push(problem);
  const mode = readMode(variables.HOLDFAST_MODE ?? 'sticky', report);
  const environment: Environment = {
    host: readHost(variables.HOST ?? '127.0.0.1', report),
    port: readPort(variables.PORT ?? '0', report),
    backend: readBackend(variables.BACKEND_ID ?? 'backend-1', report),
    version: readVersion(variables.BACKEND_VERSION, report),
    mode,
    storeUrl: readStoreUrl(mode, variables, report),
    password: readPassword(variables.SHOP_PASSWORD ?? 'secret', report),
    administratorPassword: readOptional('SHOP_ADMIN_PASSWORD', 'the password of the user admin', variables, report),
    accountsDirectory: readOptional('SHOP_ACCOUNTS', 'a directory that all backends share', variables, report),
    keys: readKeys(variables, report),
    limits: {
      ...readLimit('SHOP_IDLE', 'idleMs', variables, report),
      ...readLimit('SHOP_ABSOLUTE', 'absoluteMs', variables, report),
    },
    feedAgeMaxMs: readAge(variables.SHOP_REVOCATIONS_AGE_MAX, report),
    ballastBytes: readBallast(variables.SHOP_BALLAST_BYTES ?? '0', report),
    sessionSchema: readOptional('SHOP_SESSION_SCHEMA', 'the name of a schema such as 2', variables, report),
    workMs: readWork(variables.SHOP_WORK ?? '0ms', report),
    defects: readDefects(variables.SHOP_DEFECT ?? '', report),
    lab: readLab(variables.SHOP_LAB ?? '0', variables.HOST ?? '127.0.0.1', report),
    liveLab: readLiveLab(variables.SHOP_LIVE_LAB, report),
  };
  if (problems.length > 0) throw new BadEnvironment(problems);
  return environment;
}

type Note = (problem: string) => void;

function readHost(text: string, report: Note): string {
  if (text === '') report('HOST is empty: expected an address such as 127.0.0.1, or 0.0.0.0 for every interface.');
  return text;
}

const workMsMax = 30_000;
const loopback = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

function readLab(text: string, host: string, report: Note): boolean {
  if (text !== '0' && text !== '1') report(`SHOP_LAB is "${text}": expected 1, or leave it unset.`);
  if (text === '1' && !loopback.test(host))
    report(
      `SHOP_LAB is set, and HOST is "${host}": expected 127.0.0.1, because any client that reaches it can break it.`,
    );
  return text === '1';
}

/** Returns the origin alone: a token in the rest of the address must not come into the page of the shop. */
function readLiveLab(text: string | undefined, report: Note): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.origin;
  report('SHOP_LIVE_LAB is no address: expected one such as http://127.0.0.1:8090, or leave it unset.');
  return undefined;
}

function readPort(text: string, report: Note): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) report(`PORT is "${text}": expected a number from 0 (any free port) to 65535.`);
  return port;
}

function readBackend(text: string, report: Note): string {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(text)) {
    report(`BACKEND_ID is "${text}": expected 1 to 64 letters, digits, or any of _ . - (for example backend-1).`);
  }
  return text;
}

function readVersion(text: string | undefined, report: Note): string | undefined {
  if (text !== undefined && !/^[A-Za-z0-9_.-]{1,64}$/.test(text))
    report(`BACKEND_VERSION is "${text}": expected 1 to 64 letters, digits, or any of _ . - (for example v2).`);
  return text;
}

function readMode(text: string, report: Note): ModeName {
  if (isModeName(text)) return text;
  report(`HOLDFAST_MODE: ${unknownName('mode', text, modeNames)}`);
  return 'sticky';
}

function readStoreUrl(mode: ModeName, variables: Variables, report: Note): string | undefined {
  const [store] = storesOf(mode);
  if (store === undefined) return undefined;
  const { variable, problem, example } = storeDescriptors[store];
  const url = variables[variable];
  const isMissing = url === undefined || url === '';
  if (isMissing) report(`${variable} is missing, and mode ${mode} needs it: expected an address such as ${example}.`);
  const wrong = isMissing ? undefined : problem(url);
  if (wrong !== undefined) report(`${variable} is "${maskUrl(url ?? '')}": ${wrong}.`);
  return url;
}

function readPassword(text: string, report: Note): string {
  if (text === '') report('SHOP_PASSWORD is empty: expected the password of every user, or leave it unset.');
  return text;
}

function readLimit(
  name: string,
  limit: 'idleMs' | 'absoluteMs',
  variables: Variables,
  report: Note,
): Partial<SessionLimits> {
  const text = variables[name];
  if (text === undefined) return {};
  const durationMs = parseDuration(text) ?? 0;
  if (durationMs > 0) return { [limit]: durationMs };
  report(`${name} is "${text}": expected a duration such as 30min or 12h.`);
  return {};
}

/** The list is read at least every half second, so a lower limit would refuse requests without a reason. */
const feedAgeMsMin = 1_000;

function readAge(text: string | undefined, report: Note): number | undefined {
  if (text === undefined) return undefined;
  const ageMs = parseDuration(text) ?? 0;
  if (ageMs >= feedAgeMsMin) return ageMs;
  report(`SHOP_REVOCATIONS_AGE_MAX is "${text}": expected a duration of at least 1s, or leave it unset.`);
  return undefined;
}

function readBallast(text: string, report: Note): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  report(`SHOP_BALLAST_BYTES is "${text}": expected a whole number of bytes, such as 24000.`);
  return 0;
}

function readWork(text: string, report: Note): number {
  const workMs = parseDuration(text);
  if (workMs !== undefined && workMs <= workMsMax) return workMs;
  report(`SHOP_WORK is "${text}": expected a duration such as 200ms, at most ${workMsMax / 1000}s.`);
  return 0;
}

function readOptional(name: string, expected: string, variables: Variables, report: Note): string | undefined {
  const text = variables[name];
  if (text === '') report(`${name} is empty: expected ${expected}, or leave it unset.`);
  return text;
}

function readKeys({ SHOP_SECRETS: text, SHOP_SECRETS_FILE: file }: Variables, report: Note): Keys {
  if (text !== undefined && file !== undefined)
    report('SHOP_SECRETS and SHOP_SECRETS_FILE are both set: expected one.');
  try {
    if (file !== undefined) return Keys.fromFile(file);
    if (text !== undefined) return Keys.fromText(text);
  } catch (error) {
    if (!(error instanceof KeyRingError)) throw error;
    report(`${file === undefined ? 'SHOP_SECRETS' : 'SHOP_SECRETS_FILE'}: ${error.message}`);
  }
  return Keys.fresh();
}

function readDefects(text: string, report: Note): readonly DefectName[] {
  const names = text.split(',').map(name => name.trim());
  const given = names.filter(name => name !== '');
  for (const name of given) if (!isDefectName(name)) report(`SHOP_DEFECT: ${unknownName('defect', name, defectNames)}`);
  return given.filter(isDefectName);
}

/** The key ring of this process. It can be read again from a file at run time. */
export class Keys {
  readonly #file: string | undefined;
  #ring: KeyRing;

  private constructor(ring: KeyRing, file: string | undefined) {
    this.#ring = ring;
    this.#file = file;
  }

  /** Parses a ring. Throws `KeyRingError` for other text. */
  static fromText(text: string): Keys {
    return new Keys(parseKeyRing(text), undefined);
  }

  /** Reads a ring. Throws `KeyRingError`, also if the file cannot be read. */
  static fromFile(file: string): Keys {
    return new Keys(ringIn(file), file);
  }

  /** Makes one fresh key. No other process can read what it seals, nor can this process after a restart. */
  static fresh(): Keys {
    return new Keys(generateKeyRing(), undefined);
  }

  readonly ring = (): KeyRing => this.#ring;

  get isFromFile(): boolean {
    return this.#file !== undefined;
  }

  /** Reads the file again. If it throws (as `fromFile` does), the present ring stays. */
  reload(): void {
    if (this.#file !== undefined) this.#ring = ringIn(this.#file);
  }
}

function ringIn(file: string): KeyRing {
  return parseKeyRing(textOf(file).trim());
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new KeyRingError(error instanceof Error ? error.message : `${file} cannot be read`);
  }
}

import { METHODS } from 'node:http';
import { createRequire } from 'node:module';

/** A message as Node's own parser, llhttp, reads it in its strict mode. Text is latin1. */
export interface ReadMessage {
  /** Set for a request. */
  method: string;
  target: string;
  /** Set for an answer. */
  status: number;
  minor: number;
  fields: (readonly [name: string, value: string])[];
  body: string;
  trailers: (readonly [name: string, value: string])[];
  upgrade: boolean;
  whole: boolean;
}

export interface Reading {
  /** Complete messages, in order. */
  readonly messages: ReadMessage[];
  /** A message with a valid head that did not become complete. */
  readonly partial: ReadMessage | undefined;
  /** The error code of the first malformed bytes; nothing after them was read. */
  readonly error: string | undefined;
}

interface Parser {
  initialize(type: number, resource: object, headBytesMax: number, lenient: number): void;
  execute(bytes: Buffer): number | Error;
  finish(): undefined | Error;
  /** Releases the parser. Without this call, Node keeps it. */
  close(): void;
  [callback: number]: unknown;
}

interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientNone: number;
}

/** The parser below `node:http`, which Node exposes only as an internal binding. */
function parserClass(): ParserClass {
  const common: unknown = createRequire(import.meta.url)('_http_common');
  if (!hasParser(common))
    throw new Error('this Node keeps its HTTP parser elsewhere: expected _http_common.HTTPParser');
  return common.HTTPParser;
}

function hasParser(common: unknown): common is { readonly HTTPParser: ParserClass } {
  return typeof common === 'object' && common !== null && 'HTTPParser' in common;
}

const HTTPParser = parserClass();
/** Limits are tested elsewhere, so this one is very large. */
const headBytesMax = 4 * 1024 * 1024;

/** Reads one connection's bytes with one parser after the other: a parser stops at an upgrade. */
class Reader {
  readonly messages: ReadMessage[] = [];
  readonly #bodyless: (message: ReadMessage) => boolean;
  readonly #parser = new HTTPParser();
  readonly #type: number;
  #current: ReadMessage | undefined;
  #lines: string[] = [];
  #target = '';

  constructor(type: number, bodyless: (message: ReadMessage) => boolean) {
    this.#type = type;
    this.#bodyless = bodyless;
    const parser = this.#parser;
    parser[HTTPParser.kOnHeaders] = (lines: string[], target: string) => {
      this.#lines.push(...lines);
      this.#target += target;
    };
    parser[HTTPParser.kOnHeadersComplete] = (...given: HeadComplete) => this.#headComplete(given);
    parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
      if (this.#current !== undefined) this.#current.body += bytes.toString('latin1');
    };
    parser[HTTPParser.kOnMessageComplete] = () => this.#complete();
    parser.initialize(type, {}, headBytesMax, HTTPParser.kLenientNone);
  }

  get partial(): ReadMessage | undefined {
    return this.#current;
  }

  /** Returns the error code of malformed bytes. */
  read(bytes: Buffer): string | undefined {
    let rest = bytes;
    while (rest.length > 0) {
      const read = this.#parser.execute(rest);
      if (typeof read !== 'number') return codeOf(read);
      // Node reports no error after the head of an upgrade: it stops there.
      if (read < rest.length && this.#current !== undefined) return 'HPE_MALFORMED_BODY';
      rest = rest.subarray(read);
      if (rest.length > 0) this.#parser.initialize(this.#type, {}, headBytesMax, HTTPParser.kLenientNone);
      if (read === 0) return 'HPE_STUCK';
    }
    return undefined;
  }

  /** The connection has ended. */
  end(): string | undefined {
    const error = this.#parser.finish();
    return error === undefined ? undefined : codeOf(error);
  }

  close(): void {
    this.#parser.close();
  }

  #headComplete([, minor, lines, method, target, status, , upgrade]: HeadComplete): number {
    const message: ReadMessage = {
      method: method === undefined ? '' : (methodNames.get(method) ?? `method ${method}`),
      target: target ?? this.#target,
      status: status ?? 0,
      minor,
      fields: pairs(lines ?? this.#lines),
      body: '',
      trailers: [],
      upgrade,
      whole: false,
    };
    this.#lines = [];
    this.#target = '';
    this.#current = message;
    return this.#bodyless(message) ? 1 : 0;
  }

  #complete(): void {
    if (this.#current === undefined) return;
    this.#current.trailers = pairs(this.#lines);
    this.#current.whole = true;
    this.messages.push(this.#current);
    this.#lines = [];
    this.#target = '';
    this.#current = undefined;
  }
}

type HeadComplete = readonly [
  major: number,
  minor: number,
  lines: string[] | undefined,
  method: number | undefined,
  target: string | undefined,
  status: number | undefined,
  reason: string | undefined,
  upgrade: boolean,
];

const methodNames = new Map<number, string>();

function learnMethods(): void {
  for (const method of METHODS) {
    const parser = new HTTPParser();
    parser[HTTPParser.kOnHeadersComplete] = (...given: HeadComplete) => {
      methodNames.set(given[3] ?? -1, method);
      return 0;
    };
    parser.initialize(HTTPParser.REQUEST, {}, headBytesMax, HTTPParser.kLenientNone);
    parser.execute(Buffer.from(`${method} ${method === 'CONNECT' ? 'x:1' : '/'} HTTP/1.1\r\nHost: x\r\n\r\n`));
    parser.close();
  }
}

learnMethods();

export function readRequests(bytes: string): Reading {
  const reader = new Reader(HTTPParser.REQUEST, () => false);
  return readingOf(reader, bytes, false);
}

/**
 * Reads the answers to requests of these methods, including interim ones. `ended`: the connection was closed in order.
 */
export function readAnswers(bytes: string, methods: readonly string[], ended: boolean): Reading {
  let final = 0;
  const reader = new Reader(HTTPParser.RESPONSE, ({ status }) => {
    if (status < 200) return false;
    final += 1;
    return methods[final - 1] === 'HEAD';
  });
  return readingOf(reader, bytes, ended);
}

function readingOf(reader: Reader, bytes: string, ended: boolean): Reading {
  let error = reader.read(Buffer.from(bytes, 'latin1'));
  if (ended && error === undefined) error = reader.end();
  const { messages, partial } = reader;
  reader.close();
  return { messages, partial, error };
}

function pairs(lines: readonly string[]): (readonly [string, string])[] {
  const all: (readonly [string, string])[] = [];
  // llhttp keeps the white space at the end of a value.
  for (let at = 0; at + 1 < lines.length; at += 2)
    all.push([lines[at] ?? '', (lines[at + 1] ?? '').replace(/[\t ]+$/, '')]);
  return all;
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

/*
 * Frames of HTTP/2 (RFC 9113 §4), byte by byte, for what Node's client does not send. Fields are written without
 * Huffman coding and without the dynamic table (RFC 7541 §6.2.2).
 */

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

const endStream = 0x1;
const endHeaders = 0x4;

export type Fields = readonly (readonly [name: string, value: string])[];

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** What a client sends first. */
export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(frameTypes.settings, 0, 0),
]);

export function fieldBlock(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([prefixedLength(bytes.length), bytes]);
}

/** RFC 7541 §5.1, with a prefix of 7 bits. */
function prefixedLength(length: number): Buffer {
  if (length < 127) return Buffer.from([length]);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** `ends`: what ends with this frame. */
export function headers(stream: number, fields: Fields, ends: 'all' | 'block' | 'stream' | 'nothing' = 'all'): Buffer {
  const flags = { all: endStream | endHeaders, block: endHeaders, stream: endStream, nothing: 0 }[ends];
  return frame(frameTypes.headers, flags, stream, fieldBlock(fields));
}

export function continuation(stream: number, fields: Fields, last = false): Buffer {
  return frame(frameTypes.continuation, last ? endHeaders : 0, stream, fieldBlock(fields));
}

export function data(stream: number, text: string, last = false): Buffer {
  return frame(frameTypes.data, last ? endStream : 0, stream, text);
}

export function reset(stream: number, code: number): Buffer {
  return frame(frameTypes.reset, 0, stream, number32(code));
}

export function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Cuts received bytes into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  read(bytes: Buffer): ReceivedFrame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: ReceivedFrame[] = [];
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      const [type, flags] = [this.#rest.readUInt8(3), this.#rest.readUInt8(4)];
      frames.push({ type, flags, stream: this.#rest.readUInt32BE(5), payload: this.#rest.subarray(9, end) });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}

/** A GET of the path, with further fields. */
export function getFields(path = '/', ...more: Fields): Fields {
  return [[':method', 'GET'], [':scheme', 'https'], [':path', path], [':authority', 'shop.example'], ...more];
}

export function postFields(path = '/', ...more: Fields): Fields {
  return [[':method', 'POST'], ...getFields(path, ...more).slice(1)];
}

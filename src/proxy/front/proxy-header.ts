import { isIPv4, isIPv6, type Socket } from 'node:net';
import { normalizeIpv6 } from '../headers.js';

/*
 * The PROXY protocol, versions 1 and 2, as the HAProxy project specifies it (proxy-protocol.txt, sections 2.1 and 2.2).
 * A TCP load balancer writes the client's address in front of the bytes that it forwards.
 */

/** The result of parsing the first bytes of a connection. */
type ProxyHeader =
  /** Valid so far, and incomplete. */
  | { readonly kind: 'more' }
  /** `bytes`: its length. `clientAddress` is undefined for the balancer's own connection or an unknown client. */
  | { readonly kind: 'whole'; readonly bytes: number; readonly clientAddress: string | undefined }
  | { readonly kind: 'bad' };

/** The length of "PROXY UNKNOWN" with two IPv6 addresses of full length and CRLF. */
const textBytesMax = 107;
/** Addresses of UNIX sockets take 216; the rest is room for TLVs, such as the client's certificate name. */
const binaryBytesMax = 2048;

const textStart = Buffer.from('PROXY ');
const binaryStart = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const fixedBytes = 16;

const more: ProxyHeader = { kind: 'more' };
const bad: ProxyHeader = { kind: 'bad' };

/** Parses strictly by the specification, because a forged header may name any address. Pure. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, textStart)) return bytes.length < textStart.length ? more : parseText(bytes);
  if (startsLike(bytes, binaryStart)) return bytes.length < fixedBytes ? more : parseBinary(bytes);
  return bad;
}

/** Compares the bytes that both have. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function parseText(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, textBytesMax).indexOf('\r\n');
  if (end === -1) return bytes.length < textBytesMax ? more : bad;
  const [family, ...words] = bytes.toString('latin1', textStart.length, end).split(' ');
  const whole = (clientAddress?: string): ProxyHeader => ({ kind: 'whole', bytes: end + 2, clientAddress });
  // Anything after UNKNOWN is ignored.
  if (family === 'UNKNOWN') return whole();
  const [source = '', destination = '', sourcePort = '', destinationPort = ''] = words;
  if (words.length !== 4 || !isPort(sourcePort) || !isPort(destinationPort)) return bad;
  if (family === 'TCP4') return isIPv4(source) && isIPv4(destination) ? whole(source) : bad;
  if (family !== 'TCP6' || !isPlainIpv6(source) || !isPlainIpv6(destination)) return bad;
  return whole(normalizeIpv6(source));
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** Whether it is an IPv6 address without an interface name, which means something on one machine only. */
function isPlainIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

/** Maps the byte of family and protocol to the length of the addresses. Datagram protocols are not possible here. */
const addressBytes: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x21, 36],
  [0x31, 216],
]);

function parseBinary(bytes: Buffer): ProxyHeader {
  const command = bytes[12];
  const family = bytes[13] ?? 0;
  const length = fixedBytes + bytes.readUInt16BE(14);
  if ((command !== 0x20 && command !== 0x21) || length > binaryBytesMax) return bad;
  if (command === 0x20)
    return bytes.length < length ? more : { kind: 'whole', bytes: length, clientAddress: undefined };
  const needed = addressBytes.get(family);
  if (needed === undefined || length < fixedBytes + needed) return bad;
  return bytes.length < length ? more : { kind: 'whole', bytes: length, clientAddress: readSource(bytes, family) };
}

/** Reads the source address. The bytes between the addresses and `length` are TLVs and are not needed. */
function readSource(bytes: Buffer, family: number): string | undefined {
  if (family === 0x11) return bytes.subarray(16, 20).join('.');
  if (family !== 0x21) return undefined;
  return normalizeIpv6(bytes.toString('hex', 16, 32).replace(/.{4}(?!$)/g, '$&:'));
}

/** `whole`: `clientAddress` as in `ProxyHeader`. `gone`: closed before a byte came, as port checks do. */
interface HeaderRead {
  readonly kind: 'whole' | 'bad' | 'late' | 'gone';
  readonly clientAddress?: string | undefined;
}

/**
 * Removes the PROXY header from a connection; later bytes are put back for the next reader. Calls `done` once, in the
 * same turn in which the header is complete.
 */
export function readProxyHeader(socket: Socket, withinMs: number, done: (read: HeaderRead) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const finish = (read: HeaderRead): void => {
    clearTimeout(timer);
    socket.removeListener('readable', onReadable).removeListener('end', onEnd).removeListener('close', onEnd);
    done(read);
  };
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const header = parseProxyHeader(bytes);
    if (header.kind === 'more') return;
    if (header.kind === 'whole' && bytes.length > header.bytes) socket.unshift(bytes.subarray(header.bytes));
    finish(header);
  };
  const onEnd = (): void => finish({ kind: bytes.length === 0 ? 'gone' : 'bad' });
  const timer = setTimeout(() => finish({ kind: 'late' }), withinMs);
  socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
}

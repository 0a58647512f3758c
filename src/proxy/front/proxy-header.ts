import { isIPv4, isIPv6, type Socket } from 'node:net';
import { plainIpv6 } from '../headers/trusted-peers.js';

/*
 * The PROXY protocol, versions 1 and 2, as the HAProxy project specifies it (proxy-protocol.txt, sections 2.1 and 2.2):
 * a load balancer that does not look into what it passes on says in front of it whose connection it is.
 */

/** What the first bytes of a connection are. */
export type ProxyHeader =
  /** So far so good; it goes on. */
  | { readonly kind: 'more' }
  /** `bytes` long. `clientAddress` is undefined when the connection is the load balancer's own, or it cannot say. */
  | { readonly kind: 'whole'; readonly bytes: number; readonly clientAddress: string | undefined }
  | { readonly kind: 'bad' };

/** "PROXY UNKNOWN" with two IPv6 addresses at their longest, and CRLF. */
const textBytesMax = 107;
/** Addresses of UNIX sockets take 216; the rest is room for TLVs, such as the client's certificate name. */
const binaryBytesMax = 2048;

const textStart = Buffer.from('PROXY ');
const binaryStart = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const fixedBytes = 16;

const more: ProxyHeader = { kind: 'more' };
const bad: ProxyHeader = { kind: 'bad' };

/** Pure; as strict as the specification, for whoever gets past it may name any address. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, textStart)) return bytes.length < textStart.length ? more : parseText(bytes);
  if (startsLike(bytes, binaryStart)) return bytes.length < fixedBytes ? more : parseBinary(bytes);
  return bad;
}

/** As far as both go. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function parseText(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, textBytesMax).indexOf('\r\n');
  if (end === -1) return bytes.length < textBytesMax ? more : bad;
  const [family, ...words] = bytes.toString('latin1', textStart.length, end).split(' ');
  const whole = (clientAddress?: string): ProxyHeader => ({ kind: 'whole', bytes: end + 2, clientAddress });
  // Whatever follows UNKNOWN is to be ignored.
  if (family === 'UNKNOWN') return whole();
  const [source = '', destination = '', sourcePort = '', destinationPort = ''] = words;
  if (words.length !== 4 || !isPort(sourcePort) || !isPort(destinationPort)) return bad;
  if (family === 'TCP4') return isIPv4(source) && isIPv4(destination) ? whole(source) : bad;
  if (family !== 'TCP6' || !isPlainIpv6(source) || !isPlainIpv6(destination)) return bad;
  return whole(plainIpv6(source));
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** An interface name behind the address means something on one machine only. */
function isPlainIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

/** Family and protocol in one byte; where the addresses end. Datagrams cannot have come here. */
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
  return bytes.length < length ? more : { kind: 'whole', bytes: length, clientAddress: sourceIn(bytes, family) };
}

/** What stands between the addresses and `length` are TLVs: nothing in them is needed here. */
function sourceIn(bytes: Buffer, family: number): string | undefined {
  if (family === 0x11) return bytes.subarray(16, 20).join('.');
  if (family !== 0x21) return undefined;
  return plainIpv6(bytes.toString('hex', 16, 32).replace(/.{4}(?!$)/g, '$&:'));
}

/** `whole`: `clientAddress` as in `ProxyHeader`. `gone`: closed before a byte came, as port checks do. */
interface HeaderRead {
  readonly kind: 'whole' | 'bad' | 'late' | 'gone';
  readonly clientAddress?: string | undefined;
}

/**
 * Takes the PROXY header off a connection; what came behind it is put back, for whoever reads next. Calls `done` once,
 * in the same turn in which the header is complete.
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

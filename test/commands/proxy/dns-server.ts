import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';

const types = { A: 1, AAAA: 28, SRV: 33 } as const;
const failures = { unknown: 3, broken: 2 } as const;

/** The records of one name. An IPv6 address has the form of eight groups. */
export interface Records {
  readonly addresses?: readonly string[];
  readonly services?: readonly { readonly host: string; readonly port: number; readonly priority?: number }[];
}

/** A DNS server (RFC 1035) on UDP whose records the test changes. An undefined zone answers SERVFAIL. */
export async function withDns(
  use: (dns: { readonly address: string; zone: Record<string, Records> | undefined; asked: number }) => Promise<void>,
): Promise<void> {
  const socket = createSocket('udp4');
  const dns = { address: '', zone: {} as Record<string, Records> | undefined, asked: 0 };
  socket.on('message', (query, { port, address }) => {
    dns.asked += 1;
    socket.send(answer(query, dns.zone), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  dns.address = `127.0.0.1:${socket.address().port}`;
  try {
    await use(dns);
  } finally {
    socket.close();
  }
}

function answer(query: Buffer, zone: Record<string, Records> | undefined): Buffer {
  const { name, type, end } = readQuestion(query);
  const records = zone?.[name];
  const data = records === undefined ? [] : dataOf(records, type);
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  const code = zone === undefined ? failures.broken : records === undefined ? failures.unknown : 0;
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 6);
  return Buffer.concat([head, query.subarray(12, end), ...data.map(bytes => record(type, bytes))]);
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (query.readUInt8(at) !== 0) {
    const length = query.readUInt8(at);
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** The name points at the question, and may be cached for no time. */
function record(type: number, data: Buffer): Buffer {
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf({ addresses = [], services = [] }: Records, type: number): Buffer[] {
  if (type === types.SRV) return services.map(({ host, port, priority = 0 }) => service(host, port, priority));
  const family = type === types.A ? 4 : type === types.AAAA ? 6 : 0;
  return addresses.filter(address => isIP(address) === family).map(bytesOf);
}

function bytesOf(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(
    address
      .split(':')
      .map(group => group.padStart(4, '0'))
      .join(''),
    'hex',
  );
}

function service(host: string, port: number, priority: number): Buffer {
  const numbers = Buffer.alloc(6);
  numbers.writeUInt16BE(priority, 0);
  numbers.writeUInt16BE(port, 4);
  const labels = host.split('.').map(label => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Buffer.concat([numbers, ...labels, Buffer.alloc(1)]);
}

import { expect } from 'chai';
import fc from 'fast-check';
import { parseProxyHeader } from '#src/proxy/front/proxy-header.js';

const start = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** Builds a version 2 header. The upper half of `command` is the version, the lower half of `family` the protocol. */
function binary(command: number, family: number, payload: Buffer, length = payload.length): Buffer {
  const fixed = Buffer.from([command, family, length >> 8, length & 0xff]);
  return Buffer.concat([start, fixed, payload]);
}

const ipv4 = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0xd4, 0x31, 0x01, 0xbb]);
const ipv6 = Buffer.from(`20010db8${'0'.repeat(20)}0007${'fd00'.padEnd(32, '0')}d43101bb`, 'hex');
const mapped = Buffer.from(`${'0'.repeat(20)}ffffc0000207${'0'.repeat(32)}d43101bb`, 'hex');
const unix = Buffer.alloc(216, 'x');
/** PP2_TYPE_AUTHORITY, "shop.example". */
const tlv = Buffer.concat([Buffer.from([0x02, 0, 12]), Buffer.from('shop.example')]);

const good: readonly [what: string, bytes: Buffer | string, clientAddress: string | undefined][] = [
  ['TCP4', 'PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\r\n', '192.0.2.7'],
  ['TCP4, outermost ports', 'PROXY TCP4 192.0.2.7 198.51.100.1 0 65535\r\n', '192.0.2.7'],
  ['TCP6', 'PROXY TCP6 2001:db8::7 fd00::1 54321 443\r\n', '2001:db8::7'],
  ['TCP6 at length', 'PROXY TCP6 2001:0DB8:0:0:0:0:0:7 fd00::1 54321 443\r\n', '2001:db8::7'],
  ['TCP6 of an IPv4 client', 'PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 54321 443\r\n', '192.0.2.7'],
  ['TCP6 of an IPv4 client, in hexadecimal', 'PROXY TCP6 0:0:0:0:0:FFFF:C000:207 ::1 54321 443\r\n', '192.0.2.7'],
  ['UNKNOWN', 'PROXY UNKNOWN\r\n', undefined],
  ['UNKNOWN with other text', 'PROXY UNKNOWN ffff::1 what ever\r\n', undefined],
  ['107 bytes', `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, undefined],
  ['v2 TCP4', binary(0x21, 0x11, ipv4), '192.0.2.7'],
  ['v2 TCP6', binary(0x21, 0x21, ipv6), '2001:db8::7'],
  ['v2 TCP6 of an IPv4 client', binary(0x21, 0x21, mapped), '192.0.2.7'],
  ['v2 TCP4 with TLVs', binary(0x21, 0x11, Buffer.concat([ipv4, tlv])), '192.0.2.7'],
  ['v2 UNIX', binary(0x21, 0x31, unix), undefined],
  ['v2 UNSPEC', binary(0x21, 0x00, Buffer.alloc(0)), undefined],
  ['v2 UNSPEC with TLVs', binary(0x21, 0x00, tlv), undefined],
  ['v2 LOCAL', binary(0x20, 0x00, Buffer.alloc(0)), undefined],
  ['v2 LOCAL with addresses, which are ignored', binary(0x20, 0x11, ipv4), undefined],
  ['v2, 2048 bytes', binary(0x21, 0x11, Buffer.concat([ipv4, Buffer.alloc(2048 - 16 - 12)])), '192.0.2.7'],
];

const bad: readonly [what: string, bytes: Buffer | string][] = [
  ['HTTP', 'GET / HTTP/1.1\r\n'],
  ['TLS', Buffer.from([0x16, 0x03, 0x01])],
  ['another word', 'PROXI'],
  ['lower case', 'proxy TCP4 192.0.2.7 198.51.100.1 54321 443\r\n'],
  ['a family in lower case', 'PROXY tcp4 192.0.2.7 198.51.100.1 54321 443\r\n'],
  ['UDP4', 'PROXY UDP4 192.0.2.7 198.51.100.1 54321 443\r\n'],
  ['two spaces', 'PROXY TCP4  192.0.2.7 198.51.100.1 54321 443\r\n'],
  ['a space at the end', 'PROXY TCP4 192.0.2.7 198.51.100.1 54321 443 \r\n'],
  ['a port too few', 'PROXY TCP4 192.0.2.7 198.51.100.1 54321\r\n'],
  ['no addresses', 'PROXY TCP4\r\n'],
  ['a port of six digits', 'PROXY TCP4 192.0.2.7 198.51.100.1 154321 443\r\n'],
  ['port 65536', 'PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n'],
  ['a port with a zero in front', 'PROXY TCP4 192.0.2.7 198.51.100.1 054 443\r\n'],
  ['a port with a sign', 'PROXY TCP4 192.0.2.7 198.51.100.1 +54 443\r\n'],
  ['an address with a zero in front', 'PROXY TCP4 192.0.2.07 198.51.100.1 54321 443\r\n'],
  ['an address of three numbers', 'PROXY TCP4 192.0.2 198.51.100.1 54321 443\r\n'],
  ['a name', 'PROXY TCP4 localhost 198.51.100.1 54321 443\r\n'],
  ['a wrong second address', 'PROXY TCP4 192.0.2.7 nowhere 54321 443\r\n'],
  ['IPv6 as TCP4', 'PROXY TCP4 ::1 ::1 54321 443\r\n'],
  ['IPv4 as TCP6', 'PROXY TCP6 192.0.2.7 198.51.100.1 54321 443\r\n'],
  ['an interface', 'PROXY TCP6 fe80::1%eth0 fe80::2 54321 443\r\n'],
  ['brackets', 'PROXY TCP6 [::1] [::1] 54321 443\r\n'],
  ['a bare LF', `PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\n${'x'.repeat(80)}`],
  ['a bare LF before a CRLF', 'PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\nGET / HTTP/1.1\r\n'],
  ['107 bytes and no end', `PROXY UNKNOWN ${'x'.repeat(93)}`],
  ['108 bytes', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`],
  ['v2 of version 1', binary(0x11, 0x11, ipv4)],
  ['v2 of version 3', binary(0x31, 0x11, ipv4)],
  ['v2 with another command', binary(0x22, 0x11, ipv4)],
  ['v2 of datagrams', binary(0x21, 0x12, ipv4)],
  ['v2 of another family', binary(0x21, 0x41, ipv6)],
  ['v2 of half a family', binary(0x21, 0x10, ipv4)],
  ['v2 TCP4, too short for its addresses', binary(0x21, 0x11, ipv4.subarray(1))],
  ['v2 TCP6, too short for its addresses', binary(0x21, 0x21, ipv4)],
  ['v2 UNIX, too short for its addresses', binary(0x21, 0x31, ipv6)],
  ['v2 above 2 KiB, as soon as it says so', binary(0x21, 0x11, Buffer.alloc(0), 2048 - 16 + 1)],
  ['v2 LOCAL above 2 KiB', binary(0x20, 0x00, Buffer.alloc(0), 0xffff)],
];

const bytesOf = (given: Buffer | string): Buffer => (typeof given === 'string' ? Buffer.from(given, 'latin1') : given);

describe('PROXY header', () => {
  for (const [what, given, clientAddress] of good) {
    it(`accepts ${what}, and leaves the bytes after it`, () => {
      const bytes = bytesOf(given);
      const whole = { kind: 'whole', bytes: bytes.length, clientAddress };
      expect(parseProxyHeader(bytes)).to.deep.equal(whole);
      expect(parseProxyHeader(Buffer.concat([bytes, bytes]))).to.deep.equal(whole);
    });

    it(`waits for more at every byte of ${what}`, () => {
      const bytes = bytesOf(given);
      for (let length = 0; length < bytes.length; length += 1) {
        expect(parseProxyHeader(bytes.subarray(0, length)), `${length} bytes`).to.deep.equal({ kind: 'more' });
      }
    });
  }

  for (const [what, given] of bad) {
    it(`refuses ${what}`, () => {
      expect(parseProxyHeader(bytesOf(given))).to.deep.equal({ kind: 'bad' });
    });
  }

  it('never changes a final result when more bytes come', () => {
    const seeds = [...good.map(([, given]) => bytesOf(given)), ...bad.map(([, given]) => bytesOf(given))];
    const mutated = fc
      .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 3 }))
      .map(([seed, changes]) => {
        const bytes = Buffer.concat([seed, Buffer.from('GET / HTTP/1.1\r\n\r\n')]);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      });
    fc.assert(
      fc.property(mutated, bytes => {
        let settled = parseProxyHeader(Buffer.alloc(0));
        for (let length = 1; length <= bytes.length; length += 1) {
          const now = parseProxyHeader(bytes.subarray(0, length));
          if (settled.kind === 'more') settled = now;
          else expect(now).to.deep.equal(settled);
        }
        // Beyond the limits it never waits for more bytes.
        if (bytes.length > 2048) expect(settled.kind).to.not.equal('more');
        if (settled.kind === 'whole') expect(settled.bytes).to.be.at.most(2048);
      }),
      { numRuns: 300 },
    );
  });
});

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { withHoldfast } from './holdfast.js';
import { commandLine } from './in-process.js';

/** The part of the JSON contract that these tests read. */
interface Result {
  readonly schema: number;
  readonly attacks: readonly {
    readonly attack: string;
    readonly asvs: readonly string[];
    readonly mode: string;
    readonly variant: string | null;
    readonly outcome: string;
    readonly tries: number;
    readonly reason?: string;
    readonly exchanges?: readonly { readonly request: readonly string[]; readonly response: readonly string[] }[];
  }[];
}

/** An attack that succeeds on a weak variant, one with a known limit, and one that is not for every mode. */
const chosen = ['reuse-after-logout', 'old-cookie', 'affinity-address'];
const outcomes = ['resisted', 'known limit', 'not applicable'];

describe('holdfast attack', function () {
  this.timeout(90_000);

  it('exits with 0 and writes table, JSON and evidence: none succeeds at full strength, all on weak variants', () => {
    const files = ['--json', 'a.json', '--markdown', 'a.md'];
    const args = ['attack', '--mode', 'sealed', '--attack', chosen.join(), ...files];
    return withHoldfast(args, async holdfast => {
      const code = await holdfast.ended();
      const { stdout, stderr } = holdfast.output;
      expect(code, stdout + stderr).to.equal(0);
      const result: Result = JSON.parse(await readFile(path.join(holdfast.folder, 'a.json'), 'utf8'));
      expectWhole(result);
      expectProofs(result);
      expect(stdout)
        .to.match(/│ reuse-after-logout +│ resisted +│/)
        .and.to.match(/│ old-cookie +│ known limit +│/);
      expect(stdout).to.match(/^weak: sealed, sealed-without-denylist .*: falls to reuse-after-logout, old-cookie$/m);
      expect(await readFile(path.join(holdfast.folder, 'a.md'), 'utf8')).to.match(
        /^\| 7\.4\.1 \| `reuse-after-logout`/m,
      );
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    });
  });

  it('exits with 130 on SIGINT and leaves no process or file behind', () =>
    withHoldfast(['attack', '--mode', 'redis', '--attack', 'idle-limit'], async holdfast => {
      await holdfast.sees('redis, short limits: 1 attack');
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended()).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));

  for (const [args, message] of [
    [['--attack', 'fixatoin'], 'unknown attack "fixatoin". Did you mean "fixation"?'],
    [['--mode', 'reddis'], 'unknown mode "reddis". Did you mean "redis"?'],
  ] as const)
    it(`exits with 3 for ${args.join(' ')} and suggests the nearest name`, async () => {
      const { code, stderr, left } = await commandLine(['attack', ...args]);
      expect(code).to.equal(3);
      expect(stderr).to.include(message);
      expect(left).to.deep.equal([]);
    });

  it('has an attack for every requirement on sessions', () => {
    const covered = new Set(Object.values(attacks).flatMap(({ asvs }) => asvs));
    const wanted = [
      ...['3.3.1', '3.3.2', '3.3.3', '3.3.4', '3.3.5', '3.5.1', '3.5.3', '6.5.1', '6.5.5'],
      ...['7.2.1', '7.2.2', '7.2.3', '7.2.4', '7.3.1', '7.3.2', '7.4.1', '7.4.2', '7.4.3', '7.4.5'],
      ...['7.5.1', '7.5.2', '7.5.3', '7.6.2', '9.1.1', '9.1.2', '9.1.3', '9.2.1', '9.2.2', '9.2.3', '9.2.4'],
      'RFC 9700',
    ];
    expect(wanted.filter(id => !covered.has(id))).to.deep.equal([]);
  });
});

function expectWhole({ schema, attacks: lines }: Result): void {
  expect(schema).to.equal(1);
  const strong = lines.filter(line => line.variant === null);
  expect(strong.map(({ attack, outcome }) => `${attack}: ${outcome}`).sort()).to.deep.equal(
    chosen.map((attack, at) => `${attack}: ${outcomes[at]}`).sort(),
  );
  for (const { attack, outcome, tries } of strong) expect(tries > 0, attack).to.equal(outcome !== 'not applicable');
  const fell = lines.filter(({ variant, outcome }) => variant !== null && outcome === 'succeeded');
  expect(fell.map(({ attack }) => attack).sort()).to.deep.equal(['old-cookie', 'reuse-after-logout']);
}

/** Checks that every success has exchanges as proof, and that they hold no complete token. */
function expectProofs({ attacks: lines }: Result): void {
  for (const { attack, outcome, exchanges = [] } of lines.filter(line => line.outcome === 'succeeded')) {
    expect(exchanges.length, `${attack} ${outcome}`).to.be.greaterThan(0);
    for (const { request, response } of exchanges) {
      expect(request[0]).to.match(/^(GET|POST|DELETE) \/\S* HTTP\/1\.1$/);
      expect(response[0]).to.match(/^HTTP\/1\.1 \d{3}/);
    }
  }
  expect(JSON.stringify(lines)).not.to.match(/session=[\w-]{30,}/);
}

import { expect } from 'chai';
import yargs from 'yargs';
import { addProxyFlags } from '#src/commands/proxy/flags.js';
import { buildProxyOptions } from '#src/commands/proxy/options.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { withPool } from '../../proxy/with-proxy.js';

const help = () => addProxyFlags(yargs([]).scriptName('holdfast')).wrap(null).getHelp();

/** As a shell would split them; the examples quote with single quotes only. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(match => match[1] ?? match[2] ?? '');
}

async function examples(): Promise<string[]> {
  const [, section = ''] = (await help()).split('Examples:\n');
  return [...section.matchAll(/^ {2}(\S.*?) {2,}\S/gm)].map(match => match[1] ?? '');
}

describe('holdfast proxy --help', () => {
  it('has every flag in a group of its own kind, with a description', async () => {
    const text = await help();
    const [, rest = ''] = text.split('\nOptions:\n');
    expect([...(rest.split('\n\n')[0] ?? '').matchAll(/--([\w-]+)/g)].map(match => match[1])).to.deep.equal([
      'help',
      'version',
    ]);
    expect(text).not.to.match(/^ +--[\w-]+ *(\[.*)?$/m);
  });

  it('shows command lines that are right', async () => {
    const lines = (await examples()).filter(line => line.startsWith('holdfast proxy '));
    expect(lines).to.have.length.above(3);
    for (const line of lines) {
      const args = await addProxyFlags(yargs(words(line).slice(2)))
        .strict()
        .exitProcess(false)
        .parseAsync();
      buildProxyOptions(args, args.backend ?? [], generateKeyRing(), () => {});
    }
  });

  it('shows requests that the admin API answers', async () => {
    const lines = (await examples()).filter(line => line.startsWith('curl '));
    expect(lines).to.have.length.above(1);
    await withPool([undefined, undefined], {}, async proxy => {
      for (const line of lines) {
        const {
          X: method = 'GET',
          d: body,
          _: rest,
        } = await yargs(words(line).slice(1)).string(['X', 'd']).parseAsync();
        const { pathname, host } = new URL(String(rest[0]));
        expect(host).to.equal('127.0.0.1:8081');
        const answer = await proxy.admin(String(method), pathname, body === undefined ? undefined : JSON.parse(body));
        expect(answer.status, line).to.equal(200);
      }
    });
  });
});

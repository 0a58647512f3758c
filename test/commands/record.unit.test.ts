import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { chooseNames, parseApp, parsePair, readSystem } from '#src/commands/record/app.js';
import { askQuestion, chooseCandidate, Terminal } from '#src/commands/record/terminal.js';

const system = (flags: Parameters<typeof readSystem>[0], ...words: string[]) => readSystem(flags, words, process.cwd());

describe('the app of a recording', () => {
  it('is started by the words after --, quoted where a shell would split them', () => {
    expect(system({}, 'node', 'my server.js', '--port={port}')).to.include({
      command: "node 'my server.js' '--port={port}'",
      directory: undefined,
    });
    expect(system({}, 'PORT={port} npm start')).to.include({ command: 'PORT={port} npm start' });
  });

  it('is started in its folder, as seen from the folder of the scenario', () => {
    expect(readSystem({ directory: 'app' }, ['npm', 'start'], process.cwd())).to.include({ directory: 'app' });
    expect(readSystem({}, ['npm', 'start'], '/')).to.include({ directory: process.cwd().slice(1) });
  });

  it('gets the variables that are given', () => {
    expect(system({ env: ['A=b=c', 'REDIS_URL={redis}'] }, 'x')).to.deep.include({
      env: { A: 'b=c', REDIS_URL: '{redis}' },
    });
    expect(() => system({ env: ['A'] }, 'x')).to.throw('--env: found "A", expected a variable');
  });

  it('is started or runs already, never both', () => {
    expect(system({ backend: 'http://127.0.0.1:3000' })).to.deep.equal({ target: 'http://127.0.0.1:3000' });
    expect(() => system({ backend: 'http://127.0.0.1:3000' }, 'npm')).to.throw('leave out the command after --');
    expect(() => system({ backend: 'http://127.0.0.1:3000', ready: '/' })).to.throw('leave out --ready');
    expect(system({})).to.equal(undefined);
  });

  for (const [title, given, expected] of [
    [
      'an address of another machine',
      { target: 'http://shop.example' },
      'found "http://shop.example", expected a loopback',
    ],
    [
      'an unknown placeholder',
      { command: 'node x.js {prot}', env: {}, ready: { http: '/', within: '1s' } },
      'found {prot}, expected one of {port}',
    ],
  ] as const)
    it(`is refused for ${title}`, () => {
      expect(() => parseApp(given, 'sticky', 'holdfast.yaml')).to.throw(`the app: ${expected}`);
    });
});

describe('the names of a recording', () => {
  const users = (first: string, second: string) =>
    [
      { user: first, item: '' },
      { user: second, item: '' },
    ] as const;

  for (const [first, second, expected] of [
    ['shopper1@example.com', 'shopper2@example.com', 'shopper{n}@example.com'],
    ['a1b1', 'a1b2', 'a1b{n}'],
    ['ann', 'bob', ['ann', 'bob']],
    ['user11', 'user22', ['user11', 'user22']],
  ] as const)
    it(`are ${expected} for ${first} and ${second}`, () => {
      expect(chooseNames(users(first, second), true)).to.deep.equal(expected);
    });

  it('are those of every run when the app accepts any name', () => {
    expect(chooseNames(users('hf-user-1', 'hf-user-2'), false)).to.equal(undefined);
  });

  for (const given of ['ann', 'ann,ann', 'ann,', 'ann,bob,eve'])
    it(`are refused for ${given}`, () => {
      expect(() => parsePair('users', given, ['x', 'y'])).to.throw('expected two different values');
    });
});

describe('a question of a recording', () => {
  const question = {
    id: 'add',
    text: 'Which request adds?',
    candidates: [
      { id: 'POST /cart', label: 'POST /cart' },
      { id: 'POST /log', label: 'POST /log\u001b[31m' },
    ],
  };

  async function answer(typed: string): Promise<{ readonly chosen: string | undefined; readonly said: string }> {
    const input = new PassThrough();
    const terminal = new Terminal(input);
    let said = '';
    const asked = askQuestion(question, terminal, text => {
      said += text;
    });
    input.end(typed);
    return { chosen: await asked, said };
  }

  for (const [typed, expected] of [
    ['\n', 'POST /cart'],
    ['2\n', 'POST /log'],
    ['9\nx\n2\n', 'POST /log'],
    ['', undefined],
  ] as const)
    it(`is answered with ${expected} for ${JSON.stringify(typed)}`, async () => {
      expect((await answer(typed)).chosen).to.equal(expected);
    });

  it('shows its candidates with numbers, and no control character', async () => {
    const { said } = await answer('\n');
    expect(said).to.include('Which request adds?\n  1  POST /cart\n  2  POST /log').and.not.include('\u001b');
  });

  it('takes the number or the id of a candidate as a flag, and nothing else', () => {
    expect(chooseCandidate(question, '2')).to.equal('POST /log');
    expect(chooseCandidate(question, 'POST /log')).to.equal('POST /log');
    for (const wrong of ['0', '3', 'POST'])
      expect(() => chooseCandidate(question, wrong)).to.throw('--answer add=2    POST /log');
  });
});

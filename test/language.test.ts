import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';

/*
 * The rules of language that a program can check. A colleague in another country must understand each sentence when it is
 * read once; CONTRIBUTING.md has the other rules.
 */

interface Line {
  readonly place: string;
  readonly text: string;
}

const root = packageFile('.');
const code = ['src', 'backends', 'bench', 'scripts'].flatMap(folder => filesIn(folder, /\.(ts|mjs)$/));
const tests = filesIn('test', /\.ts$/);
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesIn('docs', /\.md$/)];
const scenarios = filesIn('scenarios', /\.yaml$/);
const prose = [...code, ...pages, ...scenarios].flatMap(linesOf);
const titles = tests.flatMap(linesOf).filter(({ text }) => /\b(?:it|describe)\(\s*[`'"]/.test(text));

/** A program, a request or a file is "it". These words turn it into a person. */
const persons = /\b(?:[Nn]obody|[Nn]o one|[Ww]ho(?:m|so|mso)?ever|[Ww]hom|[Ss]omebody|[Ss]omeone|[Aa]nybody)\b/;

/** "Who" is for people. */
const programs =
  'backend|proxy|process|request|connection|worker|server|store|member|replica|primary|program|file|cookie|token|answer|fault|probe|engine|policy|lab|test|scenario|run';
const whoForProgram = new RegExp(
  String.raw`\b(?:${programs})(?:s|es)?,? who\b|\bwho (?:listens|serves|answers|decides|probes|sends|stores|caches)\b`,
  'i',
);

const metaphors = ['heart', 'crew', 'deed', 'blow', 'errand', 'fate', 'door', 'edge'];
const identifier =
  /\b(?:class|interface|type|enum|function|const|let)\s+#?(\w+)|^\s+(?:readonly\s+|async\s+|static\s+)*#?(\w+)(?=[?!]?\s*[:(=])/g;

/** Words that break a rule and are right: each with its reason. */
const exceptions: readonly (readonly [what: RegExp, why: string])[] = [
  [/src\/simulator\/cluster\/stores\/.*['"^]nobody['":]/, 'the user "nobody" of the operating system'],
  [/'someone-else'/, 'the state of a user that got the answer of another user'],
  [/src\/report\/browser\/stories\.ts.*'nobody'/, 'an answer that names no user'],
  [/src\/(live|simulator\/checker\/users)\/.*'(state-)?someone-else'/, 'an answer names a person'],
];

describe('the language of the project', () => {
  it('finds what it reads', () => {
    expect(code.length).to.be.greaterThan(300);
    expect(titles.length).to.be.greaterThan(500);
    expect(pages.length).to.be.greaterThan(8);
  });

  for (const [name, lines] of [
    ['code, docs and scenarios', prose],
    ['test titles', titles],
  ] as const) {
    it(`turns no program into a person in ${name}`, () => {
      expect(found(lines, persons), listedIn('persons')).to.deep.equal([]);
    });

    it(`says "who" of people only in ${name}`, () => {
      expect(found(lines, whoForProgram), listedIn('whoForProgram')).to.deep.equal([]);
    });
  }

  for (const [text, isRefused] of [
    ['a backend who answers', true],
    ['the proxy, who decides', true],
    ['who serves this request?', true],
    ['a user who is logged in', false],
    ['a request that nobody waits for', true],
    ['for whom the bell tolls', true],
  ] as const) {
    it(`${isRefused ? 'refuses' : 'accepts'} "${text}"`, () => {
      expect(persons.test(text) || whoForProgram.test(text)).to.equal(isRefused);
    });
  }

  it('names nothing by a metaphor', () => {
    const named = [...code, ...tests].flatMap(linesOf).flatMap(({ place, text }) => {
      const names = [...text.matchAll(identifier)].map(([, declared, field]) => declared ?? field ?? '');
      return names.flatMap(name => {
        const metaphor = wordsOf(name).find(isMetaphor);
        return metaphor === undefined ? [] : `${place} ${name}: "${metaphor}" is a metaphor`;
      });
    });
    expect(named, listedIn('metaphors')).to.deep.equal([]);
  });

  it('has one exported type for each name', () => {
    const places = new Map<string, string[]>();
    for (const { place, text } of code.filter(file => /^(src|backends)\//.test(file)).flatMap(linesOf)) {
      const [, name] = /^export (?:abstract )?(?:interface|type|class|enum) (\w+)/.exec(text) ?? [];
      if (name !== undefined) places.set(name, [...(places.get(name) ?? []), place]);
    }
    expect([...places].filter(([, of]) => of.length > 1)).to.deep.equal([]);
  });

  /** With --parallel, a worker runs many test files. Each file has its own functions of the test runner, but a shared
   * module is loaded once. */
  it('keeps no function of the test runner in a module, where the tests of the next file would be lost', () => {
    const functions = '(?:describe|it|before|after|beforeEach|afterEach)';
    const keeps = new RegExp(`^(?:export )?(?:const|let|var) .*[={,] *${functions} *(?:[,};]|$)`);
    const kept = tests.flatMap(linesOf).filter(({ text }) => keeps.test(text));
    expect(kept.map(({ place, text }) => `${place} ${text}`)).to.deep.equal([]);
  });

  it('begins no doc comment with a word that hides its subject', () => {
    const starts = code.flatMap(linesOf).filter(({ text }) => /^\s*\/\*\* (?:Of|As|What|For|So) /.test(text));
    const expected = 'a comment begins with a verb or a noun, never with Of, As, What, For or So';
    expect(
      starts.map(({ place, text }) => `${place} ${text.trim()}`),
      expected,
    ).to.deep.equal([]);
  });
});

function filesIn(folder: string, names: RegExp): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => names.test(name))
    .map(name => path.posix.join(folder, name));
}

function linesOf(file: string): Line[] {
  const lines = readFileSync(path.join(root, file), 'utf8').split('\n');
  return lines.map((text, i) => ({ place: `${file}:${i + 1}`, text }));
}

/** Returns what breaks the rule: the place, the refused words, and the line. */
function found(lines: readonly Line[], words: RegExp): string[] {
  return lines.flatMap(({ place, text }) => {
    const refused = words.exec(text)?.[0];
    if (refused === undefined || exceptions.some(([what]) => what.test(`${place} ${text}`))) return [];
    return `${place} says "${refused}": ${text.trim()}`;
  });
}

/** Says in a failure where the refused words and the exceptions are. */
function listedIn(list: string): string {
  return `the refused words are in "${list}" of test/language.test.ts, and right uses of them in "exceptions"`;
}

/** `tlsDoorOf` is `tls`, `door`, `of`. */
function wordsOf(name: string): string[] {
  return name.split(/(?=[A-Z])|_/).map(word => word.toLowerCase());
}

function isMetaphor(word: string): boolean {
  return metaphors.some(metaphor => word === metaphor || word === `${metaphor}s`);
}

/** Turns help texts into a manual page in the language of man(7). `scripts/reference.mjs` writes man/holdfast.1 with it. */

/**
 * Returns the text of the manual page. `overview` is the help of the program, and `commands` has the help of each command.
 * No line of them is broken.
 */
export function writeManual(version, overview, commands) {
  const [, purpose = ''] = splitParts(overview);
  return [
    '.\\" Written by scripts/reference.mjs from the help texts. Do not edit.',
    `.TH HOLDFAST 1 "" "holdfast ${escapeRoff(version)}" "User Commands"`,
    // A terminal is narrow, and names must stay whole.
    '.ad l',
    '.nh',
    '.SH NAME',
    'holdfast \\- a load balancer with session affinity, and a failover simulator',
    '.SH SYNOPSIS',
    '.B holdfast',
    '.I command',
    '.RI [ option " ...]"',
    '.SH DESCRIPTION',
    plain(purpose),
    '.PP',
    'Each command has its own options.',
    'In a clone the program is called',
    '.BR "node dist/cli.js" ,',
    'and in a project that has installed it',
    '.BR "npx holdfast" .',
    '.SH COMMANDS',
    ...Object.values(commands).flatMap(({ help }) => commandLines(help)),
    '.SH EXIT STATUS',
    ...exitCodeLines(overview),
    '.SH SEE ALSO',
    'The pages in the folder',
    '.I docs',
    'of the package.',
    '',
  ].join('\n');
}

/** A help text has parts with empty lines between them: usage, description, headings with entries, closing texts. */
function splitParts(help) {
  return help.trim().split(/\n\n+/);
}

function commandLines(help) {
  const [usage = '', description = '', ...parts] = splitParts(help);
  return [`.SS "${escapeRoff(usage)}"`, plain(description), ...parts.flatMap(partLines)];
}

function partLines(text) {
  const [title, ...entries] = text.split('\n');
  if (!title.endsWith(':') || !entries.every(line => line.startsWith('  '))) return ['.PP', plain(text)];
  return ['.PP', `.I ${escapeRoff(title)}`, ...entries.flatMap(entryLines)];
}

/** An entry is a flag or an example, then at least two blanks, then what it does. */
function entryLines(line) {
  const [, name, text = ''] = /^ {2}(\S.*?)(?: {2,}(\S.*))?$/.exec(line) ?? [];
  if (name === undefined) throw new Error(`expected a flag or an example, and found "${line.trim()}": a broken line?`);
  return ['.TP', `.B ${escapeRoff(name)}`, plain(text)];
}

function exitCodeLines(overview) {
  const [, codes = ''] = /^Exit codes: (.*)$/m.exec(overview) ?? [];
  return codes.split(' · ').flatMap(each => {
    const [, code, meaning] = /^(\d+) (.*)$/.exec(each) ?? [];
    return ['.TP', `.B ${code}`, plain(meaning)];
  });
}

/** Makes one line of text. */
function plain(text) {
  return escapeRoff(text.replaceAll(/\s+/g, ' ').trim()).replace(/^(?=[.'])/, '\\&');
}

const named = { '\\': '\\e', '-': '\\-', "'": '\\(aq', '"': '\\(dq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti' };

/** Replaces what troff reads as a command, and what is not ASCII. */
function escapeRoff(text) {
  const code = char => `\\[u${char.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;
  return text.replaceAll(/[\\'"`^~-]/g, char => named[char]).replaceAll(/[^ -~\n]/gu, code);
}

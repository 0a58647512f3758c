import fc from 'fast-check';

/**
 * Generates lines of operations as text. Most are correct and in the form that Holdfast writes. Some are correct in
 * another form (white space, escapes, another order, exponents), and some are wrong.
 */

type Field = readonly [name: string, json: string];

const usual = <T>(common: fc.Arbitrary<T>, rare: fc.Arbitrary<T>, weight = 30): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: common }, { weight: 1, arbitrary: rare });

const oddText = fc.oneof(
  fc.constantFrom(
    '"',
    '\\',
    'a","b',
    'x"]',
    'ü',
    '€',
    '😀',
    '\u0000',
    '\u007f',
    '\u2028',
    '\ud800',
    '\udc00',
    '',
    ' ',
    '__proto__',
  ),
  fc.array(fc.nat(0x10ffff), { maxLength: 6 }).map(points => String.fromCodePoint(...points)),
);
const plainText = fc.constantFrom('ann', 'bob', 'ann-1', 't1', 't2', 't3', 't12', 'backend-1', 'backend-2', 'timeout');

/** Strings with some unnecessary escapes. */
const stringJson = usual(plainText, oddText).chain(text =>
  usual(
    fc.constant(JSON.stringify(text)),
    fc.constant(`"${[...text].map(char => (char.length === 1 ? escaped(char) : char)).join('')}"`),
  ),
);

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const oddNumberJson = fc.oneof(
  fc.constantFrom('-0', '0', '-1', '01', '1.', '.5', '1e3', '1E+2', '1.0', '0.0', '00', '1e400', 'NaN', '1000000000.5'),
  fc.constantFrom(
    '9007199254740991',
    '9007199254740993',
    '2147483648',
    '65535',
    '123456789.123456789',
    '0.1',
    '0.30000000000000004',
  ),
  fc.double({ min: 0, max: 1e9, noNaN: true }).map(String),
  fc.constantFrom('null', 'true', '"1"', '[]', '{}', ''),
);
const countJson = (max: number) => usual(fc.nat(max).map(String), oddNumberJson);
const timesJson = usual(
  fc.tuple(fc.nat(1e9), fc.nat(2_000_000), fc.nat(2_000_000)).map(parts => {
    let sum = 0;
    return parts.map(part => {
      sum += part;
      return String(Math.min(sum, 1e12) / 1000);
    });
  }),
  fc.tuple(oddNumberJson, oddNumberJson, oddNumberJson),
  20,
);
const oddJson = fc.oneof(fc.constantFrom('null', '1', 'true', 'false', '{}', '[1]', '[["a"]]', '"', '['), stringJson);
const cartJson = fc.array(stringJson, { maxLength: 5 }).map(items => `[${items.join(',')}]`);
const identityJson = usual(fc.constantFrom('"ann"', '"bob"', 'null'), fc.oneof(stringJson, oddJson));
const trueJson = usual(fc.constant('true'), oddJson);

const kindJson = usual(
  fc.constantFrom('"login"', '"add"', '"remove"', '"read"', '"whoami"', '"logout"', '"replay"'),
  oddJson,
  40,
);
const outcomeJson = usual(fc.constantFrom('"ok"', '"fail"', '"unknown"'), oddJson, 80);

function maybe(name: string, json: fc.Arbitrary<string>, weight = 1): fc.Arbitrary<Field[]> {
  return fc.oneof(
    { weight, arbitrary: json.map((value): Field[] => [[name, value]]) },
    { weight: 1, arbitrary: fc.constant<Field[]>([]) },
  );
}

const optionalFields = fc
  .tuple(
    maybe('token', usual(stringJson, oddJson), 8),
    maybe('items', usual(cartJson, oddJson), 8),
    maybe('status', countJson(600)),
    maybe('error', usual(stringJson, oddJson)),
    maybe('identity', identityJson, 3),
    maybe('backend', usual(stringJson, oddJson), 3),
    maybe('incarnation', usual(stringJson, oddJson)),
    maybe('version', usual(stringJson, oddJson)),
    maybe('proxy', usual(stringJson, oddJson)),
    maybe('key', usual(stringJson, oddJson)),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<Field[]>([]) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(
            maybe('final', trueJson),
            maybe('extra', trueJson),
            maybe('keptId', trueJson),
            maybe('renewed', trueJson),
          )
          .map(all => all.flat()),
      },
    ),
    fc.oneof(
      { weight: 20, arbitrary: fc.constant<Field[]>([]) },
      { weight: 1, arbitrary: fc.tuple(stringJson, oddJson).map((field): Field[] => [field]) },
    ),
  )
  .map(all => all.flat());

/** Fields of an operation. `id` is given, so that most ids differ. */
function fieldsWith(id: number): fc.Arbitrary<Field[]> {
  return fc
    .record({
      type: usual(fc.constant('"operation"'), oddJson, 60),
      id: usual(fc.constant(String(id)), oddNumberJson, 30),
      user: usual(
        fc.constantFrom('"ann"', '"bob"', '"cleo"', '"ann-1"', '"\\u0061nn"'),
        usual(stringJson, oddJson),
        20,
      ),
      kind: kindJson,
      session: countJson(5),
      times: timesJson,
      outcome: outcomeJson,
      optional: optionalFields,
    })
    .map(({ type, id, user, kind, session, times: [planned = '', sent = '', done = ''], outcome, optional }) => [
      ['"type"', type],
      ['"id"', id],
      ['"user"', user],
      ['"kind"', kind],
      ['"session"', session],
      ['"plannedMs"', planned],
      ['"sentMs"', sent],
      ['"doneMs"', done],
      ['"outcome"', outcome],
      ...optional.map(([name, json]): Field => [name.startsWith('"') ? name : `"${name}"`, json]),
    ]);
}

/** Writes the fields in another order, with one field missing or repeated, with white space, or truncated. */
function writtenOtherwise(fields: Field[]): fc.Arbitrary<string> {
  const line = (all: readonly Field[]) => `{${all.map(([name, json]) => `${name}:${json}`).join(',')}}`;
  const usually = line(fields);
  return fc.oneof(
    { weight: 40, arbitrary: fc.constant(usually) },
    { weight: 3, arbitrary: fc.shuffledSubarray(fields, { minLength: fields.length }).map(line) },
    { weight: 1, arbitrary: fc.nat(fields.length - 1).map(gone => line(fields.filter((_, i) => i !== gone))) },
    { weight: 1, arbitrary: fc.constantFrom(...fields).map(again => line([...fields, again])) },
    { weight: 1, arbitrary: fc.constantFrom(' ', '\t', '\r').map(space => usually.replaceAll(',', `,${space}`)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(`${usually} `, `${usually}\r`, `${usually}}`, ` ${usually}`, '', '{}', 'x'),
    },
    { weight: 1, arbitrary: fc.nat(usually.length).map(length => usually.slice(0, length)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat(usually.length - 1), fc.constantFrom('"', '\\', ',', ':', '0', '.', '}', ' ', 'ü'))
        .map(([at, char]) => usually.slice(0, at) + char + usually.slice(at + 1)),
    },
  );
}

/** Up to twelve lines, most of them correct. */
export const operationLines: fc.Arbitrary<string[]> = fc
  .nat(12)
  .chain(count => fc.tuple(...Array.from({ length: count }, (_, id) => fieldsWith(id).chain(writtenOtherwise))));

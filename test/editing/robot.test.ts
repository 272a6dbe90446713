import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RobotChange, type TokenEntry, changeRobot } from '../../src/editing/accounts.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { sized } from '../support/size.ts';

const hashes = ['a', 'b', 'c', '1'].map((digit) => digit.repeat(64));
const [a = '', b = '', c = '', digits = ''] = hashes;
const token: TokenEntry = { id: 'new12345', sha256: a };
const entry = `{ id: new12345, sha256: '${a}' }`;
const old = `{ id: old1, sha256: ${b} }`;
const older = `{ id: old2, sha256: ${c} }`;

function changed(text: string, change: RobotChange): string {
  const edit = changeRobot(text, change);
  if (!edit.ok) throw new Error(`${edit.problem}:\n${text}`);
  return edit.text;
}

const add = (name = 'builder', groups: readonly string[] = []): RobotChange => ({
  kind: 'add-token',
  name,
  groups,
  token,
});
const remove = (id: string, name = 'builder'): RobotChange => ({ kind: 'remove-token', name, id });

test('a secret is written on one line, with every value that a reader could take for something else in quotes', () => {
  const full: TokenEntry = {
    id: 'new12345',
    sha256: digits,
    expires: '2027-01-01',
    repositories: ['integration/**', 'people/${account}/x'],
    actions: ['pull', 'push'],
  };
  const text = changed('', { kind: 'add-token', name: 'builder', groups: ['g'], token: full });
  expect(text).toBe(
    [
      'robots:',
      '  builder:',
      '    groups: [g]',
      '    tokens:',
      `      - { id: new12345, sha256: '${digits}', expires: '2027-01-01', repositories: ['integration/**', 'people/\${account}/x'], actions: [pull, push] }`,
      '',
    ].join('\n'),
  );
  const reading = parsePolicy([{ file: 'p.yaml', text: `${text}groups: { g: {} }\n` }]);
  expect(reading).toMatchObject({ ok: true });
});

describe('a new secret', () => {
  const cases: readonly (readonly [what: string, before: string, after: string])[] = [
    [
      'goes behind the others and the comments after them',
      `robots:\n  builder:\n    tokens:\n      - ${old} # CI\n      # - gone\n    groups: [g]\n`,
      `robots:\n  builder:\n    tokens:\n      - ${old} # CI\n      # - gone\n      - ${entry}\n    groups: [g]\n`,
    ],
    [
      'goes behind one written over several lines, at the depth of its dash',
      `robots:\n  builder:\n    tokens:\n    - id: old1\n      # of the CI\n      sha256: ${b}\n\nrules: []\n`,
      `robots:\n  builder:\n    tokens:\n    - id: old1\n      # of the CI\n      sha256: ${b}\n    - ${entry}\n\nrules: []\n`,
    ],
    [
      'begins the list of a robot without one, as its last setting',
      'robots:\n   builder: # CI\n      # why\n      groups: [g] # all\n   other: {}\n',
      `robots:\n   builder: # CI\n      # why\n      groups: [g] # all\n      tokens:\n         - ${entry}\n   other: {}\n`,
    ],
    [
      'goes into an empty list',
      'robots: { builder: { tokens: [] } }\n',
      `robots: { builder: { tokens: [${entry}] } }\n`,
    ],
    [
      'goes into an empty list of a block',
      'robots:\n  builder:\n    tokens: [ ] # none\n',
      `robots:\n  builder:\n    tokens: [${entry} ] # none\n`,
    ],
    [
      'goes behind the last one in brackets, before a comment',
      `robots:\n  builder: { tokens: [${old}, ] } # CI\n`,
      `robots:\n  builder: { tokens: [${old}, ${entry}, ] } # CI\n`,
    ],
    [
      'gets a line of its own where the others have one',
      `robots:\n  builder: {\n    tokens: [\n      ${old},\n      ${older}\n    ]\n  }\n`,
      `robots:\n  builder: {\n    tokens: [\n      ${old},\n      ${older},\n      ${entry}\n    ]\n  }\n`,
    ],
    [
      'takes no comment away from the one before',
      `robots:\n  builder: {\n    tokens: [\n      ${old}, # CI, and more\n    ]\n  }\n`,
      `robots:\n  builder: {\n    tokens: [\n      ${old}, ${entry}, # CI, and more\n    ]\n  }\n`,
    ],
    [
      'is the last setting of a robot in braces',
      'robots: { builder: { groups: [g] } }\n',
      `robots: { builder: { groups: [g], tokens: [${entry}] } }\n`,
    ],
    ['fills a robot of nothing', 'robots:\n  builder: {} # CI\n', `robots:\n  builder: { tokens: [${entry}] } # CI\n`],
    [
      'is added to a file whose last line has no end',
      `robots:\r\n  builder:\r\n    tokens:\r\n      - ${old}`,
      `robots:\r\n  builder:\r\n    tokens:\r\n      - ${old}\r\n      - ${entry}`,
    ],
    [
      'declares a robot behind the others',
      'robots:\n  "other": {} # CI\nrules: []\n',
      `robots:\n  "other": {} # CI\n  builder:\n    tokens:\n      - ${entry}\nrules: []\n`,
    ],
    ['declares a robot in braces', '{"robots": {}}\n', `{"robots": { builder: { tokens: [${entry}] } }}\n`],
    [
      'begins the robots of a file',
      '# CI\ngroups: {}\n',
      `# CI\ngroups: {}\n\nrobots:\n  builder:\n    tokens:\n      - ${entry}\n`,
    ],
  ];
  test.each(cases)('%s', (_what, before, after) => {
    expect(changed(before, add())).toBe(after);
  });

  test('names the groups of a robot it declares, in quotes where a name needs them', () => {
    expect(changed('robots: {}\n', add('007', ['g', 'yes']))).toBe(
      `robots: { '007': { groups: [g, 'yes'], tokens: [${entry}] } }\n`,
    );
  });

  const refused: readonly (readonly [what: string, text: string, problem: RegExp])[] = [
    ['robots that are a list', 'robots: []\n', /not a mapping/],
    ['a robot that is text', 'robots: { builder: x }\n', /"builder" is not a mapping/],
    ['tokens that are a mapping', 'robots: { builder: { tokens: {} } }\n', /not a list/],
    ['a file that is not YAML', 'robots: [\n', /not valid YAML/],
    ['a bracket that a comment follows at once', 'robots: { builder: { tokens: [#\n] } }\n', /not valid|by hand/],
  ];
  test.each(refused)('is refused for %s', (_what, text, problem) => {
    const edit = changeRobot(text, add());
    expect(edit.ok ? edit.text : edit.problem).toMatch(problem);
  });
});

describe('a removed secret', () => {
  const cases: readonly (readonly [what: string, before: string, after: string])[] = [
    [
      'takes its line and the comment on it away, and leaves other comments',
      `robots:\n  builder:\n    tokens: # secrets\n      # of the CI\n      - ${old} # leaked\n      - ${older} # good\n`,
      `robots:\n  builder:\n    tokens: # secrets\n      # of the CI\n      - ${older} # good\n`,
    ],
    [
      'takes all of its lines away',
      `robots:\n  builder:\n    tokens:\n      - ${older}\n      - id: old1\n        sha256: ${b}\n        actions:\n          - pull\n\n  other: {}\n`,
      `robots:\n  builder:\n    tokens:\n      - ${older}\n\n  other: {}\n`,
    ],
    [
      'takes the list away when it was the last and the robot has other settings',
      `robots:\n  builder:\n    tokens:\n      - ${old}\n    groups: [g]\n`,
      `robots:\n  builder:\n    groups: [g]\n`,
    ],
    [
      'leaves an empty list where the robot would otherwise be empty',
      `robots:\n  builder:\n    tokens:\n      - ${old}\n`,
      `robots:\n  builder:\n    tokens: []\n`,
    ],
    [
      'leaves an empty list where a comment stands in it',
      `robots:\n  builder:\n    groups: [g]\n    tokens: # secrets\n      # of the CI\n      - ${old}\n`,
      `robots:\n  builder:\n    groups: [g]\n    tokens: [] # secrets\n      # of the CI\n`,
    ],
    [
      'is the last line without an end',
      `robots:\n  builder:\n    tokens:\n      - ${older}\n      - ${old}`,
      `robots:\n  builder:\n    tokens:\n      - ${older}`,
    ],
    [
      'was alone in brackets',
      `robots: { builder: { tokens: [ ${old}, ] } }\n`,
      'robots: { builder: { tokens: [ ] } }\n',
    ],
    [
      'was the first in brackets',
      `robots: { builder: { tokens: [ ${old}, ${older} ] } }\n`,
      `robots: { builder: { tokens: [ ${older} ] } }\n`,
    ],
    [
      'was the last in brackets',
      `robots: { builder: { tokens: [${older}, ${old}] } }\n`,
      `robots: { builder: { tokens: [${older}] } }\n`,
    ],
    [
      'stood among comments with commas and brackets',
      `robots: { builder: { tokens: [\n  ${old}, # a, ] b\n  # c\n  ${older} # d\n ] } }\n`,
      `robots: { builder: { tokens: [\n   # a, ] b\n  # c\n  ${older} # d\n ] } }\n`,
    ],
  ];
  test.each(cases)('%s', (_what, before, after) => {
    expect(changed(before, remove('old1'))).toBe(after);
  });

  test('is refused when the robot has no such secret', () => {
    for (const text of [`robots: { builder: { tokens: [${older}] } }\n`, 'robots: { builder: {} }\n', 'users: {}\n']) {
      expect(changeRobot(text, remove('old1'))).toEqual({
        ok: false,
        problem: 'the file does not give robot "builder" a token with the id "old1"',
      });
    }
  });
});

// --- any file -------------------------------------------------------------------------------------------------------

const comment = fc.stringMatching(/^[ -~]{0,12}$/).map((text) => `# ${text}`);
const robot = fc.record({
  name: fc.oneof(
    fc.constantFrom('builder', 'yes', '1e3', 'tokens'),
    fc.stringMatching(/^[a-z][a-z0-9.+-]{0,6}[a-z0-9]$/),
  ),
  style: fc.constantFrom('block', 'block-lines', 'brackets', 'flow', 'flow-lines'),
  tokens: fc.integer({ min: -1, max: 3 }),
  tokensFirst: fc.boolean(),
  groups: fc.boolean(),
  trailingComma: fc.boolean(),
  zeroIndent: fc.boolean(),
  comments: fc.array(fc.option(comment, { nil: '' }), { minLength: 6, maxLength: 6 }),
});
const file = fc.record({
  robots: fc.uniqueArray(robot, { minLength: 1, maxLength: 4, selector: ({ name }) => name }),
  outer: fc.integer({ min: 1, max: 4 }),
  inner: fc.integer({ min: 1, max: 4 }),
  eol: fc.constantFrom('\n', '\r\n'),
  before: fc.array(fc.oneof(comment, fc.constant('')), { maxLength: 3 }),
  after: fc.array(fc.oneof(comment, fc.constant('')), { maxLength: 3 }),
  rulesLast: fc.boolean(),
  endsOpen: fc.boolean(),
});
type FileShape = typeof file extends fc.Arbitrary<infer T> ? T : never;
type RobotShape = FileShape['robots'][number];

/** A valid policy file of that shape, with a comment wherever one can stand. */
function write(shape: FileShape): string {
  const groups = 'groups: { g: null } # groups';
  const robots = ['robots: # machines', ...shape.robots.flatMap((one, index) => writeRobot(one, index, shape))];
  const parts = shape.rulesLast ? [...robots, ...shape.after, groups] : [groups, ...robots, ...shape.after];
  return [...shape.before, ...parts].join(shape.eol) + (shape.endsOpen ? '' : shape.eol);
}

function writeRobot(one: RobotShape, robotIndex: number, shape: FileShape): string[] {
  const { name, style, tokens, tokensFirst, groups, trailingComma, zeroIndent, comments } = one;
  const outer = ' '.repeat(shape.outer);
  const inner = ' '.repeat(shape.outer + shape.inner);
  const item = zeroIndent ? inner : `${inner}  `;
  const [c0 = '', c1 = '', c2 = '', c3 = '', c4 = '', c5 = ''] = comments;
  const tail = (text: string): string => (text === '' ? '' : ` ${text}`);
  const key = `${outer}${/^(?:yes|1e3)$/.test(name) ? `"${name}"` : name}:`;
  const above = c0 === '' ? [] : [outer + c0];
  const ids = Array.from({ length: Math.max(tokens, 0) }, (_, index) => `id${robotIndex}${index}x`);
  const flowItems = ids.map((id) => `{id: ${id}, "sha256": '${c}', actions: [ pull ]}`);
  const ordered = <T>(list: readonly T[], group: readonly T[]): readonly T[] =>
    tokensFirst ? [...list, ...group] : [...group, ...list];

  if (style.startsWith('block') && tokens > 0) {
    const items = ids.flatMap((id, index) => [
      ...(index === 1 && c3 !== '' ? [`${item}${c3}`] : []),
      ...(style === 'block'
        ? [`${item}- {id: ${id}, sha256: ${b}}${tail(c4)}`]
        : [`${item}- id: ${id}${tail(c4)}`, `${item}  sha256: >-`, `${item}    ${b}`, `${item}  # inside`]),
    ]);
    const list = [`${inner}tokens:${tail(c1)}`, ...items];
    return [...above, `${key}${tail(c2)}`, ...ordered(list, groups ? [`${inner}groups: [g]${tail(c5)}`] : [])];
  }
  const separator = style === 'flow-lines' ? `${tail(c3)}${shape.eol}${inner}` : ' ';
  const body = flowItems.map((text, index) => text + (index < flowItems.length - 1 || trailingComma ? ',' : ''));
  const inBrackets = body.length === 0 ? (trailingComma ? ' ' : '') : body.join(separator);
  const list = tokens < 0 ? [] : [`tokens: [${inBrackets}${style === 'flow-lines' ? separator : ''}]`];
  const settings = ordered(list, groups ? ['groups: [ g ]'] : []);
  if ((style === 'brackets' || style === 'block') && settings.length > 0) {
    return [...above, `${key}${tail(c1)}`, ...settings.map((setting) => `${inner}${setting}${tail(c2)}`)];
  }
  if (style === 'flow-lines' && settings.length > 0) {
    return [
      ...above,
      `${key} {${tail(c1)}`,
      ...settings.map((setting, index) => `${inner}${setting}${index < settings.length - 1 ? ',' : ''}${tail(c2)}`),
      `${inner}}${tail(c5)}`,
    ];
  }
  return [...above, `${key} { ${settings.join(', ')} }${tail(c1)}`];
}

function secretsIn(text: string): Readonly<Record<string, readonly string[]>> {
  const reading = parsePolicy([{ file: 'f.yaml', text }]);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems) + text);
  return Object.fromEntries(
    [...reading.policy.robots.values()].map(({ name, groups, tokens }) => [
      name,
      [...groups, ...tokens.map(({ id, sha256, rights }) => `${id} ${sha256} ${rights ?? ''}`)],
    ]),
  );
}

function commentsIn(text: string): readonly string[] {
  return text.match(/#.*/g) ?? [];
}

describe('whatever the file looks like', () => {
  test('what is added can be taken back, and the file is what it was to the byte', () => {
    let exact = 0;
    let remaining = 0;
    fc.assert(
      fc.property(file, fc.nat(), (shape, index) => {
        const target = shape.robots[index % shape.robots.length];
        if (target === undefined) return;
        const before = write(shape);
        const created = changed(before, add(target.name));
        const wanted = secretsIn(before);
        expect(secretsIn(created)).toEqual({
          ...wanted,
          [target.name]: [...(wanted[target.name] ?? []), `new12345 ${a} `],
        });
        expect(commentsIn(created.replace(entry, ''))).toEqual(commentsIn(before));
        const revoked = changed(created, remove('new12345', target.name));
        if (revoked !== before) {
          // The one remainder: braces cannot show that the list was not there before.
          expect(target.tokens).toBe(-1);
          expect(revoked).toBe(created.replace(entry, ''));
          remaining += 1;
        } else exact += 1;
      }),
      { numRuns: sized(600) },
    );
    expect(exact).toBeGreaterThan(remaining);
  });

  test('a robot that was declared for its secret stays, and nothing else does', () => {
    fc.assert(
      fc.property(file, fc.boolean(), (shape, inGroup) => {
        fc.pre(shape.robots.every(({ name }) => name !== 'brandnew'));
        const before = write(shape);
        const created = changed(before, add('brandnew', inGroup ? ['g'] : []));
        const revoked = changed(created, remove('new12345', 'brandnew'));
        const lines = revoked.split(shape.eol);
        const at = lines.findIndex((line) => line.trim() === 'brandnew:');
        expect(lines.splice(at, 2).map((line) => line.trim())).toEqual([
          'brandnew:',
          inGroup ? 'groups: [g]' : 'tokens: []',
        ]);
        expect(lines.join(shape.eol)).toBe(before);
      }),
      { numRuns: sized(300) },
    );
  });

  test('taking any secret away leaves every other one, and every comment on a line of its own', () => {
    fc.assert(
      fc.property(file, fc.nat(), fc.nat(), (shape, robotIndex, tokenIndex) => {
        const at = robotIndex % shape.robots.length;
        const target = shape.robots[at];
        if (target === undefined || target.tokens < 1) return;
        const id = `id${at}${tokenIndex % target.tokens}x`;
        const before = write(shape);
        const after = changed(before, remove(id, target.name));
        const wanted = secretsIn(before);
        const left = (wanted[target.name] ?? []).filter((text) => !text.startsWith(`${id} `));
        expect(secretsIn(after)).toEqual({ ...wanted, [target.name]: left });
        const own = (text: string): readonly string[] =>
          text.split(shape.eol).filter((line) => /^ *#/.test(line) && !line.includes('# inside'));
        expect(own(after)).toEqual(expect.arrayContaining([...own(before)]));
      }),
      { numRuns: sized(400) },
    );
  });
});

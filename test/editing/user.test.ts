import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type UserChange, changeUser } from '../../src/editing/accounts.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { sized } from '../support/size.ts';

const hash = '$2y$05$abcdefghijklmnopqrstuuJ6qZ0yYpD1w8m5F1b2c3d4e5f6g7h8i';
const other = '$2b$10$ABCDEFGHIJKLMNOPQRSTUuJ6qZ0yYpD1w8m5F1b2c3d4e5f6g7h8i';

function changed(text: string, change: UserChange): string {
  const edit = changeUser(text, change);
  if (!edit.ok) throw new Error(edit.problem);
  return edit.text;
}

describe('a new user', () => {
  const add: UserChange = { kind: 'add', name: 'zoe', password: hash, groups: ['devs', 'qa'] };
  const cases: readonly (readonly [what: string, before: string, after: string])[] = [
    [
      'comes after the last one, indented as the others',
      'users:\n    dana:\n          groups: [devs] # lead\n\nrules: []\n',
      `users:\n    dana:\n          groups: [devs] # lead\n    zoe:\n          password: '${hash}'\n          groups: [devs, qa]\n\nrules: []\n`,
    ],
    [
      'comes after users written on one line each',
      'users:\n  dana: { groups: [devs] } # lead\nrules: []\n',
      `users:\n  dana: { groups: [devs] } # lead\n  zoe:\n    password: '${hash}'\n    groups: [devs, qa]\nrules: []\n`,
    ],
    [
      'stays behind the comments at the end of the users',
      'users:\n  dana: {}\n  # eve: {}\n# --- rules ---\nrules: []\n',
      `users:\n  dana: {}\n  # eve: {}\n  zoe:\n    password: '${hash}'\n    groups: [devs, qa]\n# --- rules ---\nrules: []\n`,
    ],
    [
      'is added to a file whose last line has no end',
      'users:\n  dana: {}',
      `users:\n  dana: {}\n  zoe:\n    password: '${hash}'\n    groups: [devs, qa]`,
    ],
    [
      'keeps the line ends of Windows',
      'users:\r\n  dana: {}\r\n',
      `users:\r\n  dana: {}\r\n  zoe:\r\n    password: '${hash}'\r\n    groups: [devs, qa]\r\n`,
    ],
    [
      'goes into an empty mapping',
      'users: {} # nobody yet\n',
      `users: { zoe: { password: '${hash}', groups: [devs, qa] } } # nobody yet\n`,
    ],
    [
      'goes into users written as one flow mapping',
      'users: {\n  dana: {}, # lead\n}\n',
      `users: { zoe: { password: '${hash}', groups: [devs, qa] },\n  dana: {}, # lead\n}\n`,
    ],
    [
      'begins the users of a file that has none',
      '# People\ngroups:\n  devs: {}\n',
      `# People\ngroups:\n  devs: {}\n\nusers:\n  zoe:\n    password: '${hash}'\n    groups: [devs, qa]\n`,
    ],
    [
      'begins a file of comments',
      '# People\n',
      `# People\n\nusers:\n  zoe:\n    password: '${hash}'\n    groups: [devs, qa]\n`,
    ],
    ['begins an empty file', '', `users:\n  zoe:\n    password: '${hash}'\n    groups: [devs, qa]\n`],
    [
      'comes before the end marker',
      '---\ngroups: {}\n...\n',
      `---\ngroups: {}\n\nusers:\n  zoe:\n    password: '${hash}'\n    groups: [devs, qa]\n...\n`,
    ],
    [
      'goes into a file that is one flow mapping',
      '{"groups": {"devs": null}}\n',
      `{users: { zoe: { password: '${hash}', groups: [devs, qa] } }, "groups": {"devs": null}}\n`,
    ],
  ];
  test.each(cases)('%s', (_what, before, after) => {
    expect(changed(before, add)).toBe(after);
  });

  test.each(['yes', 'No', 'null', '1e3', '007', 'y', 'true'])('called %s is in quotes', (name) => {
    const text = changed('users:\n  dana: {}\n', { ...add, name, groups: [] });
    expect(text).toContain(`  '${name}':\n`);
    for (const version of ['1.1', '1.2'] as const) {
      expect(Object.keys((parse(text, { version }) as { users: object }).users)).toContain(name);
    }
  });
});

const validFrom = '2026-06-01T12:00:01Z';

describe('a new password', () => {
  const passwd: UserChange = { kind: 'password', name: 'dana', password: hash, validFrom };
  const cases: readonly (readonly [what: string, before: string, after: string])[] = [
    [
      'becomes the first line of a user without one',
      'users:\n  dana: # lead\n    # reviewed\n    groups: [devs]\n',
      `users:\n  dana: # lead\n    password: '${hash}'\n    validFrom: '${validFrom}'\n    # reviewed\n    groups: [devs]\n`,
    ],
    [
      'goes behind the brace',
      'users: { dana: {groups: [a]} }\n',
      `users: { dana: {password: '${hash}', validFrom: '${validFrom}', groups: [a]} }\n`,
    ],
    [
      'fills an empty mapping',
      'users:\n  "dana": {} # new\n',
      `users:\n  "dana": { password: '${hash}', validFrom: '${validFrom}' } # new\n`,
    ],
    [
      'turns over both settings where they stand',
      `users:\n  dana:\n    validFrom: '2025-01-01' # left\n    password: ${other}\n`,
      `users:\n  dana:\n    validFrom: '${validFrom}' # left\n    password: '${hash}'\n`,
    ],
    [
      'replaces the old one and leaves its comment',
      `users:\n  dana:\n    password: ${other} # 2024\n    groups: []\n`,
      `users:\n  dana:\n    validFrom: '${validFrom}'\n    password: '${hash}' # 2024\n    groups: []\n`,
    ],
    [
      'replaces one in double quotes inside braces',
      `users:\n  dana: { groups: [], "password": "${other}", disabled: true }\n`,
      `users:\n  dana: { validFrom: '${validFrom}', groups: [], "password": '${hash}', disabled: true }\n`,
    ],
    [
      'replaces one on a line of its own',
      `users:\n  dana:\n    password: # bcrypt\n      ${other}\n    groups: []\n`,
      `users:\n  dana:\n    validFrom: '${validFrom}'\n    password: # bcrypt\n      '${hash}'\n    groups: []\n`,
    ],
    [
      'replaces a folded one with all its lines',
      `users:\n  dana:\n    password: >-  # bcrypt\n      ${other.slice(0, 30)}\n      ${other.slice(30)}\n\n    # next\n    groups: []\n`,
      `users:\n  dana:\n    validFrom: '${validFrom}'\n    password: '${hash}'  # bcrypt\n\n    # next\n    groups: []\n`,
    ],
    [
      'replaces a quoted one over two lines',
      `users:\n  dana:\n    password: "${other.slice(0, 30)}\\\n      ${other.slice(30)}" # c\n`,
      `users:\n  dana:\n    validFrom: '${validFrom}'\n    password: '${hash}' # c\n`,
    ],
    [
      'replaces a literal one at the end of the file',
      `users:\n  dana:\n    password: |-\n      ${other}`,
      `users:\n  dana:\n    validFrom: '${validFrom}'\n    password: '${hash}'\n`,
    ],
  ];
  test.each(cases)('%s', (_what, before, after) => {
    expect(changed(before, passwd)).toBe(after);
  });

  test('is refused for a user that the file does not declare', () => {
    expect(changeUser('users:\n  theo: {}\n', passwd)).toEqual({
      ok: false,
      problem: 'the file does not declare user "dana"',
    });
  });
});

describe('disabling', () => {
  const set = (disabled: boolean): UserChange => ({ kind: 'disabled', name: 'dana', disabled, validFrom });
  test('adds the line, enabling turns it over, and neither touches anything else', () => {
    const before = 'users:\n  # the lead\n  dana:\n    groups: [devs] # all of them\n';
    const disabled = `users:\n  # the lead\n  dana:\n    disabled: true\n    validFrom: '${validFrom}'\n    groups: [devs] # all of them\n`;
    expect(changed(before, set(true))).toBe(disabled);
    expect(changed(disabled, set(false))).toBe(disabled.replace('true', 'false'));
    expect(changed(disabled.replace('true', 'FALSE # was ill'), set(true))).toBe(
      disabled.replace('true', 'true # was ill'),
    );
  });
  test('what is so already changes nothing', () => {
    const text = 'users: { dana: { disabled: true } }\n';
    expect(changed(text, set(true))).toBe(text);
    expect(changed('users: { dana: {} }\n', set(false))).toBe('users: { dana: {} }\n');
  });
});

// --- any file -------------------------------------------------------------------------------------------------------

const name = fc.oneof(
  fc.constantFrom('yes', 'null', '1e3', '42', 'dana', 'b.o+b', 'users', 'password', 'a@b'),
  fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._+@-]{0,8}[A-Za-z0-9])?$/),
);
const comment = fc.stringMatching(/^[ -~]{0,12}$/).map((text) => `# ${text}`);
const setting = fc.constantFrom('password', 'groups', 'disabled');
const user = fc.record({
  name,
  settings: fc.uniqueArray(setting, { maxLength: 3 }),
  style: fc.constantFrom('block', 'flow', 'flow-lines'),
  quotes: fc.constantFrom("'", '"', ''),
  password: fc.constantFrom('plain', 'single', 'double', 'folded', 'literal', 'below'),
  disabled: fc.boolean(),
  comments: fc.array(fc.option(comment, { nil: '' }), { minLength: 6, maxLength: 6 }),
});
type UserShape = typeof user extends fc.Arbitrary<infer T> ? T : never;
const file = fc.record({
  users: fc.uniqueArray(user, { minLength: 1, maxLength: 4, selector: (one) => one.name }),
  outer: fc.integer({ min: 1, max: 5 }),
  inner: fc.integer({ min: 1, max: 4 }),
  eol: fc.constantFrom('\n', '\r\n'),
  before: fc.array(fc.oneof(comment, fc.constant('')), { maxLength: 3 }),
  between: fc.array(fc.oneof(comment, fc.constant('')), { maxLength: 3 }),
  rulesFirst: fc.boolean(),
  endsOpen: fc.boolean(),
});
type FileShape = typeof file extends fc.Arbitrary<infer T> ? T : never;

/** A valid policy file of that shape, with a comment wherever one can stand. */
function write(shape: FileShape): string {
  const rules = [
    'groups: { g: null } # groups',
    'rules: # rules',
    '  - name: r',
    '    subjects: [ everyone ]',
    "    repositories: ['x/**']",
    '    actions: [pull]',
  ];
  const users = ['users: # people', ...shape.users.flatMap((one) => writeUser(one, shape))];
  const parts = shape.rulesFirst ? [...rules, ...shape.between, ...users] : [...users, ...shape.between, ...rules];
  return [...shape.before, ...parts].join(shape.eol) + (shape.endsOpen ? '' : shape.eol);
}

function writeUser(
  { name, settings, style, quotes, password, disabled, comments }: UserShape,
  shape: FileShape,
): string[] {
  const [outer, inner] = [' '.repeat(shape.outer), ' '.repeat(shape.outer + shape.inner)];
  const isPlain = /^[A-Za-z]/.test(name) && !/^(?:yes|no|null|true|false|y|n|on|off)$/i.test(name);
  const quote = quotes === '' && !isPlain ? '"' : quotes;
  const key = `${outer}${quote}${name}${quote}:`;
  const [c0 = '', c1 = '', c2 = '', c3 = '', c4 = '', c5 = ''] = comments;
  const above = c0 === '' ? [] : [outer + c0];
  const tail = (text: string): string => (text === '' ? '' : ` ${text}`);
  const valueOf = (one: string, inFlow: boolean): readonly [string, ...string[]] => {
    if (one === 'groups') return ['[ g ]'];
    if (one === 'disabled') return [String(disabled)];
    if (inFlow) return [password === 'double' ? `"${other}"` : `'${other}'`];
    switch (password) {
      case 'single':
        return [`'${other}'`];
      case 'double':
        return [`"${other}"`];
      case 'folded':
      case 'literal':
        return [password === 'folded' ? '>-' : '|-', `${inner}   ${other}`];
      case 'below':
        return ['', `${inner}  ${other}`];
      default:
        return [other];
    }
  };
  if (style === 'block' && settings.length > 0) {
    const lines = settings.flatMap((one, index) => {
      const [first, ...rest] = valueOf(one, false);
      const note = [c1, c2, c3][index] ?? '';
      return [...(index === 1 && c4 !== '' ? [inner + c4] : []), `${inner}${one}: ${first}${tail(note)}`, ...rest];
    });
    return [...above, `${key}${tail(c5)}`, ...lines];
  }
  const entries = settings.map((one) => `${one}: ${valueOf(one, true)[0]}`);
  if (style === 'flow-lines' && entries.length > 0) {
    return [
      ...above,
      `${key} {${tail(c1)}`,
      ...entries.map((entry) => `${inner}${entry},${tail(c2)}`),
      `${inner}}${tail(c3)}`,
    ];
  }
  return [...above, `${key} { ${entries.join(', ')} }${tail(c1)}`];
}

function usersIn(text: string): unknown {
  const reading = parsePolicy([{ file: 'f.yaml', text }]);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems) + text);
  return [...reading.policy.users.values()].map(({ name, groups, disabled, password, validFrom }) => ({
    name,
    groups,
    disabled,
    password: password?.text,
    ...(validFrom === undefined ? {} : { validFrom }),
  }));
}

function commentsIn(text: string): readonly string[] {
  return text.match(/#.*/g) ?? [];
}

describe('whatever the file looks like', () => {
  test('a new user adds lines and changes none', () => {
    fc.assert(
      fc.property(file, name, (shape, newName) => {
        fc.pre(!shape.users.some((one) => one.name === newName));
        const before = write(shape);
        const after = changed(before, { kind: 'add', name: newName, password: hash, groups: ['g'] });
        const at = [...after].findIndex((character, index) => character !== before[index]);
        const added = after.length - before.length;
        // What was there is still there, in one piece on either side of what was added.
        expect(removing(after, before, at === -1 ? before.length : at, added)).toBe(true);
        expect(after.split(shape.eol).length).toBe(before.split(shape.eol).length + 3);
        expect(usersIn(after)).toEqual(
          expect.arrayContaining([{ name: newName, groups: ['g'], disabled: false, password: `$2b$${hash.slice(4)}` }]),
        );
        expect((usersIn(after) as unknown[]).filter((one) => (one as { name: string }).name !== newName)).toEqual(
          usersIn(before),
        );
      }),
      { numRuns: sized(300) },
    );
  });

  test('a password or a disabling changes that user only, keeps every comment and every other line', () => {
    fc.assert(
      fc.property(file, fc.nat(), fc.constantFrom('password', 'disable', 'enable'), (shape, index, kind) => {
        const before = write(shape);
        const target = shape.users[index % shape.users.length];
        if (target === undefined) return;
        const change: UserChange =
          kind === 'password'
            ? { kind, name: target.name, password: hash, validFrom }
            : { kind: 'disabled', name: target.name, disabled: kind === 'disable', validFrom };
        const after = changed(before, change);
        expect(commentsIn(after)).toEqual(commentsIn(before));
        const wanted = (usersIn(before) as { name: string; disabled: boolean }[]).map((one) => {
          if (one.name !== target.name) return one;
          const since = { validFrom: Date.parse(validFrom) };
          if (kind === 'password') return { ...one, ...since, password: `$2b$${hash.slice(4)}` };
          const isNews = one.disabled !== (kind === 'disable');
          return { ...one, ...(isNews ? since : {}), disabled: kind === 'disable' };
        });
        expect(usersIn(after)).toEqual(wanted);
        const lines = new Set(after.split(shape.eol));
        const lost = before.split(shape.eol).filter((line) => !lines.has(line));
        // At most the line that held the old value, the line of the brace, and the body of a block scalar.
        expect(lost.length).toBeLessThanOrEqual(kind === 'password' ? 3 : 2);
        for (const line of lost) expect(line).toMatch(/password|disabled|\$2b\$|\{/);
      }),
      { numRuns: sized(500) },
    );
  });
});

/** Whether `before` is `after` without one run of `length` characters at or just before `at`. */
function removing(after: string, before: string, at: number, length: number): boolean {
  for (let start = at; start >= 0 && at - start <= length; start--) {
    if (after.slice(0, start) + after.slice(start + length) === before) return true;
  }
  return false;
}

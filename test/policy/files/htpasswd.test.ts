/** Which lines of a htpasswd file count, and how each other one is named. */
import { expect, test } from 'vitest';
import { readHtpasswd } from '../../../src/policy/files/htpasswd.ts';

const hash = `$2y$10$${'a'.repeat(53)}`;
const stored = `$2b$10$${'a'.repeat(53)}`;

test('bcrypt lines count, whatever stands around them', () => {
  const text = `\ufeffdana:${hash}\r\n\n# zoe:${hash}\nrita:${hash}:remark\n`;
  const { people, problems } = readHtpasswd('h', text);
  expect([...people.users]).toMatchObject([
    ['dana', { password: { text: stored }, line: 1 }],
    ['rita', { password: { text: stored }, line: 4 }],
  ]);
  expect(problems).toEqual([]);
});

test.each([
  ['u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'foreign-hash', 'a SHA-1 hash'],
  ['u:$apr1$x$y', 'foreign-hash', 'an MD5 hash'],
  ['u:rqXexS6ZhobKA', 'foreign-hash', 'a crypt() hash'],
  ['u:$6$salt$hash', 'foreign-hash', 'a SHA-512 crypt hash'],
  ['u:secret word', 'foreign-hash', ''],
  ['u:', 'foreign-hash', 'an empty password'],
  [`u:$2y$31$${'a'.repeat(53)}`, 'invalid-hash', 'bcrypt cost 31'],
  [`u:$2y$10$${'a'.repeat(20)}`, 'invalid-hash', ''],
  ['just words', 'not-an-entry', 'NAME:HASH'],
  [`-u:${hash}`, 'invalid-name', ''],
  [`${'u'.repeat(300)}:${hash}`, 'invalid-name', ''],
  [`${hash}:dana`, 'invalid-name', 'before the colon'],
  [`dana:${hash}`, 'duplicate-name', 'line 1 counts'],
])('%s is named by its line and not by what stands there, and stops nobody else', (line, code, words) => {
  const { people, problems } = readHtpasswd('h', `dana:${hash}\n${line}\nzoe:${hash}\n`);
  expect([...people.users.keys()]).toEqual(['dana', 'zoe']);
  expect(problems).toMatchObject([{ file: 'h', line: 2, code, message: expect.stringContaining(words) }]);
  const secret = line.slice(line.indexOf(':') + 1);
  expect(problems[0]?.message).not.toContain('$2y$');
  if (secret.length > 4 && code !== 'not-an-entry') expect(problems[0]?.message).not.toContain(secret);
});

test('the first line of a name counts, also where it cannot be used', () => {
  const { people, problems } = readHtpasswd('h', `dana:{SHA}x\ndana:${hash}\n`);
  expect([...people.users.keys()]).toEqual([]);
  expect(problems.map(({ line, code }) => `${line} ${code}`)).toEqual(['1 foreign-hash', '2 duplicate-name']);
});

/** The commands of the pages, one after the other, as a newcomer types them; Docker where a page uses it. */
import { expect, test } from 'vitest';
import { commandsOf, pages, testCommands } from './support/pages.ts';

const withCommands = pages.filter((page) => commandsOf(page).length > 0);

test('the pages for newcomers and admins have commands', () => {
  expect(withCommands).toEqual(expect.arrayContaining(['README.md', 'policies/README.md']));
});

for (const page of withCommands) testCommands(page);

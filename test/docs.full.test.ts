/** The commands of the pages that use Docker; those of the others are in docs.test.ts. */
import { expect, test } from 'vitest';
import { needsDocker, pages, testCommands } from './support/pages.ts';

const withDocker = pages.filter(needsDocker);

test('some page shows Docker', () => expect(withDocker).toContain('README.md'));

for (const page of withDocker) testCommands(page);

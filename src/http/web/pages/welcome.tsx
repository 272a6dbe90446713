/** The first page, until there is more to see. */
import { whoAmI } from '../../../operations/who-am-i.ts';
import type { Page } from '../page.ts';
import { Layout } from './layout.tsx';
import { Command } from './parts.tsx';

export const welcomePage: Page<unknown, typeof whoAmI.input, typeof whoAmI.answer> = {
  path: '/ui/',
  operation: whoAmI,
  input: () => ({}),
  view: ({ name }, frame) => (
    <Layout title="Repositories" at="/ui/" frame={frame}>
      <h1>{frame.host}</h1>
      <p>{name === undefined ? 'You are not logged in.' : `You are logged in as ${name}.`}</p>
      <Command label="docker" text={`docker login ${frame.host}`} />
    </Layout>
  ),
};

/** A page with nothing in it but who looks. */
import { whoAmI } from '../../../src/operations/who-am-i.ts';
import type { Page } from '../../../src/http/web/page.ts';
import { Layout } from '../../../src/http/web/pages/layout.tsx';
import { Command } from '../../../src/http/web/pages/parts.tsx';

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

/** `npm run shots`: photographs of the pages, beside those that somebody has looked at. `SHOTS=keep` keeps the new ones. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/web/shots.ts'],
    globalSetup: 'test/built.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { isFull } from './support/size.ts';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/built.ts',
    // More than half of the time is waiting, for servers and for clocks of theirs; browsers and daemons of the full run work.
    maxWorkers: isFull ? Math.max(2, availableParallelism() - 1) : Math.max(3, availableParallelism()),
    testTimeout: isFull ? 60_000 : 20_000,
    hookTimeout: 60_000,
  },
});

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LoginQueue } from '../../src/identity/login-queue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Tasks that end when they are told to, and what became of each. */
function tasks(queue: LoginQueue): {
  readonly start: (name: string) => void;
  readonly end: (name: string) => void;
  readonly fail: (name: string) => void;
  readonly log: string[];
} {
  const log: string[] = [];
  const endings = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  return {
    log,
    start(name) {
      const task = (): Promise<void> => {
        log.push(`${name} runs`);
        return new Promise((resolve, reject) => endings.set(name, { resolve, reject }));
      };
      queue.run(task).then(
        (outcome) => log.push(`${name} ${outcome === 'busy' ? 'refused' : 'done'}`),
        () => log.push(`${name} failed`),
      );
    },
    end: (name) => endings.get(name)?.resolve(),
    fail: (name) => endings.get(name)?.reject(new Error('broken')),
  };
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe('the hash queue', () => {
  test('runs as many at once as it has slots, and the others in the order they came', async () => {
    const { start, end, log } = tasks(new LoginQueue(2, 5000));
    for (const name of ['a', 'b', 'c', 'd']) start(name);
    await settle();
    expect(log).toEqual(['a runs', 'b runs']);
    end('b');
    await settle();
    expect(log.slice(2)).toEqual(expect.arrayContaining(['b done', 'c runs']));
    end('a');
    await settle();
    expect(log).toContain('d runs');
    expect(log.filter((line) => line.endsWith('runs'))).toEqual(['a runs', 'b runs', 'c runs', 'd runs']);
  });

  test('refuses what has waited too long, and never runs it afterwards', async () => {
    const { start, end, log } = tasks(new LoginQueue(1, 5000));
    start('a');
    start('b');
    await vi.advanceTimersByTimeAsync(4999);
    expect(log).toEqual(['a runs']);
    await vi.advanceTimersByTimeAsync(1);
    expect(log).toEqual(['a runs', 'b refused']);
    end('a');
    await settle();
    expect(log).toEqual(['a runs', 'b refused', 'a done']);
    start('c');
    await settle();
    expect(log).toContain('c runs');
  });

  test('lets the next in line begin when the one before it gave up', async () => {
    const { start, end, log } = tasks(new LoginQueue(1, 5000));
    start('a');
    start('b');
    await vi.advanceTimersByTimeAsync(3000);
    start('c');
    await vi.advanceTimersByTimeAsync(2000);
    expect(log).toEqual(['a runs', 'b refused']);
    end('a');
    await settle();
    expect(log.slice(2).toSorted()).toEqual(['a done', 'c runs']);
  });

  test('never refuses what has begun, however long it takes', async () => {
    const { start, end, log } = tasks(new LoginQueue(1, 5000));
    start('a');
    start('b');
    await settle();
    end('a');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log.slice(1).toSorted()).toEqual(['a done', 'b runs']);
    end('b');
    await settle();
    expect(log.at(-1)).toBe('b done');
  });

  test('gives a slot back when its task fails', async () => {
    const { start, fail, log } = tasks(new LoginQueue(1, 5000));
    start('a');
    start('b');
    await settle();
    fail('a');
    await settle();
    expect(log.slice(1).toSorted()).toEqual(['a failed', 'b runs']);
  });

  test('lets nobody slip in between one task and the next in line', async () => {
    const { start, end, log } = tasks(new LoginQueue(1, 5000));
    start('a');
    start('b');
    await settle();
    end('a');
    // Comes in the very turn in which the slot changes hands.
    start('late');
    await settle();
    start('later');
    await settle();
    expect(log.filter((line) => line.endsWith('runs'))).toEqual(['a runs', 'b runs']);
  });

  test('keeps no timer for what has begun', async () => {
    const { start, end } = tasks(new LoginQueue(1, 5000));
    start('a');
    start('b');
    await settle();
    end('a');
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('a flood is refused at once when the line is full, and who stands in it is still served', async () => {
  const queue = new LoginQueue(1, 60_000, 2);
  let finish: () => void = () => {};
  const first = queue.run(() => new Promise<string>((resolve) => (finish = () => resolve('first'))));
  const second = queue.run(() => Promise.resolve('second'));
  const third = queue.run(() => Promise.resolve('third'));
  expect(await queue.run(() => Promise.resolve('fourth'))).toBe('busy');
  finish();
  expect(await Promise.all([first, second, third])).toEqual(['first', 'second', 'third']);
});

test('a crowd is refused a few at a time, so that others are served in between', async () => {
  const queue = new LoginQueue(1, 60_000, 0);
  let refused = 0;
  void queue.run(() => new Promise(() => {}));
  for (let n = 0; n < 50; n++) void queue.run(() => Promise.resolve()).then(() => refused++);
  for (let n = 0; n < 20; n++) await Promise.resolve();
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(10);
  await vi.advanceTimersByTimeAsync(100);
  expect(refused).toBe(50);
});

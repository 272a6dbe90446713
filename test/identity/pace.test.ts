import { expect, test } from 'vitest';
import { createPace } from '../../src/identity/pace.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('a crowd goes on a few at a time, in order, and a turn of the event loop lies between', async () => {
  const pace = createPace(3);
  const gone: number[] = [];
  for (let n = 0; n < 8; n++) void pace().then(() => gone.push(n));
  await Promise.resolve();
  expect(gone).toEqual([0, 1, 2]);
  await turn();
  expect(gone).toEqual([0, 1, 2, 3, 4, 5]);
  await turn();
  expect(gone).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('who comes later stands behind those who wait', async () => {
  const pace = createPace(1);
  const gone: string[] = [];
  for (const name of ['a', 'b', 'c']) void pace().then(() => gone.push(name));
  await turn();
  void pace().then(() => gone.push('late'));
  for (let n = 0; n < 4; n++) await turn();
  expect(gone).toEqual(['a', 'b', 'c', 'late']);
});

test('who comes alone does not wait, now or after a crowd', async () => {
  const pace = createPace(2);
  for (let n = 0; n < 5; n++) void pace();
  for (let n = 0; n < 5; n++) await turn();
  let gone = false;
  void pace().then(() => (gone = true));
  await Promise.resolve();
  expect(gone).toBe(true);
});

import { expect, test } from 'vitest';
import { turnsEnd } from '../../src/http/front/turn.ts';

test('whoever waits for the end of a turn goes on together, before the next one is heard', async () => {
  const order: string[] = [];
  const waiting = ['first', 'second'].map((name) => turnsEnd().then(() => order.push(name)));
  process.nextTick(() => order.push('still judging'));
  await Promise.all(waiting);
  const next = turnsEnd().then(() => order.push('next'));
  order.push('between');
  await next;
  expect(order).toEqual(['still judging', 'first', 'second', 'between', 'next']);
});

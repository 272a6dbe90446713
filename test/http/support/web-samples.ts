/** Pages and forms that only tests have. */
import { h } from 'preact';
import { z } from 'zod';
import { LogoutPage } from '../../../src/http/web/pages/login.tsx';
import type { Form, Page } from '../../../src/http/web/page.ts';
import { type Needs, type Operation, operation } from '../../../src/operations/operation.ts';

const note = z.object({ text: z.string().max(20) });
const nothing = z.object({});

/** A page that shows what was asked behind its path and in `q`, or answers as a test wants. */
export function samplePage(
  path: string,
  how: { needs?: Needs; outcome?: 'unknown' | 'forbidden' | 'throws' } = {},
): Page<unknown> {
  const { needs = 'anybody', outcome } = how;
  const asked: Operation<unknown> = operation()({
    method: 'GET',
    path: '/sample',
    summary: 'a sample',
    needs,
    input: z.object({ rest: z.string(), q: z.string().max(100) }),
    answer: z.object({ rest: z.string(), q: z.string() }),
    run(_parts, _viewer, { rest, q }) {
      if (outcome === 'throws') throw new Error('a defect, with a secret: hunter2');
      if (outcome !== undefined) return Promise.resolve({ ok: false, reason: outcome, detail: `of "${rest}" nothing` });
      return Promise.resolve({ ok: true, answer: { rest, q } });
    },
  });
  return {
    path,
    operation: asked,
    input: ({ rest, query }) => ({ rest, q: query.get('q') ?? '' }),
    view: (answer) => h('html', null, h('p', null, JSON.stringify(answer))),
  };
}

/** Writes down what it gets. */
export function noteForm(path: string, notes: string[]): Form<unknown> {
  return {
    path,
    operation: operation()({
      method: 'POST',
      path: '/notes',
      summary: 'writes it down',
      needs: 'person',
      input: note,
      answer: nothing,
      run(_parts, _viewer, { text }) {
        if (text === 'taken') return Promise.resolve({ ok: false, reason: 'conflict', detail: 'it is taken' });
        notes.push(text);
        return Promise.resolve({ ok: true, answer: {} });
      },
    }),
    input: (fields) => ({ text: fields.get('text') ?? '' }),
    done: (_answer, frame) => (notes.length > 1 ? { view: LogoutPage({ frame }) } : { to: '/ui/' }),
  };
}

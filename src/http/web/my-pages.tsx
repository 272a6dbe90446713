/** Pages and forms of what is one's own: the account, and letting a terminal in. */
import type { z } from 'zod';
import {
  type DeviceParts,
  answerDevice,
  deviceOperations,
  deviceTerms,
  lookAtDevice,
} from '../../operations/device.ts';
import {
  type MyAccountParts,
  endOtherSessions,
  endOwnSession,
  myAccount,
  myAccountOperations,
} from '../../operations/my-account.ts';
import { endOwnToken, makeToken, ownTokenOperations } from '../../operations/own-tokens.ts';
import type { Operation } from '../../operations/operation.ts';
import type { Form, Page } from './page.ts';
import { DeviceAnsweredPage, DeviceFoundPage, DevicePage } from './pages/device.tsx';
import { MyAccountPage, TokenMadePage, TokenRefusedPage } from './pages/my-account.tsx';
import { longestOf, termsOf } from './pages/token-fields.tsx';

export interface MyParts extends MyAccountParts, DeviceParts {}

/** Keeps the types of what a page's operation takes and answers together. */
function page<Input extends z.ZodType, Answer extends z.ZodType>(one: Page<MyParts, Input, Answer>): Page<MyParts> {
  return one;
}

function form<Input extends z.ZodType, Answer extends z.ZodType>(one: Form<MyParts, Input, Answer>): Form<MyParts> {
  return one;
}

const noInput = (): Readonly<Record<string, unknown>> => ({});

/** What `/api/v1` answers of it. */
export const myOperations: readonly Operation<MyParts>[] = [
  ...ownTokenOperations,
  ...myAccountOperations,
  ...deviceOperations,
];

export const myPages: readonly Page<MyParts>[] = [
  page({
    path: '/ui/me',
    operation: myAccount,
    input: noInput,
    view: (account, frame) => <MyAccountPage account={account} frame={frame} />,
  }),
  page({
    path: '/ui/device',
    operation: deviceTerms,
    input: noInput,
    view: (_answer, frame) => <DevicePage frame={frame} />,
  }),
];

/** One button that ends something of one's own. */
function ending(path: string, operation: Operation<MyParts>): Form<MyParts> {
  return {
    path,
    operation,
    input: (fields) => (fields.has('id') ? { id: fields.get('id') } : {}),
    done: () => ({ to: '/ui/me' }),
  };
}

export const myForms: readonly Form<MyParts>[] = [
  ending('/ui/me/end', endOwnSession),
  ending('/ui/me/end-others', endOtherSessions),
  ending('/ui/me/end-token', endOwnToken),
  form({
    path: '/ui/me/tokens',
    operation: makeToken,
    input: termsOf,
    done: (made, frame) => ({ view: <TokenMadePage made={made} frame={frame} /> }),
    failed: ({ detail }, frame, typed) => (
      <TokenRefusedPage frame={frame} problem={detail} typed={typed} longestSeconds={longestOf(typed)} />
    ),
  }),
  form({
    path: '/ui/device/look',
    operation: lookAtDevice,
    input: (fields) => ({ code: fields.get('code') ?? '' }),
    done: (found, frame) => ({ view: <DeviceFoundPage frame={frame} found={found} /> }),
    failed: ({ detail }, frame, typed) => (
      <DevicePage frame={frame} problem={detail} code={typed.get('code')?.slice(0, 32) ?? ''} />
    ),
  }),
  form({
    path: '/ui/device/answer',
    operation: answerDevice,
    input: (fields) => ({
      ...termsOf(fields),
      code: fields.get('code') ?? '',
      allow: fields.get('allow') === 'yes',
    }),
    done: ({ allowed }, frame) => ({ view: <DeviceAnsweredPage frame={frame} isAllowed={allowed} /> }),
    failed: ({ reason, detail }, frame, typed) => {
      if (reason !== 'invalid') return <DevicePage frame={frame} problem={detail} />;
      const text = (name: string): string | undefined => typed.get(name)?.slice(0, 256) || undefined;
      const found = { code: text('code') ?? '', address: text('address'), userAgent: text('userAgent') };
      const view = { ...found, longestSeconds: longestOf(typed) };
      return <DeviceFoundPage frame={frame} found={view} typed={typed} problem={detail} />;
    },
  }),
];

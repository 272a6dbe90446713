/** Every page drawn with the same text in all that comes from elsewhere: names, labels, rules, accounts, questions, reasons. */
import type { VNode } from 'preact';
import type { AccessAnswer } from '../../src/operations/access-answers.ts';
import type { AccountList, ActivityRecord, HealthState, LimitList } from '../../src/operations/answers.ts';
import type { GoingAnswer } from '../../src/operations/delete.ts';
import type { ImageAnswer } from '../../src/operations/image.ts';
import type { PolicyAnswer } from '../../src/operations/policy-files.ts';
import type { RepositoriesAnswer } from '../../src/operations/repositories.ts';
import type { TagView, TagsAnswer } from '../../src/operations/tags.ts';
import type { Frame } from '../../src/http/web/page.ts';
import { accessPage, policyPage } from '../../src/http/web/policy-pages.tsx';
import { AccountsPage } from '../../src/http/web/pages/accounts.tsx';
import { ActivityPage } from '../../src/http/web/pages/activity.tsx';
import { DeletePage, NotDeleted } from '../../src/http/web/pages/delete.tsx';
import { DeviceAnsweredPage, DeviceFoundPage, DevicePage } from '../../src/http/web/pages/device.tsx';
import { HealthPage } from '../../src/http/web/pages/health.tsx';
import { ImagePage } from '../../src/http/web/pages/image.tsx';
import { LimitsPage } from '../../src/http/web/pages/limits.tsx';
import { LoginPage, LogoutPage } from '../../src/http/web/pages/login.tsx';
import { MyAccountPage, TokenMadePage, TokenRefusedPage } from '../../src/http/web/pages/my-account.tsx';
import { RefusedPage } from '../../src/http/web/pages/refused.tsx';
import { RepositoriesPage } from '../../src/http/web/pages/repositories.tsx';
import { RepositoryPage } from '../../src/http/web/pages/repository.tsx';
import { frameFor } from './frame.ts';
import { digestFor } from './shelf.ts';

const at = '2026-11-26T11:00:00.000Z';
const digest = digestFor('image');
const hour = Array.from({ length: 60 }, () => 1);

/** Of an account that may do everything here, with a policy edit that was refused. */
export function frameOf(name: string, text = name): Frame {
  const viewer = { name, isKnown: true, mayInspect: true, mayInspectAll: true, mayAdminister: true };
  return { ...frameFor('dana'), viewer, warning: text };
}

function asking(query: Readonly<Record<string, string>> = {}, rest = '') {
  return { rest, query: new URLSearchParams(query) };
}

/** `name`: of what the grammar of names lets through. */
export function tagRow(text: string, name = text): TagView {
  return {
    ...{ tag: name, state: 'known', digest, size: 1000, platforms: [text, `linux/${text}`], type: text, created: at },
    ...{ pushed: { at, by: text }, lastPull: at, sameAs: [name], moreSame: 7, immutable: true, mayDelete: true },
    attached: [{ kind: 'signature', type: text, digest, tag: name }],
  };
}

/** A repository with a tag of each state. */
export function tagList(text: string, name = text): TagsAnswer {
  const rights = [{ action: 'pull', answer: 'sometimes', rule: text, note: text }] as TagsAnswer['rights'];
  const row = tagRow(text, name);
  const tags = [row, { ...row, state: 'missing' as const }, { ...row, platforms: [] }];
  return {
    repository: name,
    rights,
    total: 3,
    matching: 3,
    complete: true,
    newest: { tag: name, type: text },
    tags,
    next: name,
  };
}

/** Everything that the page of an image shows. */
export function imageOf(text: string, name = text): ImageAnswer {
  const config = { user: text, entrypoint: [text], command: [text], ports: [text], labels: { [`l${text}`]: text } };
  const layers = [{ digest, size: 5, type: text, command: text }];
  const platform = { digest: digestFor('part'), name: text, size: 5, created: at, config, layers };
  return {
    ...{ repository: name, rights: [], tag: name, digest, mediaType: text, type: text, size: 5, partial: true },
    ...{ platforms: [platform, { ...platform, name: undefined }], subject: text, annotations: { [`a${text}`]: text } },
    ...{ sameAs: [name], immutable: true, history: [{ digest, at, by: text }], lastPull: at, mayDelete: true },
    attached: (['signature', 'SBOM', 'attestation', 'other'] as const).map((kind) => ({ kind, type: text, digest })),
    stale: { reason: 'away', since: at },
  };
}

function repositories(name: string): RepositoriesAnswer {
  const one = { name, lastPush: at, tags: 3, rights: ['pull' as const] };
  const folders = [{ path: name, repositories: 3 }];
  return {
    under: name,
    total: 1,
    matching: 1,
    folders,
    moreFolders: 2,
    repositories: [one],
    next: name,
    complete: false,
  };
}

const going = (text: string): GoingAnswer => ({
  ...{ repository: text, tag: text, digest, tags: [{ tag: text, may: false }], indexes: [text] },
  ...{ others: true, list: text },
});

function accessOf(text: string, name: string): AccessAnswer {
  const place = { file: text, line: 3 };
  const rule = { name, effect: 'deny', place } as const;
  const [subjects, people, why] = [[`group:${name}`], [name], [text]];
  const cells = [{ answer: 'yes' as const, rule: name, note: text }];
  return {
    ...{ repository: name, tag: name, about: 'everybody', viewer: name, actions: ['pull'], moreRows: 1, others: 2 },
    rows: [{ asked: `group:${name}`, subjects, people, count: 9, from: [text], cells }],
    explained: {
      ...{ subject: name, action: 'pull', repository: name, tag: name, allowed: false, sentence: text, reason: text },
      ...{ notes: [text], rule, groups: [{ name, place }], nearMisses: [{ rule, why }], moreMisses: 1 },
      shadow: [rule],
    },
    allowing: {
      ...{ why: null, lines: text, instead: [text], gains: [text], moreGains: true },
      ...{ failing: [{ test: text, place }], moreFailing: 1 },
    },
    rules: [{ ...rule, isShadow: true, text, applies: text, would: name }],
    refusals: [
      { subject: text, action: 'pull', target: text, tag: name, reason: text, times: 2, last: 1, client: text },
    ],
    ...{ moreRefusals: 3, lately: 'in the last hour' },
  };
}

function policyOf(text: string): PolicyAnswer {
  const found = { file: text, line: 1, message: text };
  return {
    ...{ revision: '9f3c1e07ab2d', rules: 1, problems: [found], since: at, by: 'start', testsPassed: 1 },
    review: {
      changes: { lines: [{ sign: '+', text }], isWhole: false },
      lints: [{ ...found, isProblem: true }],
      unexercised: [{ name: text, file: text, line: 2 }],
    },
    files: [{ file: text, lines: 1, problems: 1 }],
    shown: { file: text, isRefused: true, from: 1, total: 1, lines: [text] },
  };
}

const limitOf = (text: string, name: string): LimitList['limits'][number] => ({
  ...{ name, mode: 'shadow', count: 'pull', per: 'account', rate: '3/1h', burst: 3 },
  ...{ source: text, remaining: 0, waitSeconds: 9, fullSeconds: 9 },
});

function activityOf(text: string) {
  const who = { account: text, kind: 'robot', address: text, userAgent: text };
  const what = { action: text, repository: text, reference: text, digest: text, scope: text, detail: text, from: text };
  const explain = { as: text, action: 'pull', repository: text, tag: text };
  const more = { rule: text, gate: text, gateFrom: text, source: text, shadow: [text], method: text, route: text };
  const one: ActivityRecord = {
    ...{ number: 1, time: at, event: text, decision: 'deny', reason: text, ...who, ...what, ...more, explain },
  };
  const bare: ActivityRecord = { number: 2, time: at, event: text, decision: 'error', reason: text, detail: text };
  return { of: 'this gateway' as const, records: [one, bare], next: 1 };
}

function accountOf(text: string): AccountList {
  const secret = { id: 'abcd1234', label: text, reach: text, expires: at, marks: ['expired' as const] };
  const account = { kind: 'robot' as const, name: text, groups: [text], disabled: true, login: text };
  return { accounts: [{ ...account, sessions: 1, secrets: [secret] }], total: 1, next: text };
}

function ownAccountOf(text: string, name: string) {
  const session = { id: text, created: at, lastUsed: at, address: '192.0.2.1', userAgent: text } as const;
  const token = { id: text, label: text, created: at, lastUsed: at, expires: at, address: '192.0.2.1' };
  return {
    ...{ account: name, groups: [text], longestSeconds: 86_400, limits: [limitOf(text, name)] },
    sessions: [
      { ...session, kind: 'web' as const, isThis: true },
      { ...session, kind: 'login' as const, isThis: false },
    ],
    tokens: [{ ...token, repositories: [name] }, token],
  };
}

function healthOf(text: string, name: string): HealthState {
  return {
    ...{ state: 'degraded', version: '1', checks: [{ name, state: 'failed', detail: text }], gateways: 2 },
    ...{ of: 'this gateway', until: at, requests: hour, refusals: hour, bytesOut: hour, manifestP95: hour },
    busiest: [{ repository: name, pulls: 1, bytes: 1 }],
    doctor: { at, checks: [{ number: 1, name: text, state: 'FAIL', found: text, fix: text }] },
  };
}

const typed = (text: string, name: string) => new URLSearchParams({ label: text, lifetime: text, repositories: name });

type View = (text: string, name?: string) => VNode;

/** `name`: as `text`, of what a grammar lets through. */
export const pageViews: Readonly<Record<string, View>> = {
  'the list of repositories': (text, name = text) =>
    RepositoriesPage({
      answer: repositories(name),
      frame: frameOf(name, text),
      asked: asking({ q: text, order: text }),
    }),
  'an empty list': (text, name = text) =>
    RepositoriesPage({
      answer: { ...repositories(name), total: 0, firstPush: name },
      ...{ frame: frameOf(name, text), asked: asking({ q: text }) },
    }),
  'a search without result': (text, name = text) =>
    RepositoriesPage({
      answer: { ...repositories(name), repositories: [] },
      ...{ frame: frameOf(name, text), asked: asking({ q: text }) },
    }),
  'a repository': (text, name = text) =>
    RepositoryPage({ answer: tagList(text, name), frame: frameOf(name, text), asked: asking({ q: text, gone: text }) }),
  'no tag': (text, name = text) =>
    RepositoryPage({
      answer: { ...tagList(text, name), tags: [] },
      ...{ frame: frameOf(name, text), asked: asking({ q: text }) },
    }),
  'an image': (text, name = text) => ImagePage({ answer: imageOf(text, name), frame: frameOf(name, text) }),
  deleting: (text, name = text) => DeletePage({ answer: going(name), frame: frameOf(name, text) }),
  'not deleted': (text, name = text) =>
    NotDeleted({ detail: text, repository: name, tag: name, frame: frameOf(name, text) }),
  access: (text, name = text) =>
    accessPage.view(accessOf(text, name), frameOf(name, text), asking({ as: text, action: text })),
  policy: (text, name = text) => policyPage.view(policyOf(text), frameOf(name, text), asking()),
  activity: (text, name = text) =>
    ActivityPage({
      ...{ answer: activityOf(text), frame: frameOf(name, text) },
      asked: asking({ account: text, repository: text, decision: text, reason: text, address: text }),
    }),
  'no activity': (text, name = text) =>
    ActivityPage({
      answer: { ...activityOf(text), records: [] },
      ...{ frame: frameOf(name, text), asked: asking({ account: text, before: text }) },
    }),
  limits: (text, name = text) =>
    LimitsPage({
      answer: {
        limits: [limitOf(text, name)],
        logins: [{ by: 'pair', account: text, network: '192.0.2.0/24', failures: 3, lastFailure: at, waitSeconds: 9 }],
      },
      frame: frameOf(name, text),
    }),
  accounts: (text, name = text) =>
    AccountsPage({ answer: accountOf(text), frame: frameOf(name, text), asked: asking({ find: text }) }),
  'no account': (text, name = text) =>
    AccountsPage({
      answer: { accounts: [], total: 0 },
      ...{ frame: frameOf(name, text), asked: asking({ find: text }) },
    }),
  health: (text, name = text) => HealthPage({ answer: healthOf(text, name), frame: frameOf(name, text) }),
  'my account': (text, name = text) => MyAccountPage({ account: ownAccountOf(text, name), frame: frameOf(name, text) }),
  'a token that was made': (text, name = text) => {
    const token = { id: text, label: text, created: at, lastUsed: at, expires: at };
    return TokenMadePage({ made: { token, secret: name, login: name }, frame: frameOf(name, text) });
  },
  'a token that was not made': (text, name = text) =>
    TokenRefusedPage({ frame: frameOf(name, text), problem: text, typed: typed(text, name), longestSeconds: 86_400 }),
  'a code': (text, name = text) => DevicePage({ frame: frameOf(name, text), problem: text, code: text }),
  'a terminal': (text, name = text) =>
    DeviceFoundPage({
      frame: frameOf(name, text),
      found: {
        code: text,
        address: '192.0.2.1',
        userAgent: text,
        ownAddress: 'elsewhere',
        asked: at,
        longestSeconds: 86_400,
      },
      ...{ typed: typed(text, name), problem: text },
    }),
  'a terminal that was let in': (text, name = text) =>
    DeviceAnsweredPage({ frame: frameOf(name, text), isAllowed: true }),
  login: (text, name = text) =>
    LoginPage({
      frame: {
        ...frameOf(name, text),
        viewer: frameFor('').viewer,
        at: `/ui/${encodeURIComponent('x')}`,
      },
      ...{ next: text.replaceAll(/\p{Cs}/gu, '?'), csrf: text, problem: text, note: text, account: text },
      ways: [{ path: '/ui/login/oidc', offer: name }],
    }),
  'logging out': (text, name = text) => LogoutPage({ frame: frameOf(name, text) }),
  'a refusal': (text, name = text) =>
    RefusedPage({ frame: frameOf(name, text), title: name, detail: text, requestId: name, traceId: name }),
};

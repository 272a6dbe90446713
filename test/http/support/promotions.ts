/** Somebody who asks for promotions, as curl would. */
import { credentials } from './front.ts';

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Rules of a small house: dana may promote, tess may only read. */
export const house = `
rules:
  - { name: dana-reads, subjects: ["user:dana"], repositories: ["integration/**", "release/**"], actions: [pull] }
  - { name: dana-promotes, subjects: ["user:dana"], repositories: ["release/**"], actions: [promote] }
  - { name: tess-reads, subjects: ["user:tess"], repositories: ["release/**"], actions: [pull] }
  - name: releases-stay
    effect: deny
    subjects: [everyone]
    repositories: ["release/**"]
    tags: ["v*"]
    actions: [overwrite, delete]
`;

export async function ask(
  url: string,
  body: unknown,
  {
    account = 'dana',
    authorization = `Basic ${credentials(account)}`,
  }: { account?: string; authorization?: string } = {},
): Promise<Asked> {
  const reply = await fetch(`${url}/api/v1/promotions`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return asked(reply);
}

export async function look(url: string, path = '', account = 'dana'): Promise<Asked> {
  const headers = { authorization: `Basic ${credentials(account)}` };
  return asked(await fetch(`${url}/api/v1/promotions${path}`, { headers }));
}

async function asked(reply: Response): Promise<Asked> {
  const body = (await reply.json()) as Readonly<Record<string, unknown>>;
  return { status: reply.status, headers: reply.headers, body };
}

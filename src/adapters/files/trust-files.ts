/** Files that workloads name: looked at with the policy, so that a missing one is a problem of the edit and not of a login. */
import { X509Certificate } from 'node:crypto';
import { field, parseJson } from '../../distribution/json.ts';
import type { Problem } from '../../document/problem.ts';
import type { Policy, Workload } from '../../policy/model.ts';
import { createIssuerDocuments } from '../issuers/documents.ts';

/** One problem for each file that cannot be used, at the workload that names it first. */
export async function trustFileProblems({ workloads }: Pick<Policy, 'workloads'>): Promise<readonly Problem[]> {
  const seen = new Set<string>();
  const problems: Problem[] = [];
  for (const workload of workloads.values()) {
    for (const key of ['jwks', 'ca'] as const) {
      const path = workload[key];
      if (path === undefined || seen.has(`${key} ${path}`)) continue;
      seen.add(`${key} ${path}`);
      const problem = await problemOf(workload, key, path);
      if (problem !== undefined) problems.push({ ...workload.source, code: 'unreadable', message: problem });
    }
  }
  return problems;
}

async function problemOf({ name }: Workload, key: 'jwks' | 'ca', path: string): Promise<string | undefined> {
  const reading = await createIssuerDocuments().read(path);
  const of = `\`${key}\` of workload "${name}"`;
  if (!reading.ok) return `${of}: ${reading.detail}`;
  const isUsable = key === 'jwks' ? isKeySet(reading.text) : isCertificate(reading.text);
  const expected = key === 'jwks' ? 'a set of public keys (JWKS: {"keys": […]})' : 'certificates in PEM';
  return isUsable ? undefined : `${of}: ${path} is not ${expected}`;
}

function isKeySet(text: string): boolean {
  const keys = field(parseJson(text), 'keys');
  return Array.isArray(keys) && keys.length > 0;
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).subject !== undefined;
  } catch {
    return false;
  }
}

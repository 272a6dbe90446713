/** A configuration file to start from: every setting with its sentence, those that need no decision commented out. */
import { z } from 'zod';
import { configSchema, settingOf } from './schema.ts';

/** What stands behind each key; every key of the schema has one. */
const examples: Readonly<Record<string, string>> = {
  listen: '0.0.0.0:5050',
  publicUrl: 'https://registry.example.com',
  upstream: 'http://127.0.0.1:5000',
  policies: './policies',
  stateDir: './.portcullis',
  redis: 'redis://127.0.0.1:6379/0',
  trustedProxies: '[10.0.0.0/8]',
  'tls.cert': './tls.crt',
  'tls.key': './tls.key',
  'admin.listen': '127.0.0.1:5051',
  'tokens.service': 'registry.example.com',
  'tokens.accessTtl': '15m',
  'tokens.refreshTtl': '90d',
  'tokens.keys': './keys',
  'timeouts.connect': '3s',
  'timeouts.idle': '60s',
  'timeouts.response': '5m',
  'timeouts.drain': '15m',
  'timeouts.leave': '0s',
  'redirects.mode': 'pass',
  'redirects.hosts': '[storage.example.com, "*.s3.example.com"]',
  'cache.memory': '64MiB',
  'cache.blobs': '64KiB',
  'cache.tagTtl': '5s',
  'cache.contentTtl': '10m',
  'cache.staleIfError': '0s',
};

/** Set from the start: required, or files that `portcullis init` writes next to the configuration. */
const active: ReadonlySet<string> = new Set(['publicUrl', 'upstream', 'policies', 'tokens', 'tokens.keys']);

const required: ReadonlySet<string> = new Set(['publicUrl', 'upstream']);

const head = `# yaml-language-server: $schema=./schema/config.schema.json
#
# Portcullis, the front door of an unsecured container registry.
#
# Settings with "#" directly before them are off; remove the "#" to use them. Each also has an environment variable:
# tokens.accessTtl is PORTCULLIS_TOKENS_ACCESS_TTL. Relative paths start at this file. Check it with: portcullis check
`;

const lineWidth = 118;

/** The text of a portcullis.yaml that `loadConfig` takes as it is. */
export function configTemplate(): string {
  const parts = Object.entries(configSchema.shape).map(([name, field]: [string, unknown]) => partOf(name, field));
  return [head, ...parts].join('\n');
}

function partOf(name: string, field: unknown): string {
  const { schema: inner, sentence } = settingOf(field);
  const about = comment((required.has(name) ? 'Required. ' : '') + sentence, '');
  if (!(inner instanceof z.ZodObject)) return about + setting(name, name, '');
  const isActive = active.has(name);
  const children = Object.entries(inner.shape).map(([child, childField]) => {
    const key = `${name}.${child}`;
    // One "#" is enough to turn a whole section off.
    const line = isActive ? setting(key, child, '  ') : `  ${child}: ${examples[key] ?? ''}\n`;
    return comment(settingOf(childField).sentence, '  ') + line;
  });
  const section = `${name}:\n${children.join('')}`;
  return about + (isActive ? section : section.replace(/^(?=.)/gm, '#'));
}

function setting(key: string, name: string, indent: string): string {
  return `${indent}${active.has(key) ? '' : '#'}${name}: ${examples[key] ?? ''}\n`;
}

function comment(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && indent.length + 3 + last.length + word.length <= lineWidth)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => `${indent}# ${line}\n`).join('');
}

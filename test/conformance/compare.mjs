/**
 * Two JUnit reports of one conformance suite, test by test: what a registry does directly and what it does behind the gateway.
 * By hand: `node test/conformance/compare.mjs DIRECT.xml GATEWAY.xml`; exit code 0 when nothing ends worse through
 * the gateway, 1 when something does.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Outcomes by test name. A name comes back for every blob and manifest, in no particular order, so outcomes are counted. */
export function readReport(xml) {
  const tests = new Map();
  for (const [, attributes, content = ''] of xml.matchAll(/<testcase\s([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const name = unescape(/name="([^"]*)"/.exec(attributes)?.[1] ?? '');
    const outcome = outcomeOf(/status="([^"]*)"/.exec(attributes)?.[1], content);
    const test = tests.get(name) ?? { passed: 0, failed: 0, skipped: 0, messages: [] };
    test[outcome] += 1;
    if (outcome === 'failed') test.messages.push(messageOf(content));
    tests.set(name, test);
  }
  return tests;
}

/** One suite says it in an attribute, the other in an element. */
function outcomeOf(status, content) {
  if (status === 'failure' || status === 'error' || /<(failure|error)[\s>]/.test(content)) return 'failed';
  if (status === 'skipped' || /<skipped[\s/>]/.test(content)) return 'skipped';
  return 'passed';
}

function messageOf(content) {
  const [, text = 'no message'] = /<(?:failure|error|system-out)[^>]*>(.*?)<\//s.exec(content) ?? [];
  return unescape(text).trim().slice(0, 600);
}

function unescape(text) {
  const named = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(?:#x([0-9a-f]+)|#([0-9]+)|([a-z]+));/gi, (whole, hex, decimal, name) =>
    hex || decimal ? String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal)) : (named[name] ?? whole),
  );
}

export function total(report) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const test of report.values()) for (const outcome of Object.keys(sum)) sum[outcome] += test[outcome];
  return sum;
}

/**
 * Every test that does not end the same way on both sides, also one that only one side ran. `better`: what the registry
 * fails by itself passes behind the gateway, which refuses it first.
 */
export function differences(direct, gateway) {
  const none = { passed: 0, failed: 0, skipped: 0, messages: [] };
  return [...new Set([...direct.keys(), ...gateway.keys()])].flatMap((name) => {
    const [left, right] = [direct.get(name) ?? none, gateway.get(name) ?? none];
    if (inWords(left) === inWords(right)) return [];
    // With failures on both sides the extra ones cannot be told apart.
    const messages = right.failed > left.failed ? right.messages : left.messages;
    const better = right.passed >= left.passed && right.failed <= left.failed && right.skipped <= left.skipped;
    return [{ name, better, direct: inWords(left), gateway: inWords(right), messages }];
  });
}

export function inWords({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** The tests that end worse through the gateway in full, the better ones by name. */
export function describeDifferences(found) {
  const worse = found.filter(({ better }) => !better);
  const better = found.length - worse.length;
  return [
    `difference: ${worse.length === 0 ? 'none' : worse.length}${better > 0 ? `; ${better} better through the gateway` : ''}`,
    ...worse.flatMap(({ name, direct, gateway, messages }) => [
      `  ${name}`,
      `    directly: ${direct}`,
      `    gateway:  ${gateway}`,
      ...[...new Set(messages)].flatMap((message) => message.split('\n').map((line) => `      ${line}`)),
    ]),
    ...found.filter((difference) => difference.better).map(({ name }) => `  better: ${name}`),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [direct, gateway] = process.argv.slice(2).map((path) => readReport(readFileSync(path, 'utf8')));
  if (direct === undefined || gateway === undefined) {
    console.error('usage: node test/conformance/compare.mjs DIRECT.xml GATEWAY.xml');
    process.exit(2);
  }
  const found = differences(direct, gateway);
  console.log(`directly: ${inWords(total(direct))}`);
  console.log(`gateway:  ${inWords(total(gateway))}`);
  for (const line of describeDifferences(found)) console.log(line);
  process.exit(found.every(({ better }) => better) ? 0 : 1);
}

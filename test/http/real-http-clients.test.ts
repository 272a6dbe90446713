/** Programs that offer HTTP/2 on plain HTTP with every request. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWithPrograms, findProgram, run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { type Front, credentials, passwordOf, startFront } from './support/front.ts';

let front: Front;
let dir: string;
beforeAll(async () => {
  front = await startFront({
    rules: "rules: [{ name: share, subjects: ['group:devs'], repositories: ['a/**'], actions: [pull, push] }]",
  });
  dir = await makeTempDir('clients');
});
afterAll(async () => {
  await front.close();
  await removeTempDir(dir);
});

describeWithPrograms(['curl'], 'curl --http2', () => {
  test.each([
    ['pulls', [], '/v2/a/b/manifests/1', '200'],
    ['sends a body', ['-X', 'PATCH', '--data-binary', 'layer'], '/v2/a/b/blobs/uploads/1', '201'],
  ])('%s', async (_what, options, path, status) => {
    const login = ['-u', `dana:${passwordOf('dana')}`, '-H', 'Content-Type: application/octet-stream'];
    const print = ['-sS', '-o', join(dir, 'body'), '-w', '%{http_code}'];
    const { stdout, stderr } = await run('curl', ['--http2', ...print, ...login, ...options, front.url + path]);
    expect([stdout, stderr]).toEqual([status, '']);
  });
});

const program = `
import java.net.URI;
import java.net.http.*;
class Client {
  public static void main(String[] a) throws Exception {
    var client = HttpClient.newHttpClient();
    for (var path : new String[] { "/v2/a/b/manifests/1", "/v2/a/b/manifests/2" }) {
      var get = HttpRequest.newBuilder(URI.create(a[0] + path)).header("Authorization", a[1]).build();
      System.out.println(client.send(get, HttpResponse.BodyHandlers.ofString()).statusCode());
    }
    var patch = HttpRequest.newBuilder(URI.create(a[0] + "/v2/a/b/blobs/uploads/1")).header("Authorization", a[1])
      .method("PATCH", HttpRequest.BodyPublishers.ofString("layer")).build();
    System.out.println(client.send(patch, HttpResponse.BodyHandlers.ofString()).statusCode());
  }
}
`;
// Never demanded: nothing else here needs Java, and it is no small package.
const missing = findProgram('java') === undefined ? { skip: true, meta: { skipped: 'needs java on PATH' } } : {};
describe('the HttpClient of Java as it comes', missing, () => {
  test('pulls twice and sends a body', async () => {
    const source = join(dir, 'Client.java');
    await writeFile(source, program);
    const args = [source, front.url, `Basic ${credentials('dana')}`];
    const { stdout, stderr } = await run('java', args, { timeoutMs: 80_000 });
    expect([stdout.trim().split('\n'), stderr]).toEqual([['200', '200', '201'], '']);
  });
});

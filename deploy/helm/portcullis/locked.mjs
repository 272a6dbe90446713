// node --input-type=module -e … GATEWAY REGISTRY…: exit code 0 when the gateway answers here, and no registry can be reached.
const { connect } = await import('node:net');
const [gateway, ...registries] = process.argv.slice(1);
const problems = [];

// Its keys, which it publishes in token mode as well.
const found = await fetch(new URL('/.well-known/jwks.json', gateway), { signal: AbortSignal.timeout(5000) })
  .then((reply) => reply.json())
  .then(
    ({ keys }) => (Array.isArray(keys) ? undefined : 'what answers is something else'),
    (error) => error.cause?.code ?? error.name,
  );
if (found !== undefined) problems.push(`there is no gateway at ${gateway}: ${found}`);

// A connection is enough: what asks for TLS or a password today may be open tomorrow.
const reach = (url) =>
  new Promise((resolve) => {
    const { protocol, hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: port || (protocol === 'https:' ? 443 : 80), timeout: 5000 });
    const settle = (outcome) => () => {
      socket.destroy();
      resolve(outcome);
    };
    socket.on('connect', settle('open')).on('timeout', settle('closed'));
    socket.on('error', ({ code }) =>
      resolve(/^E(CONNREFUSED|TIMEDOUT|HOSTUNREACH|NETUNREACH)$/.test(code) ? 'closed' : code),
    );
  });
for (const url of registries) {
  const answer = await reach(url);
  if (answer === 'open')
    problems.push(
      `the registry at ${url} can be reached from this pod, so everybody in the cluster may do everything with it: ` +
        'does registry.podSelector select its pods, and does the network plug-in know NetworkPolicies?',
    );
  else if (answer !== 'closed')
    problems.push(`whether ${url} can be reached is not known: ${answer}; is config.upstream right?`);
}

for (const problem of problems) console.error(problem);
if (problems.length === 0) console.log('the gateway answers, and what is behind it cannot be reached from elsewhere');
process.exitCode = problems.length === 0 ? 0 : 1;

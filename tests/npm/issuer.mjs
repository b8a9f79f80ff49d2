// An OpenID provider of other people, which gives its clients access tokens that are JWTs.
//
// The argument is JSON: {"modules": folder of packages, "port": number, "clients": [{"id", "secret", "algorithm", "claims"}]}.
// It prints "ready" once it listens. A line on standard input is a command, and answered with one line:
//   rotate    signs with new keys; the ones before stay published
//   retire    publishes only the keys that it signs with
// It ends when its standard input does.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { modules, port, clients } = JSON.parse(process.argv[2]);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const issuer = `http://127.0.0.1:${port}`;
const byId = new Map(clients.map((client) => [client.id, client]));

/** Makes a key for each family of algorithms. */
function newKeys() {
  const pairs = [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ed25519'),
  ];
  return pairs.map(({ privateKey }) => ({
    ...privateKey.export({ format: 'jwk' }),
    kid: randomUUID(),
    use: 'sig',
  }));
}

/** Makes a provider, which signs with the first of its keys that fits. */
function provider(keys) {
  return new Provider(issuer, {
    jwks: { keys },
    clients: clients.map(({ id, secret }) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    })),
    extraTokenClaims: (_context, token) => byId.get(token.clientId).claims,
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource, client) => ({
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: byId.get(client.clientId).algorithm } },
        }),
      },
    },
  }).callback();
}

let current = newKeys();
let answer = provider(current);

const commands = {
  rotate() {
    const before = current;
    current = newKeys();
    answer = provider([...current, ...before]);
    return 'rotated';
  },
  retire() {
    answer = provider(current);
    return 'retired';
  },
};

const server = createServer((request, response) => answer(request, response));
server.listen(port, '127.0.0.1', () => console.log('ready'));

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => console.log(commands[line]?.() ?? `no such command: ${line}`));
lines.on('close', () => process.exit(0));

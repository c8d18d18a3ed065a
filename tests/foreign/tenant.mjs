// The identity server `oidc-provider` as a company might run it: apps register themselves, refresh tokens rotate, access tokens are JWTs for the
// agent that was named. Everything is in memory and gone with the process.
//
// `node tenant.mjs --port 4000 --token-life 10` prints `READY BOOKS`, the address at which the server's books can be read: what is stored, and
// what has happened.

import { createServer } from "node:http";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { Provider, errors } from "oidc-provider";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    // Of an access token, in seconds.
    "token-life": { type: "string", default: "3600" },
    // Tokens may be bound to a key, and proofs of it have to carry a nonce of the server's (RFC 9449, section 8).
    proofs: { type: "boolean", default: false },
  },
});
const port = Number(values.port);
const issuer = `http://127.0.0.1:${port}`;
const life = Number(values["token-life"]);

const stored = new Map();
const happened = [];

/** What the server keeps, in a place where it can be looked at. */
class Store {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const until = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    stored.set(this.key(id), { model: this.model, id, payload, until });
  }

  async find(id) {
    const found = stored.get(this.key(id));
    return found && found.until > Date.now() ? found.payload : undefined;
  }

  async findBy(member, value) {
    const all = [...stored.values()].filter(({ model, until }) => model === this.model && until > Date.now());
    return all.find(({ payload }) => payload[member] === value)?.payload;
  }

  findByUid(uid) {
    return this.findBy("uid", uid);
  }

  findByUserCode(code) {
    return this.findBy("userCode", code);
  }

  async consume(id) {
    const found = stored.get(this.key(id));
    if (found) found.payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of stored) if (payload.grantId === grantId) stored.delete(key);
  }
}

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(issuer, {
  adapter: Store,
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: randomBytes(8).toString("hex"), use: "sig", alg: "RS256" }] },
  cookies: { keys: [randomBytes(32).toString("hex")] },
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
  findAccount: (_context, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: "Ada Lovelace", email: `${sub}@example.com`, email_verified: true }),
  }),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
    dPoP: { enabled: values.proofs, ...(values.proofs && { nonceSecret: randomBytes(32), requireNonce: () => true }) },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => {
        // The agents of this company are on this computer.
        if (new URL(resource).hostname !== "127.0.0.1") throw new errors.InvalidTarget();
        return { scope: "", accessTokenFormat: "jwt", accessTokenTTL: life };
      },
    },
  },
});

for (const event of [
  "authorization.error",
  "authorization.success",
  "end_session.success",
  "grant.error",
  "grant.revoked",
  "grant.success",
  "registration_create.error",
  "registration_create.success",
  "revocation.error",
  "server_error",
]) {
  provider.on(event, (context, error) => {
    const { params, client } = context.oidc ?? {};
    const why = error instanceof Error ? `${error.error ?? error.name}: ${error.error_description ?? error.message} ${error.error_detail ?? ""}` : undefined;
    const dpop = context.get?.("dpop") !== "";
    happened.push({ event, client: client?.clientId, grant: params?.grant_type, resource: params?.resource, dpop, why });
    if (why !== undefined) console.log(event, why);
  });
}

const books = createServer((_request, response) => {
  const all = [...stored.values()].filter(({ until }) => until > Date.now());
  const refresh = all.filter(({ model }) => model === "RefreshToken").map(({ payload }) => ({
    client: payload.clientId,
    spent: payload.consumed !== undefined,
    rotations: payload.rotations ?? 0,
    bound: payload.jkt !== undefined,
  }));
  const clients = all.filter(({ model }) => model === "Client").map(({ payload }) => payload);
  const sessions = all.filter(({ model, payload }) => model === "Session" && payload.accountId !== undefined).length;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ refresh, clients, sessions, happened }));
});

provider.listen(port, "127.0.0.1", () => {
  books.listen(0, "127.0.0.1", () => console.log(`READY http://127.0.0.1:${books.address().port}/`));
});

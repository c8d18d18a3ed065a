import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Pair, newConversation, startPair } from "./support/agent";
import { Client, getMessages, messages, refused } from "./support/client";
import { AUDIENCE, GRACE, newKey } from "./support/tenant";

let pair: Pair;
let origin: string;

before(async () => {
  pair = await startPair({ vars: { ALLOWED_ORIGINS: "https://app.example" } });
  origin = pair.agent.origin;
});
after(() => pair.stop());

test("without a token the handshake is refused, and the challenge says where to get one", async () => {
  const { status, challenge } = await refused(origin, newConversation());
  assert.equal(status, 401);
  const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource"`;
  assert.equal(challenge, `Bearer realm="${AUDIENCE}", ${metadata}, DPoP algs="ES256"`);
});

test("a token that is no good is refused before the upgrade, with the reason", async () => {
  const { tenant } = pair;
  const now = Math.floor(Date.now() / 1000);
  const stranger = await newKey("first");
  const bad: [string, string, string][] = [
    ["malformed", "not-a-jwt", "Invalid Compact JWS"],
    ["expired", await tenant.token({ exp: now - 60 }), "'exp' claim timestamp check failed"],
    ["not yet", await tenant.token({ nbf: now + 600 }), "'nbf' claim timestamp check failed"],
    ["issuer", await tenant.token({ iss: "https://other.example/" }), "unexpected 'iss' claim value"],
    ["issuer without its slash", await tenant.token({ iss: tenant.issuer.slice(0, -1) }), "unexpected 'iss' claim value"],
    ["audience", await tenant.token({ aud: "https://other.example/api" }), "unexpected 'aud' claim value"],
    ["signature", await tenant.token({}, stranger), "signature verification failed"],
    ["unknown key", await tenant.token({}, await newKey("unheard-of")), "no applicable key found in the JSON Web Key Set"],
    ["no signature", tenant.unsignedToken(), "'alg' (Algorithm) Header Parameter value not allowed"],
    ["no subject", await tenant.token({ sub: "" }), "unexpected 'sub' claim value"],
  ];
  for (const [what, token, description] of bad) {
    const { status, challenge } = await refused(origin, newConversation(), { token });
    assert.equal(status, 401, what);
    assert.ok(challenge.includes(`error="invalid_token", error_description="${description}"`), `${what}: ${challenge}`);
    assert.equal((await getMessages(origin, newConversation(), token)).status, 401, what);
  }
});

test("a shared secret is no signature, not even the public key as one", async () => {
  const { exportSPKI, SignJWT } = await import("jose");
  const key = pair.tenant.keys[0];
  assert.ok(key);
  const secret = new TextEncoder().encode(await exportSPKI(key.publicKey));
  const token = await new SignJWT({}).setProtectedHeader({ alg: "HS256", kid: key.kid }).setIssuer(pair.tenant.issuer)
    .setAudience(AUDIENCE).setExpirationTime("1h").setSubject(GRACE).sign(secret);
  assert.equal((await refused(origin, newConversation(), { token })).status, 401);
});

test("a token in the address is as good as none, and one in both places is an error", async () => {
  const token = await pair.tenant.token();
  for (const name of ["access_token", "token"]) {
    assert.equal((await refused(origin, newConversation(), { query: `&${name}=${token}` })).status, 401, name);
  }
  const both = await refused(origin, newConversation(), { token, query: `&access_token=${token}` });
  assert.equal(both.status, 400);
  assert.match(both.challenge, /error="invalid_request"/);
});

test("every route wants a token", async () => {
  for (const path of ["", "/get-messages", "/more/get-messages", "/callback", "/sub/other/x"]) {
    for (const method of ["GET", "POST"]) {
      const answer = await fetch(`${origin}/agents/chat-agent/c${path}`, { method });
      assert.equal(answer.status, 401, `${method} ${path}`);
    }
  }
});

test("a token signed with ES256 is as good", async () => {
  const token = await pair.tenant.token();
  const other = await newKey("elliptic", "ES256");
  pair.tenant.keys.push(other);
  const client = await Client.connect(origin, newConversation(), { token: await pair.tenant.token({}, other) });
  await client.close();
  assert.deepEqual(await messages(origin, newConversation(), token), []);
});

test("a conversation belongs to the first who connects", async () => {
  const conversation = newConversation();
  const grace = await pair.tenant.token({ sub: GRACE });
  const ada = await pair.tenant.token();
  // Looking at what is nobody's does not make it one's own.
  assert.deepEqual(await messages(origin, conversation, grace), []);
  const client = await Client.connect(origin, conversation, { token: ada });
  const { status, body } = await refused(origin, conversation, { token: grace });
  assert.deepEqual([status, body], [403, "This chat is not yours."]);
  assert.equal((await getMessages(origin, conversation, grace)).status, 403);
  await client.close();
  assert.equal((await refused(origin, conversation, { token: grace })).status, 403);
  assert.deepEqual(await messages(origin, conversation, ada), []);
});

test("a client cannot say by itself who it is", async () => {
  const conversation = newConversation();
  const client = await Client.connect(origin, conversation, { token: await pair.tenant.token() });
  const posing = encodeURIComponent(JSON.stringify({ issuer: pair.tenant.issuer, subject: "test|ada", expires: 9e9 }));
  const headers = { "x-callbox-visitor": posing };
  assert.equal((await refused(origin, conversation, { token: await pair.tenant.token({ sub: GRACE }), headers })).status, 403);
  assert.equal((await refused(origin, conversation, { headers })).status, 401);
  await client.close();
});

test("the metadata names the tenant, with no token", async () => {
  for (const path of ["", "/agents/chat-agent/c1"]) {
    const answer = await fetch(`${origin}/.well-known/oauth-protected-resource${path}`);
    const metadata = (await answer.json()) as Record<string, unknown>;
    assert.equal(metadata["resource"], origin + path);
    assert.deepEqual(metadata["authorization_servers"], [pair.tenant.issuer]);
    assert.deepEqual(metadata["bearer_methods_supported"], ["header"]);
    assert.deepEqual(metadata["dpop_signing_alg_values_supported"], ["ES256"]);
    assert.equal(metadata["audience"], AUDIENCE);
  }
  assert.equal((await fetch(`${origin}/health`)).status, 200);
});

test("a web page of an origin that is not allowed does not get in, even with a token", async () => {
  const token = await pair.tenant.token();
  const from = (Origin: string) => ({ token, headers: { Origin } });
  for (const page of ["https://evil.example", "null", "https://app.example.evil.example"]) {
    assert.equal((await refused(origin, newConversation(), from(page))).status, 403, page);
  }
  const client = await Client.connect(origin, newConversation(), from("https://app.example"));
  await client.close();
});

test("the SDK's other wire is not to be had", async () => {
  const options = { token: await pair.tenant.token(), query: "&__agents_transport=capnweb" };
  const client = await Client.connect(origin, newConversation(), options);
  assert.equal((await client.next(() => true)).type, "cf_agent_identity");
  await client.close();
});

test("addresses are matched as the SDK does", async () => {
  const headers = { Authorization: `Bearer ${await pair.tenant.token()}` };
  const expected: [string, number][] = [
    ["/elsewhere", 404],
    ["/agents/chat-agent", 404],
    ["/agents/ChatAgent/c1", 400],
    ["/agents/other-agent/c1", 400],
    ["/agents/chat-agent/c1", 404],
    ["/agents/chat-agent/c1/sub/chat-agent/c2/get-messages", 404],
    [`/agents/chat-agent/${"x".repeat(1025)}`, 400],
  ];
  for (const [path, status] of expected) assert.equal((await fetch(origin + path, { headers })).status, status, path.slice(0, 40));
});

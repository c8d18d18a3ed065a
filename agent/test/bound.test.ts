import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { type CryptoKey, type JWK, SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { type Pair, newConversation, startPair } from "./support/agent";
import { Client, refused } from "./support/client";

let pair: Pair;
let origin: string;

before(async () => {
  pair = await startPair();
  origin = pair.agent.origin;
});
after(() => pair.stop());

const sha256 = (text: string) => createHash("sha256").update(text).digest("base64url");
const now = () => Math.floor(Date.now() / 1000);

/** Somebody with a key. */
class Holder {
  private constructor(
    readonly jwk: JWK,
    readonly jkt: string,
    readonly privateKey: CryptoKey,
    readonly alg: string,
  ) {}

  static async create(alg = "ES256"): Promise<Holder> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = await exportJWK(publicKey);
    return new Holder(jwk, await calculateJwkThumbprint(jwk), privateKey, alg);
  }

  token(): Promise<string> {
    return pair.tenant.token({ cnf: { jkt: this.jkt } });
  }

  /** A good proof for a handshake, with claims and header fields changed. */
  prove(token: string, conversation: string, claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
    const usual = { jti: randomUUID(), htm: "GET", htu: address(conversation), iat: now(), ath: sha256(token) };
    const proof = new SignJWT({ ...usual, ...claims });
    return proof.setProtectedHeader({ alg: this.alg, typ: "dpop+jwt", jwk: this.jwk, ...header }).sign(this.privateKey);
  }
}

const address = (conversation: string) => `${origin}/agents/chat-agent/${conversation}`;
const headers = (token: string, ...proofs: string[]) => ({ Authorization: `DPoP ${token}`, ...(proofs.length > 0 && { DPoP: proofs.join(", ") }) });

test("a bound token comes in with its proof, at the handshake and at get-messages", async () => {
  const holder = await Holder.create();
  const token = await holder.token();
  const conversation = newConversation();
  const client = await Client.connect(origin, conversation, { headers: headers(token, await holder.prove(token, conversation)) });
  assert.equal(await client.done(client.ask("hello")), "completed");
  await client.close();
  const proof = await holder.prove(token, `${conversation}/get-messages`);
  const answer = await fetch(`${address(conversation)}/get-messages`, { headers: headers(token, proof) });
  assert.equal(answer.status, 200);
  assert.equal(((await answer.json()) as unknown[]).length, 2);
});

test("a bound token that comes by itself is refused, with or without a proof beside it", async () => {
  const holder = await Holder.create();
  const token = await holder.token();
  const conversation = newConversation();
  const proof = await holder.prove(token, conversation);
  for (const beside of [{}, { DPoP: proof }]) {
    const { status, challenge } = await refused(origin, conversation, { headers: { Authorization: `Bearer ${token}`, ...beside } });
    assert.equal(status, 401);
    assert.match(challenge, /^Bearer .*error="invalid_token", error_description="the token is bound to a key and came without a proof"/);
  }
  // Bound to something else than a key.
  const other = await pair.tenant.token({ cnf: { "x5t#S256": "x" } });
  assert.equal((await refused(origin, conversation, { token: other })).status, 401);
});

test("a proof is about exactly this request, this token and this minute, and signed by the token's key", async () => {
  const holder = await Holder.create();
  const token = await holder.token();
  const conversation = newConversation();
  const there = address(conversation);
  const stranger = await Holder.create();
  const rsa = await Holder.create("RS256");
  const good = await holder.prove(token, conversation);
  const privateJwk = await exportJWK(holder.privateKey);
  const bad: [string, string[], string][] = [
    ["none", [], "there is no proof, or more than one"],
    ["two", [good, await holder.prove(token, conversation)], "there is no proof, or more than one"],
    ["nonsense", ["nonsense"], "there is no proof, or more than one"],
    ["method", [await holder.prove(token, conversation, { htm: "POST" })], "htm mismatch"],
    ["conversation", [await holder.prove(token, `${conversation}x`)], "htu mismatch"],
    ["host", [await holder.prove(token, conversation, { htu: there.replace(origin, "https://evil.example") })], "htu mismatch"],
    ["no address", [await holder.prove(token, conversation, { htu: 7 })], "htu mismatch"],
    ["old", [await holder.prove(token, conversation, { iat: now() - 120 })], "iat is not recent enough"],
    ["early", [await holder.prove(token, conversation, { iat: now() + 120 })], "iat is not recent enough"],
    ["no time", [await holder.prove(token, conversation, { iat: undefined })], "iat is not recent enough"],
    ["token", [await holder.prove(await holder.token(), conversation, { ath: sha256("another") })], "ath mismatch"],
    ["no token", [await holder.prove(token, conversation, { ath: undefined })], "ath mismatch"],
    ["no id", [await holder.prove(token, conversation, { jti: undefined })], "there is no jti"],
    ["type", [await holder.prove(token, conversation, {}, { typ: "JWT" })], "unexpected 'typ' JWT header value"],
    ["algorithm", [await rsa.prove(token, conversation)], "'alg' (Algorithm) Header Parameter value not allowed"],
    ["no key", [await holder.prove(token, conversation, {}, { jwk: undefined })], "'jwk' (JSON Web Key) Header Parameter must be a JSON object"],
    ["private key", [await holder.prove(token, conversation, {}, { jwk: privateJwk })], "'jwk' (JSON Web Key) Header Parameter must be a public key"],
    ["another's key", [await holder.prove(token, conversation, {}, { jwk: stranger.jwk })], "signature verification failed"],
    ["signature", [`${good.slice(0, good.lastIndexOf("."))}.${"A".repeat(86)}`], "signature verification failed"],
  ];
  for (const [what, proofs, why] of bad) {
    const { status, challenge } = await refused(origin, conversation, { headers: headers(token, ...proofs) });
    assert.equal(status, 401, what);
    assert.ok(challenge.endsWith(`DPoP algs="ES256", error="invalid_dpop_proof", error_description="${why}"`), `${what}: ${challenge}`);
  }
  for (const [whose, foreign] of [
    [stranger, token],
    [stranger, await pair.tenant.token()],
  ] as const) {
    const { status, challenge } = await refused(origin, conversation, {
      headers: headers(foreign, await whose.prove(foreign, conversation)),
    });
    assert.equal(status, 401);
    assert.match(challenge, /DPoP algs="ES256", error="invalid_token"/);
  }
  // Query and fragment are not looked at, and what is good is still good after all that.
  const withQuery = await holder.prove(token, conversation, { htu: `${there}?_pk=1#x` });
  for (const proof of [good, withQuery]) {
    await (await Client.connect(origin, conversation, { headers: headers(token, proof) })).close();
  }
});

test("a proof is good once", async () => {
  const holder = await Holder.create();
  const token = await holder.token();
  const conversation = newConversation();
  const proof = await holder.prove(token, conversation);
  await (await Client.connect(origin, conversation, { headers: headers(token, proof) })).close();
  const { status, challenge } = await refused(origin, conversation, { headers: headers(token, proof) });
  assert.equal(status, 401);
  assert.match(challenge, /error="invalid_dpop_proof", error_description="jti was used before"/);
});

test("a token that is no good is told in the challenge of its scheme", async () => {
  const holder = await Holder.create();
  const token = await pair.tenant.token({ exp: now() - 60, cnf: { jkt: holder.jkt } });
  const conversation = newConversation();
  const { status, challenge } = await refused(origin, conversation, { headers: headers(token, await holder.prove(token, conversation)) });
  assert.equal(status, 401);
  assert.match(challenge, /^Bearer realm="[^"]*", resource_metadata="[^"]*", DPoP algs="ES256", error="invalid_token"/);
});

test("a bearer token of the same person opens the same conversation", async () => {
  const holder = await Holder.create();
  const token = await holder.token();
  const conversation = newConversation();
  await (await Client.connect(origin, conversation, { headers: headers(token, await holder.prove(token, conversation)) })).close();
  await (await Client.connect(origin, conversation, { token: await pair.tenant.token() })).close();
});

import { createLocalJWKSet, errors, type JWSHeaderParameters, type FlattenedJWSInput, type JSONWebKeySet, type CryptoKey } from "jose";

/** How long keys are believed without asking again. */
const FRESH_MS = 10 * 60_000;
/** How long they may still be used while the tenant cannot be reached. */
const STALE_MS = 60 * 60_000;
/** After a failure, nobody asks the tenant for this long. */
const PAUSE_MS = 500;
/** Unknown keys make us ask again: this often in a row, and once more after each interval. Anybody can invent a key id. */
const BURST = 5;
const INTERVAL_MS = 12_000;

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

/** The keys could not be fetched. */
export class TenantAway extends Error {
  override readonly name = "TenantAway";
}

type Resolve = ReturnType<typeof createLocalJWKSet>;

/**
 * The public keys of one issuer: found through its discovery document when the first token comes, not before, so that the tenant may
 * start later than the agent. Kept for all requests of this isolate.
 */
export class IssuerKeys {
  readonly #issuer: string;
  #keys: { readonly resolve: Resolve; readonly at: number } | undefined;
  #failedAt = -Infinity;
  #tokens = BURST;
  #refilledAt = Date.now();

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /** The key of a token's header, as jose asks for it. */
  readonly find = async (header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> => {
    const { resolve, fetchedNow } = await this.#current();
    try {
      return await resolve(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || fetchedNow || !this.#mayAskAgain()) throw error;
    }
    // The tenant may have rotated its keys.
    return (await this.#fetch())(header, token);
  };

  async #current(): Promise<{ resolve: Resolve; fetchedNow: boolean }> {
    const known = this.#keys;
    const age = known === undefined ? Infinity : Date.now() - known.at;
    if (known !== undefined && age < FRESH_MS) return { resolve: known.resolve, fetchedNow: false };
    try {
      return { resolve: await this.#fetch(), fetchedNow: true };
    } catch (error) {
      if (known !== undefined && age < STALE_MS) return { resolve: known.resolve, fetchedNow: false };
      throw error;
    }
  }

  #mayAskAgain(): boolean {
    const regained = Math.floor((Date.now() - this.#refilledAt) / INTERVAL_MS);
    this.#tokens = Math.min(BURST, this.#tokens + regained);
    this.#refilledAt += regained * INTERVAL_MS;
    if (this.#tokens === 0) return false;
    this.#tokens -= 1;
    return true;
  }

  async #fetch(): Promise<Resolve> {
    if (Date.now() - this.#failedAt < PAUSE_MS) throw new TenantAway("asked a moment ago");
    try {
      const place = new URL(`${this.#issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
      if (!isSafe(place)) throw new TenantAway("the issuer is neither https nor on this machine");
      const discovery = await fetchJson(place);
      if (discovery["issuer"] !== this.#issuer) throw new TenantAway("the discovery document names another issuer");
      const keys = new URL(String(discovery["jwks_uri"]));
      if (keys.protocol !== "https:" && keys.origin !== place.origin) throw new TenantAway("the keys are at an unsafe place");
      const resolve = createLocalJWKSet((await fetchJson(keys)) as unknown as JSONWebKeySet);
      this.#keys = { resolve, at: Date.now() };
      return resolve;
    } catch (error) {
      this.#failedAt = Date.now();
      const reason = error instanceof Error ? error.message : String(error);
      console.warn(`The keys of ${this.#issuer} could not be fetched: ${reason}`);
      throw error instanceof TenantAway ? error : new TenantAway(reason);
    }
  }
}

async function fetchJson(url: URL): Promise<Record<string, unknown>> {
  // A key set is where its issuer says, not where that place sends us on to.
  const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS), headers: { Accept: "application/json" } });
  if (answer.status !== 200) {
    await answer.body?.cancel();
    throw new TenantAway(`${url.pathname} was answered with ${answer.status}`);
  }
  const body: unknown = JSON.parse(await limited(answer));
  if (typeof body !== "object" || body === null) throw new TenantAway(`${url.pathname} is no JSON object`);
  return body as Record<string, unknown>;
}

async function limited(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of answer.body ?? []) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    if (text.length > MAX_BYTES) throw new TenantAway("the answer is too long");
  }
  return text + decoder.decode();
}

function isSafe(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname));
}

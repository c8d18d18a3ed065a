import { once } from "node:events";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } from "jose";

export const AUDIENCE = "https://agent.example/api";
export const ADA = "test|ada";
export const GRACE = "test|grace";

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

export interface Claims {
  readonly sub?: string;
  readonly iss?: string;
  readonly aud?: string | string[];
  /** Seconds since 1970, or from now as jose writes it. */
  readonly exp?: number | string;
  readonly nbf?: number | string;
  /** What it is bound to. */
  readonly cnf?: unknown;
}

export async function newKey(kid: string, alg = "RS256"): Promise<Key> {
  return { kid, alg, ...(await generateKeyPair(alg)) };
}

/** A tenant with nothing but keys. */
export class Tenant {
  keys: Key[] = [];
  /** How often the key set was asked for. */
  fetches = 0;
  #away = true;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      void this.#answer(request.url ?? "").then((body) => {
        response.writeHead(body === undefined ? 404 : 200, { "Content-Type": "application/json" }).end(JSON.stringify(body ?? {}));
      });
    });
    server.on("connection", (socket) => {
      if (this.#away) socket.destroy();
    });
    // Whoever waits for the tests to end does not wait for this.
    server.unref();
  }

  /** A tenant that does not answer yet. Its port is its own, or somebody else would answer there. */
  static async planned(): Promise<Tenant> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const tenant = new Tenant(server);
    tenant.keys = [await newKey("first")];
    return tenant;
  }

  static async start(): Promise<Tenant> {
    const tenant = await Tenant.planned();
    await tenant.start();
    return tenant;
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    this.#away = false;
  }

  /** From now on nobody answers. */
  async stop(): Promise<void> {
    this.#away = true;
    this.#server.closeAllConnections();
  }

  /** From now on tokens are signed with this key and no other is published. */
  rotateTo(key: Key): void {
    this.keys = [key];
  }

  async token(claims: Claims = {}, key = this.keys[0]): Promise<string> {
    if (key === undefined) throw new Error("The tenant has no key.");
    const bound = claims.cnf === undefined ? {} : { cnf: claims.cnf };
    const token = new SignJWT(bound).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt" }).setIssuedAt();
    token.setIssuer(claims.iss ?? this.issuer).setAudience(claims.aud ?? [AUDIENCE, `${this.issuer}userinfo`]);
    token.setExpirationTime(claims.exp ?? "1h").setSubject(claims.sub ?? ADA);
    if (claims.nbf !== undefined) token.setNotBefore(claims.nbf);
    return token.sign(key.privateKey);
  }

  unsignedToken(): string {
    return new UnsecuredJWT({}).setIssuer(this.issuer).setAudience(AUDIENCE).setExpirationTime("1h").setSubject(ADA).encode();
  }

  async #answer(path: string): Promise<unknown> {
    if (path === "/.well-known/openid-configuration") return { issuer: this.issuer, jwks_uri: `${this.issuer}.well-known/jwks.json` };
    if (path !== "/.well-known/jwks.json") return undefined;
    this.fetches += 1;
    const publish = async ({ kid, alg, publicKey }: Key) => ({ ...(await exportJWK(publicKey)), kid, alg, use: "sig" });
    return { keys: await Promise.all(this.keys.map(publish)) };
  }
}

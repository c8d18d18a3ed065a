import { type JWTPayload, errors, jwtVerify } from "jose";
import { Refusal, type Scheme } from "./challenge";
import { type Env, ConfigurationError } from "./env";
import { IssuerKeys } from "./keys";
import { prove } from "./proof";
import type { Visitor } from "./visitor";

/** `none` and everything with a shared secret is out, whatever a token says of itself. */
const ALGORITHMS = ["RS256", "ES256"];
/** Two clocks are never the same. */
const TOLERANCE_S = 5;

const issuers = new Map<string, IssuerKeys>();

function keysOf(issuer: string): IssuerKeys {
  let keys = issuers.get(issuer);
  if (keys === undefined) {
    keys = new IssuerKeys(issuer);
    issuers.set(issuer, keys);
  }
  return keys;
}

/** The token of a request. It comes in the header only: addresses end up in logs. */
function credentials(request: Request): { scheme: Scheme; token: string } {
  const header = request.headers.get("Authorization") ?? "";
  const [, name, token] = /^(Bearer|DPoP) +(\S+)$/i.exec(header.trim()) ?? [];
  if (name === undefined || token === undefined) throw new Refusal(401);
  const scheme = name.toLowerCase() === "dpop" ? "DPoP" : "Bearer";
  if (new URL(request.url).searchParams.has("access_token")) {
    throw new Refusal(400, "invalid_request", "More than one method used for authentication", scheme);
  }
  return { scheme, token };
}

/** The key that a token is bound to (RFC 9449, section 6.1). Bound in a way that nobody here knows is bound all the same. */
function boundTo({ cnf }: JWTPayload): string | undefined {
  if (cnf === undefined) return undefined;
  const jkt = typeof cnf === "object" && cnf !== null ? (cnf as Record<string, unknown>)["jkt"] : undefined;
  return typeof jkt === "string" ? jkt : "";
}

/** Who is at the door. Throws a `Refusal`, or `TenantAway` where nobody can tell. */
export async function authenticate(request: Request, env: Env): Promise<Visitor> {
  const { ISSUER: issuer, AUDIENCE: audience } = env;
  if (!issuer || !audience) throw new ConfigurationError("ISSUER and AUDIENCE are not set.");
  const { scheme, token } = credentials(request);
  let claims: JWTPayload;
  try {
    const { payload } = await jwtVerify(token, keysOf(issuer).find, {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      clockTolerance: TOLERANCE_S,
      requiredClaims: ["exp", "sub"],
    });
    if (typeof payload.sub !== "string" || payload.sub === "") throw new errors.JWTClaimValidationFailed("unexpected 'sub' claim value", payload);
    claims = payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) throw new Refusal(401, "invalid_token", error.message, scheme);
    throw error;
  }
  const jkt = boundTo(claims);
  if (scheme === "DPoP") {
    await prove(request, token, jkt ?? "");
  } else if (jkt !== undefined) {
    // Whoever has stolen it would come like this (RFC 9449, section 7.2).
    throw new Refusal(401, "invalid_token", "the token is bound to a key and came without a proof");
  }
  return { issuer, subject: claims.sub ?? "", expires: claims.exp ?? 0 };
}

/** Whether a socket that came with such a token has outlived it. */
export function hasExpired(expires: number): boolean {
  return Date.now() / 1000 > expires + TOLERANCE_S;
}

import { errors, jwtVerify } from "jose";
import { Refusal } from "./challenge";
import { type Env, ConfigurationError } from "./env";
import { IssuerKeys } from "./keys";
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
function bearer(request: Request): string {
  const header = request.headers.get("Authorization") ?? "";
  const token = /^Bearer +(\S+)$/i.exec(header.trim())?.[1];
  if (token === undefined) throw new Refusal(401);
  if (new URL(request.url).searchParams.has("access_token")) {
    throw new Refusal(400, "invalid_request", "More than one method used for authentication");
  }
  return token;
}

/** Who is at the door. Throws a `Refusal`, or `TenantAway` where nobody can tell. */
export async function authenticate(request: Request, env: Env): Promise<Visitor> {
  const { ISSUER: issuer, AUDIENCE: audience } = env;
  if (!issuer || !audience) throw new ConfigurationError("ISSUER and AUDIENCE are not set.");
  try {
    const { payload } = await jwtVerify(bearer(request), keysOf(issuer).find, {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      clockTolerance: TOLERANCE_S,
      requiredClaims: ["exp", "sub"],
    });
    if (typeof payload.sub !== "string" || payload.sub === "") throw new errors.JWTClaimValidationFailed("unexpected 'sub' claim value", payload);
    return { issuer, subject: payload.sub, expires: payload.exp ?? 0 };
  } catch (error) {
    if (error instanceof errors.JOSEError) throw new Refusal(401, "invalid_token", error.message);
    throw error;
  }
}

/** Whether a socket that came with such a token has outlived it. */
export function hasExpired(expires: number): boolean {
  return Date.now() / 1000 > expires + TOLERANCE_S;
}

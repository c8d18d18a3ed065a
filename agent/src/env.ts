import type { ChatAgent } from "./chat-agent";

/** Bindings and variables; wrangler.jsonc says what each of them is for. */
export interface Env {
  readonly ChatAgent: DurableObjectNamespace<ChatAgent>;
  readonly AI?: Ai;
  readonly ISSUER?: string;
  readonly AUDIENCE?: string;
  readonly ALLOWED_ORIGINS?: string;
  readonly MODEL?: string;
  readonly WORKERS_AI_MODEL?: string;
  readonly OPENAI_BASE_URL?: string;
  readonly OPENAI_API_KEY?: string;
  readonly OPENAI_MODEL?: string;
  /** Between two pieces of the scripted model, in milliseconds. */
  readonly SCRIPT_PACE_MS?: string;
}

/** The agent is not set up rightly; nothing that a client does can mend it. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

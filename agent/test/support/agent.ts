import { type Agent, startAgent } from "../../scripts/lib/runtime.mjs";
import { AUDIENCE, Tenant } from "./tenant";

/** What the runtime printed is only of interest where a test fails. */
const log = process.env["AGENT_LOG"] ? (line: string) => console.error(`  agent: ${line}`) : () => {};

export interface Pair {
  readonly tenant: Tenant;
  readonly agent: Agent;
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly vars?: Record<string, string>;
  readonly fromEnvironment?: string[];
  readonly state?: string;
  readonly tenant?: Tenant;
}

/** A tenant and an agent that believes it. */
export async function startPair(options: Options = {}): Promise<Pair> {
  const tenant = options.tenant ?? (await Tenant.start());
  const agent = await startAgent({
    vars: { ISSUER: tenant.issuer, AUDIENCE, MODEL: "scripted", SCRIPT_PACE_MS: "1", ...options.vars },
    fromEnvironment: options.fromEnvironment ?? [],
    ...(options.state !== undefined && { state: options.state }),
    log,
  });
  return {
    tenant,
    agent,
    stop: async () => {
      await agent.stop();
      await tenant.stop();
    },
  };
}

let count = 0;

/** The name of a conversation that no other test has. */
export function newConversation(): string {
  count += 1;
  return `c${count}-${process.pid}`;
}

// Settings of background tasks, of teams, and of agents of other systems.
import * as z from "zod/mini";

const positive = z.int().check(z.minimum(1));
/** As a subagent is called: so it stands in messages. */
export const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,59}$/u;
export const CHANNEL = /^[a-z0-9][a-z0-9._-]{0,59}$/;
const name = z.string().check(z.regex(NAME, "must be a name of letters, digits, blanks, dots, - and _"));

const budget = z.strictObject({ dollars: z.optional(z.number().check(z.minimum(0))), tokens: z.optional(positive) });
export const role = z.strictObject({
  name,
  /** What it is for and how it works. */
  brief: z.string().check(z.maxLength(20_000)),
  engine: z.optional(z.string()),
  /** "provider/name". */
  model: z.optional(z.string()),
  budget: z.optional(budget),
  /** To whom it may write. Absent: to all. The lead can always be written to. */
  may: z.optional(z.array(z.string())),
});
/** The first role leads: it is given the goal, and what it says last is the result. */
export const team = z.strictObject({
  about: z._default(z.string(), ""),
  roles: z.array(role).check(z.minLength(1), z.maxLength(12)),
  budget: z.optional(budget),
});
export type TeamConfig = z.infer<typeof team>;
export const TEAM_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/;
const word = z.string().check(z.regex(TEAM_NAME, "must be a name of letters, digits, - and _"));

export const tasksConfig = z._default(
  z.strictObject({
    /** That one person may have open. */
    most: z._default(z.int().check(z.minimum(0)), 16),
    /** How deep they may start others. */
    depth: z._default(positive, 2),
    /** Messages a minute of one subagent, and of all below one session. */
    rate: z._default(positive, 20),
    rateAll: z._default(positive, 60),
    /** How many messages of agents may follow each other, each woken by the one before, without a word of the person. */
    hops: z._default(positive, 24),
    teams: z._default(z.record(word, team), () => ({})),
  }),
  () => ({ most: 16, depth: 2, rate: 20, rateAll: 60, hops: 24, teams: {} }),
);

export const a2aConfig = z._default(
  z.strictObject({
    /** Agents of other systems that this one may call, by the name of each. */
    agents: z._default(
      z.record(
        word,
        z.strictObject({
          /** Of its agent card, or of the host that has it. */
          url: z.url({ protocol: /^https?$/ }),
          /** Under which the key is kept, sent as a bearer token. */
          key: z.optional(z.strictObject({ secret: z.string().check(z.minLength(1)) })),
          /** Who may have it called, by their id. Absent: the owner only. */
          people: z.optional(z.array(z.string())),
          seconds: z._default(positive, 600),
        }),
      ),
      () => ({}),
    ),
    serve: z._default(
      z.strictObject({
        /** Whether others may call this one, with a token of a person. */
        enabled: z._default(z.boolean(), false),
        /** US dollars for each conversation. */
        budget: z._default(z.number().check(z.minimum(0)), 1),
        /** As the agent card says it. */
        name: z._default(z.string(), "Steward"),
        about: z._default(z.string(), "A personal agent"),
      }),
      () => ({ enabled: false, budget: 1, name: "Steward", about: "A personal agent" }),
    ),
  }),
  () => ({ agents: {}, serve: { enabled: false, budget: 1, name: "Steward", about: "A personal agent" } }),
);

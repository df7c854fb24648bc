// Circuit breakers by name: after failures in a row a part is left alone for a while, then tried with a few calls. Decides nothing about retries.
import { StewardError } from "../std/error.ts";

export interface BreakerState {
  name: string;
  state: "closed" | "open" | "half-open";
  /** Failures in a row. */
  failures: number;
  /** Epoch milliseconds of the last change of state. */
  since: number;
}
export interface Breakers {
  /** Runs `work`, or throws `unavailable` at once while the circuit is open. Passes on what `work` throws. */
  call<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** For work whose failure is data: throws as `call` does; the returned function must be called once with the outcome (undefined: neither). */
  enter(name: string): (ok: boolean | undefined) => void;
  /** All circuits ever used, by name. */
  list(): BreakerState[];
}
export interface BreakerOptions {
  now?(): number;
  failures?: number;
  openMs?: number;
  trials?: number;
}

interface Circuit extends BreakerState {
  running: number;
  passed: number;
  /** Counts changes of state. */
  epoch: number;
}

export function breakers({ now = Date.now, failures = 5, openMs = 60_000, trials = 3 }: BreakerOptions = {}): Breakers {
  const circuits = new Map<string, Circuit>();
  const change = (circuit: Circuit, state: Circuit["state"]): void => {
    Object.assign(circuit, {
      state,
      since: now(),
      running: 0,
      passed: 0,
      epoch: circuit.epoch + 1,
      failures: state === "closed" ? 0 : circuit.failures,
    });
  };

  function settle(circuit: Circuit, ok: boolean | undefined): void {
    circuit.running = Math.max(0, circuit.running - 1);
    if (ok === undefined) return;
    if (!ok) {
      circuit.failures++;
      if (circuit.state === "half-open" || (circuit.state === "closed" && circuit.failures >= failures)) change(circuit, "open");
    } else if (circuit.state === "closed") circuit.failures = 0;
    else if (circuit.state === "half-open" && ++circuit.passed >= trials) change(circuit, "closed");
  }

  function enter(name: string): (ok: boolean | undefined) => void {
    const circuit = circuits.get(name) ?? { name, state: "closed", failures: 0, since: now(), running: 0, passed: 0, epoch: 0 };
    circuits.set(name, circuit);
    if (circuit.state === "open" && now() >= circuit.since + openMs) change(circuit, "half-open");
    if (circuit.state === "open" || (circuit.state === "half-open" && circuit.running + circuit.passed >= trials))
      throw paused(circuit, openMs);
    circuit.running++;
    const epoch = circuit.epoch;
    // A call that began before the last change of state says nothing about the state now.
    return (ok) => circuit.epoch === epoch && settle(circuit, ok);
  }

  async function call<T>(name: string, work: () => Promise<T>): Promise<T> {
    const done = enter(name);
    try {
      const result = await work();
      done(true);
      return result;
    } catch (error) {
      done(isOutage(error) ? false : undefined);
      throw error;
    }
  }

  const list = (): BreakerState[] =>
    [...circuits.values()]
      .map(({ name, state, failures: count, since }) => ({ name, state, failures: count, since }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  return { call, enter, list };
}

const paused = (circuit: Circuit, openMs: number): StewardError =>
  new StewardError("unavailable", `${circuit.name} failed ${circuit.failures} times in a row and is left alone for a while.`, {
    hint: "Wait a minute, or look at its status under health.",
    retryAt: circuit.since + openMs,
  });

/** A wrong key, a refusal or a cancelled request says nothing about whether the other side works. */
const isOutage = (error: unknown): boolean =>
  error instanceof StewardError
    ? error.code === "unavailable" || error.code === "internal"
    : !(error instanceof Error && error.name === "AbortError");

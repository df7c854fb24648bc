// OpenCode's server, inside the computer, and the way to it: a script beside it carries requests and events over its input and output, since no port of a computer can be reached from outside.
import type { Process, Workplace } from "../core/workplace.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { oneLine, visible } from "../std/text.ts";
import { within } from "../std/within.ts";
import { ended, messages } from "./lines.ts";

/** Requests and answers are a line each; the stream of events is passed on as it comes. What is read ends: so does the server. */
const SCRIPT = String.raw`import base64, http.client, json, os, re, resource, subprocess, sys, threading

lock = threading.Lock()
key = base64.b64encode(("opencode:" + os.environ["OPENCODE_SERVER_PASSWORD"]).encode()).decode()
head = {"Authorization": "Basic " + key, "Content-Type": "application/json"}

def say(text):
    with lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

# It would ask the registry at each start for a package that only plugins want.
kept = os.path.join(os.environ["XDG_CONFIG_HOME"], "opencode")
os.makedirs(os.path.join(kept, "node_modules"), exist_ok=True)
needs = {"dependencies": {"@opencode-ai/plugin": "*"}}
for name, text in (("package.json", needs), ("package-lock.json", {"lockfileVersion": 3, "packages": {"": needs}})):
    if not os.path.exists(os.path.join(kept, name)):
        with open(os.path.join(kept, name), "w") as file:
            json.dump(text, file)

# All models of the world are read at each start otherwise, which takes half of it; it is told the only one.
with open(os.environ["OPENCODE_MODELS_PATH"], "w") as file:
    file.write("{}")

# It reserves more than it uses. Where reservations count, as in a contained computer, it would compile nothing then and take five times as long, or crash.
most = resource.getrlimit(resource.RLIMIT_DATA)[0]
if 0 <= most < 4 << 30:
    os.environ["MIMALLOC_ARENA_RESERVE"] = "65536"
    if most >= 1280 << 20:
        os.environ["BUN_JSC_jitMemoryReservationSize"] = str(128 << 20)

server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

def port():
    for row in server.stdout:
        row = row.decode(errors="replace")
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", row)
        if found:
            return int(found.group(1))
        sys.stderr.write(row)
    sys.exit(server.wait() or 1)

at = port()
threading.Thread(target=lambda: [None for _ in server.stdout], daemon=True).start()

def ask(message):
    answer = {"id": message["id"]}
    try:
        link = http.client.HTTPConnection("127.0.0.1", at)
        body = json.dumps(message["body"]) if "body" in message else None
        link.request(message["method"], message["path"], body, head)
        reply = link.getresponse()
        text = reply.read().decode(errors="replace")
        answer["status"] = reply.status
        try:
            answer["body"] = json.loads(text) if text else None
        except ValueError:
            answer["body"] = text[:2000]
    except (OSError, http.client.HTTPException) as error:
        answer.update(status=0, body=str(error))
    say(json.dumps(answer))

def listen():
    try:
        link = http.client.HTTPConnection("127.0.0.1", at)
        link.request("GET", "/event", None, head)
        reply = link.getresponse()
        if reply.status == 200:
            for row in reply:
                if row.startswith(b"data:"):
                    say('{"event":' + row[5:].decode(errors="replace").strip() + "}")
        else:
            sys.stderr.write("no events: %d" % reply.status)
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write("no events: %s" % error)
    server.kill()
    os._exit(server.wait() % 256 or 1)

threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:
    threading.Thread(target=ask, args=(json.loads(line),), daemon=True).start()
server.kill()
`;

export type Fields = { readonly [name: string]: unknown };
export interface Server {
  /** The body of the answer. Throws not_found, unavailable with what it said, and with what ended the server. */
  call(method: "GET" | "POST" | "PATCH", path: string, body?: Fields | unknown[]): Promise<unknown>;
  /** Resolves when events come. */
  ready: Promise<void>;
  /** Rejects when the server has ended, prints garbage, or what it said could not be taken. Never resolves. */
  broken: Promise<never>;
  heard(): number;
  kill(): Promise<void>;
}

const ANSWER_MS = 60_000;
/** Where a project brings plugins, its packages are made ready first. */
const START_MS = 120_000;

/** `event` is called for each in order, each after the one before has returned. */
export async function openServer(
  place: Workplace,
  { path, env }: { path: string; env: Record<string, string> },
  event: (one: Fields) => Promise<void> | void,
): Promise<Server> {
  const script = `${place.state}/steward-server.py`;
  await place.write(script, new TextEncoder().encode(SCRIPT));
  const process = await place.start(["python3", script, path, "serve", "--hostname", "127.0.0.1", "--port", "0"], { cwd: place.cwd, env });
  return speak(process, event);
}

type Waiting = (answer: Fields) => void;

function speak(process: Process, event: (one: Fields) => Promise<void> | void): Server {
  const waiting = new Map<number, Waiting>();
  const state = { next: 1, heard: Date.now() };
  const [broken, ready] = [Promise.withResolvers<never>(), Promise.withResolvers<void>()];
  broken.promise.catch(() => {});
  void read(process, { waiting, state, event, ready: ready.resolve }).catch(broken.reject);
  return {
    ready: within(Promise.race([ready.promise, broken.promise]), START_MS, late("OpenCode's server did not start", START_MS)),
    broken: broken.promise,
    heard: () => state.heard,
    kill: () => process.kill(),
    async call(method, path, body) {
      const id = state.next++;
      const answer = new Promise<Fields>((resolve) => waiting.set(id, resolve));
      const line = JSON.stringify({ id, method, path, ...(body === undefined ? {} : { body }) });
      void process.write(`${line}\n`).catch(() => {});
      const told = await within(
        Promise.race([answer, broken.promise]),
        ANSWER_MS,
        late(`OpenCode did not answer ${method} ${path}`, ANSWER_MS),
      );
      return bodyOf(told, `${method} ${path}`);
    },
  };
}

async function read(
  process: Process,
  {
    waiting,
    state,
    event,
    ready,
  }: { waiting: Map<number, Waiting>; state: { heard: number }; event(one: Fields): Promise<void> | void; ready(): void },
): Promise<never> {
  for await (const message of messages(process, "OpenCode")) {
    ready();
    const happened = typeof message.event === "object" ? (message.event as Fields | null) : null;
    // Its beat goes on whatever hangs: only what happens, and what it answers, are signs of life.
    if (happened?.type !== "server.heartbeat") state.heard = Date.now();
    if (happened !== null) await event(happened);
    waiting.get(Number(message.id))?.(message);
    waiting.delete(Number(message.id));
  }
  const { code } = await process.exited;
  throw ended("OpenCode", code, process.stderr());
}

function bodyOf({ status, body }: Fields, what: string): unknown {
  if (typeof status === "number" && status >= 200 && status < 300) return body;
  const said = oneLine(visible(typeof body === "string" ? body : JSON.stringify(body ?? null)), 500);
  throw new StewardError(status === 404 ? "not_found" : "unavailable", `OpenCode answered ${what} with ${String(status)}: ${said}`);
}

const late = (what: string, ms: number) => (): StewardError => new StewardError("unavailable", `${what} within ${ms / 1000} seconds`);

export const isGone = (error: unknown): boolean => hasCode(error, "not_found");

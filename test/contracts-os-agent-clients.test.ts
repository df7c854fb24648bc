// OS-Agent's clients as its documentation shows them: Python's websockets package, and a page in Chromium.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { openOsPlace, type OsPlace } from "./os-agent-place.ts";
import { launch, skip as noChromium } from "./pages-place.ts";

const missing = await bubblewrapMissing();
const python = ["/usr/bin/python3", "python3"].find((path) => spawnSync(path, ["-c", "import websockets"]).status === 0);

const CHAT = `
import asyncio
import websockets

async def chat():
    uri = "ws://localhost:8765/?user=demo&session=ws&think=true"
    async with websockets.connect(uri) as ws:
        await ws.send("Hello")
        async for msg in ws:
            print(msg)

asyncio.run(chat())
`;

const REQUEST = `
import asyncio, json, struct
import websockets

URI = "ws://localhost:8765/?user=demo&session=ws&think=false"

async def request(command, **args):
    async with websockets.connect(URI) as ws:
        await ws.send(json.dumps({"command": command, "args": args}))
        while True:
            msg = await asyncio.wait_for(ws.recv(), 10)
            try:
                data = json.loads(msg)
            except json.JSONDecodeError:
                continue
            if "result" in data or "error" in data:
                return data

async def upload(name, content):
    header = json.dumps({"command": "upload_document", "args": {"file_name": name}}).encode()
    async with websockets.connect(URI) as ws:
        await ws.send(struct.pack(">I", len(header)) + header + content)
        return json.loads(await asyncio.wait_for(ws.recv(), 10))
`;

const COMMANDS = `${REQUEST}
async def main():
    print(await upload("photo 1.png", b"\\x89PNG"))
    print(await request("list_dir", path="/data"))
    print(await request("write_file", path="/data/note.txt", content="hello"))
    print(await request("read_file", path="/data/note.txt"))
    print(await request("delete_path", path="/data/note.txt"))
    print(await request("send_notification", message="Report ready"))
    print(await request("list_sessions"))
    print(await request("read_file", path="/data/none"))

asyncio.run(main())
`;

const STREAM = `${REQUEST}
async def vm_execute_stream(command, **args):
    async with websockets.connect(URI) as ws:
        await ws.send(json.dumps({"command": "vm_execute_stream", "args": {"command": command, **args}}))
        async for msg in ws:
            yield msg

async def main():
    async for part in vm_execute_stream("for i in 1 2 3; do echo line $i; done"):
        print("part", part, end="")
    async with websockets.connect(URI) as ws:
        await ws.send(json.dumps({"command": "vm_execute_stream", "args": {"command": "read -p 'Name: ' n; echo Hello $n"}}))
        async for msg in ws:
            if msg.startswith("{"):
                data = json.loads(msg)
                if "stdin_request" in data:
                    print("asked", data["stdin_request"])
                    await ws.send(json.dumps({"command": "vm_input", "args": {"data": "Ada\\n"}}))
            elif "Hello" in msg:
                print(msg.strip().split(": ")[-1])
                break
    async with websockets.connect(URI) as ws:
        await ws.send(json.dumps({"command": "vm_execute", "args": {"command": "head -c 3000000 /dev/zero | tr '\\\\0' x"}}))
        print("long", len(await ws.recv()) <= 2**20)
        await ws.send(json.dumps({"command": "list_documents"}))
        print(await ws.recv())

asyncio.run(main())
`;

describe("clients of OS-Agent as documented", { skip: missing ?? false }, () => {
  let place: OsPlace;
  before(async () => {
    place = await openOsPlace();
    place.model.script([{ do: "text", text: "Hello, I am your assistant." }]);
  });
  after(() => place.close());
  const run = (script: string): ChildProcess =>
    spawn(python!, ["-u", "-c", script.replaceAll(":8765", `:${place.osAgent.port}`)], { stdio: ["ignore", "pipe", "pipe"] });
  const printed = async (child: ChildProcess, enough?: (out: string) => boolean): Promise<string> => {
    const state = { out: "", err: "" };
    child.stderr!.on("data", (data) => (state.err += String(data)));
    child.stdout!.on("data", (data) => {
      state.out += String(data);
      if (enough?.(state.out)) child.kill();
    });
    await new Promise((resolve) => child.on("close", resolve));
    if (!enough) assert.equal(state.err, "");
    return state.out;
  };
  const options = { skip: python ? false : "no websockets package for Python" };

  test("O-003 the README's client: connect, send Hello, iterate", options, async () => {
    const out = await printed(run(CHAT), (said) => said.includes("\n"));
    assert.equal(out, "Hello, I am your assistant.\n");
  });

  test("requests within ten seconds, each on a connection of its own; the binary upload", options, async () => {
    // Its computer runs before the seconds count.
    const talk = await place.connect();
    await talk.ask("vm_execute", { command: "true" });
    await talk.close();
    assert.deepEqual((await printed(run(COMMANDS))).trim().split("\n"), [
      "{'result': '/data/photo_1.png'}",
      "{'result': [['photo_1.png', False]]}",
      "{'result': 'Saved'}",
      "{'result': 'hello'}",
      "{'result': 'Deleted'}",
      "{'result': 'ok'}",
      "{'result': ['ws']}",
      "{'error': '/data/none does not exist'}",
    ]);
  });

  test("O-048 O-051 streams end by themselves, questions are answered, long results keep the connection", options, async () => {
    assert.deepEqual((await printed(run(STREAM))).trim().split("\n"), [
      "part line 1",
      "part line 2",
      "part line 3",
      "asked Name: ",
      "Hello Ada",
      "long True",
      `{"result":[{"file_path":"/data/photo_1.png","original_name":"photo_1.png"}]}`,
    ]);
  });

  test("O-017 a page of an origin that the owner added chats and uploads; of another origin it can't", { skip: noChromium }, async (t) => {
    const pages = [0, 1].map(() => createServer((_request, response) => response.setHeader("content-type", "text/html").end("<p>A page")));
    await Promise.all(pages.map((page) => new Promise<void>((resolve) => void page.listen(0, "127.0.0.1", resolve))));
    const [own, foreign] = pages.map((page) => `http://localhost:${(page.address() as AddressInfo).port}`) as [string, string];
    const browser = await launch();
    t.after(async () => {
      await browser.close();
      for (const page of pages) page.close();
    });
    place.composed.steward.settings.set("server.origins", [own]);
    const visit = async (url: string): Promise<string[]> => {
      const page = await browser.newPage();
      await page.goto(url);
      return page.evaluate(
        (port) =>
          new Promise<string[]>((resolve) => {
            const heard: string[] = [];
            const socket = new WebSocket(`ws://localhost:${port}/?user=web&session=main&think=false`);
            socket.addEventListener("error", () => resolve(["refused"]));
            socket.addEventListener("open", () => socket.send(JSON.stringify({ command: "team_chat", args: { prompt: "Hello" } })));
            socket.addEventListener("message", ({ data }) => {
              heard.push(String(data));
              if (heard.length === 2) resolve(heard);
              const header = new TextEncoder().encode(JSON.stringify({ command: "upload_document", args: { file_name: "page.txt" } }));
              const frame = new Uint8Array(4 + header.length + 3);
              new Uint32Array(frame.buffer, 0, 1)[0] = header.length; // in the machine's order, as the original's page writes it
              frame.set(header, 4);
              if (heard.length === 1) socket.send(frame);
            });
          }),
        place.osAgent.port,
      );
    };
    assert.deepEqual(await visit(own), ["Hello, I am your assistant.", '{"result":"/data/page.txt"}']);
    assert.deepEqual(await visit(foreign), ["refused"]);
  });
});

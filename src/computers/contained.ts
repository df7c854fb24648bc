// A computer of one's own: mode contained, one lasting sandbox by bubblewrap; on macOS it is seatbelt-own.ts. Nothing of the host's home is inside; who gets one is left to the policy above.
//
// The host folder `options.home` holds the subfolders home, data, return and state. Inside they are /home/person, /data, /return
// and /state. Commands, terminals and files all go through the supervisor inside, so that no path of theirs is ever one of the host.
import { promises as fs } from "node:fs";
import path from "node:path";
import type { Computer, ComputerKind, ComputerOptions } from "../core/computer.ts";
import { bubblewrapMissing, PROC, TMP_BYTES, type Inside } from "./bubblewrap.ts";
import { watchDisk } from "./disk.ts";
import { environmentOf, shellPath } from "./environment.ts";
import { engineFolders, PROGRAMS } from "./local.ts";
import { FOLDERS, USER, makeFolders, runningOf } from "./own.ts";
import { openSandbox, pythonMissing } from "./sandbox.ts";
import { openSeatbelt } from "./seatbelt-own.ts";
import { seatbeltMissing } from "./seatbelt.ts";
import { supervised } from "./supervised.ts";

const MAC = process.platform === "darwin";

const contained: ComputerKind = {
  name: "contained",
  missing: async () => (await (MAC ? seatbeltMissing() : bubblewrapMissing())) ?? (await pythonMissing()),
  open: (options) => (MAC ? openSeatbelt(options) : open(options)),
};
export default contained;

const GB = 1024 ** 3;
/** Of places in memory. */
const [SMALL, SHARED] = [16 * 1024 ** 2, 64 * 1024 ** 2];
const TOOLS = "/run/steward";

async function open(options: ComputerOptions): Promise<Computer> {
  const [host, shell] = await Promise.all([makeFolders(options.home), shellPath()]);
  const home = `/home/${USER}`;
  const at = { home, data: "/data", return: "/return", state: "/state" };
  const plain = environmentOf({ home, user: USER, shell }, options.env);
  const env = { ...plain, PATH: `${TOOLS}/bin:${plain["PATH"]}`, TMPDIR: "/tmp" };
  const sandbox = openSandbox(
    async () => {
      await makeFolders(host);
      disk.wake();
      const { programs } = await engineFolders(options);
      const given = programs === undefined ? [] : ["--ro-bind", programs, PROGRAMS];
      const mounts = [...(await systemMounts(options)), ...given, ...FOLDERS.flatMap((one) => ["--bind", path.join(host, one), at[one]])];
      return {
        mounts,
        cwd: home,
        env,
        hostname: "computer",
        user: { name: USER, home, shell },
        last: ["--remount-ro", "/dev", "--remount-ro", "/"],
        limits: bounds(options),
      };
    },
    { limits: () => options.limits() },
  );
  const disk = watchDisk({
    folders: FOLDERS.map((one) => path.join(host, one)),
    limit: () => options.limits().diskBytes,
    running: () => sandbox.running(),
    over: () => sandbox.kill(),
    log: options.log,
  });
  return supervised(options, {
    home,
    workspace: home,
    platform: "linux",
    ...(options.programs === undefined ? {} : { programs: PROGRAMS }),
    roots: Object.values(at),
    shell,
    env,
    tools: TOOLS,
    notifications: "/state/notifications",
    ...runningOf({ options, sandbox, disk, host }),
    async dispose() {
      disk.close();
      await sandbox.kill();
    },
  });
}

/** What each process may take, whatever the machine's control groups can do. */
function bounds({ limits }: ComputerOptions): NonNullable<Inside["limits"]> {
  const { processes, memoryBytes, diskBytes } = limits();
  const size = Math.min(16 * GB, diskBytes);
  return [
    "--core=0",
    "--nofile=16384:16384",
    `--nproc=${processes}:${processes}`,
    `--data=${memoryBytes}:${memoryBytes}`,
    `--fsize=${size}:${size}`,
  ];
}

const SETTINGS = [
  "alternatives",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "timezone",
  "mime.types",
  "nsswitch.conf",
  "protocols",
  "services",
  "ssl/certs",
  "ssl/openssl.cnf",
  "ca-certificates",
  "pki",
  "fonts",
  "java",
  "python3",
  "perl",
  "debian_version",
  "os-release",
  "magic",
  "terminfo",
  "vim",
  "inputrc",
  "bash.bashrc",
];

/** The system's programs read-only, a few of its settings, and private folders that last as long as the sandbox; these lie in memory. */
async function systemMounts({ limits }: ComputerOptions): Promise<string[]> {
  const links = await Promise.all(["bin", "sbin", "lib", "lib32", "lib64", "libx32"].map(rootEntry));
  const temporary = (at: string, perms: string, size: number): string[] => ["--perms", perms, "--size", `${size}`, "--tmpfs", at];
  const large = Math.min(TMP_BYTES, Math.floor(limits().memoryBytes / 2));
  return [
    ...temporary("/", "0755", SMALL),
    "--ro-bind",
    "/usr",
    "/usr",
    ...links.flat(),
    ...SETTINGS.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
    ...PROC,
    "--dev",
    "/dev",
    ...temporary("/dev/shm", "1777", Math.min(SHARED, large)),
    ...temporary("/tmp", "1777", large),
    ...temporary("/var/tmp", "1777", large),
    ...temporary("/run", "0755", SMALL),
  ];
}

async function rootEntry(name: string): Promise<string[]> {
  const stat = await fs.lstat(`/${name}`).catch(() => undefined);
  if (!stat) return [];
  return stat.isSymbolicLink() ? ["--symlink", await fs.readlink(`/${name}`), `/${name}`] : ["--ro-bind", `/${name}`, `/${name}`];
}

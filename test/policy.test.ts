// What permissions.json refuses: commands by their words, paths by where they lead, apps by pattern.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { defaultPermissions } from "../src/run/permissions.ts";
import { cacheable, commandsOf, everyCommand, glob, isUnder, refusedApp, refusedCommand, samePath } from "../src/run/policy.ts";
import { computing } from "./took.ts";

const rules = defaultPermissions().terminal.restrictions;

const refused = [
  "rm -rf /",
  "rm  -rf  /",
  "rm -r -f /",
  "rm -fr /",
  "rm --recursive --force /",
  "rm -rf //",
  "rm -rf /*",
  "rm -rf /.",
  "/bin/rm -rf /",
  "cd / && rm -rf /",
  "rm -rf --no-preserve-root /",
  "rm -Rf /",
  "shutdown",
  "shutdown -h now",
  "/sbin/reboot",
  "reboot",
  "mkfs /dev/sda",
  "mkfs.ext4 /dev/sda1",
  "echo hi; reboot",
  "(reboot)",
  "$(reboot)",
  "`reboot`",
  'echo "$(reboot)"',
  "sh -c 'reboot'",
  'bash -lc "shutdown now"',
  "eval reboot",
  "env A=1 reboot",
  "A=1 reboot",
  "nohup reboot &",
  "timeout 5 reboot",
  "find . -exec reboot {} +",
  "ls | xargs reboot",
  "if true; then reboot; fi",
  "true\nreboot",
  "sudo ls",
  "x | sudo y",
  "true && sudo ls",
  "doas ls",
  "su -c ls",
  "/usr/bin/sudo ls",
  "env sudo ls",
  "'su'do ls",
  "s\\udo ls",
  "$'sudo' ls",
  "flock /tmp/l sudo ls",
  "flock -w 5 /tmp/l -c 'sudo ls'",
  "flock /tmp/l bash -c 'sudo ls'",
  "env -u X sudo ls",
  "env --unset X -C /tmp sudo ls",
  "env -S 'sudo ls'",
  "env - reboot",
  "timeout -s KILL 5 sudo ls",
  "timeout --signal KILL --foreground 5s sudo ls",
  "stdbuf -o L sudo ls",
  "stdbuf -oL sudo ls",
  "nice -n 5 sudo ls",
  "ionice -c 3 -p 1 sudo ls",
  "chroot / reboot",
  "chroot --userspec=0:0 / sudo ls",
  "script -c reboot",
  "script -qc 'sudo ls' /dev/null",
  "script --command=reboot /dev/null",
  "script -q /dev/null reboot",
  "trap reboot EXIT",
  "trap 'sudo ls' EXIT",
  "watch -n 5 sudo ls",
  "watch 'ls; reboot'",
  "exec -a x reboot",
  "bash --norc -c 'sudo ls'",
  "bash <<< reboot",
  "bash <<<'sudo ls'",
  "echo reboot | sh",
  "echo 'sudo ls' |& sudo_like=1 bash -s",
  "printf '%s\\n' reboot | /bin/sh",
  "printf 'sudo ls\\n' | env A=1 bash",
  "echo / | xargs rm -rf",
  "find . -name x -exec rm {} \\; -exec sudo ls {} +",
  "rm -rf /etc/..",
  "rm -rf /etc/../usr/..//.",
  "rm -rf /usr/../*",
  "rm -rf -- /",
  "rm -rf ~/../..",
  "rm -rf $HOME/../..",
  "rm -rf ${HOME}/../..",
  "{ reboot; }",
  "f() { reboot; }",
];
const allowed = [
  "rm -rf /tmp/x",
  "rm -rf ./build",
  "rm -r docs",
  "ls -la",
  "echo shutdown",
  'echo "rm -rf /"',
  "grep reboot log.txt",
  "cat mkfs.txt",
  "git commit -m 'reboot the router'",
  "echo 'sudo ls'",
  "man sudo",
  "# reboot",
  "ls # rm -rf /",
  "printf %s reboot",
  "cp -rf / backup",
  "rm -rf ~/old",
  "rm -rf /tmp/../tmp/x",
  "command -v sudo",
  "timeout 5 grep reboot log.txt",
  "env X=1 grep -c reboot log.txt",
  "flock /tmp/sudo ls",
  "echo reboot | grep reboot",
  "echo reboot || sh",
  "cat reboot <<< sudo",
  "find . -name reboot -exec cat {} +",
  "xargs -a sudo ls",
  "trap cleanup EXIT",
  "bash reboot.sh",
  "",
];

for (const command of refused)
  test(`S-37 refused: ${command.replaceAll("\n", "⏎")}`, () => assert.notEqual(refusedCommand(command, rules), undefined));
for (const command of allowed) test(`allowed: ${command}`, () => assert.equal(refusedCommand(command, rules), undefined));

test("an argument array is judged by its words, not split again", () => {
  assert.equal(refusedCommand(["echo", "sudo ls; reboot"], rules), undefined);
  assert.notEqual(refusedCommand(["/sbin/reboot"], rules), undefined);
});

test("commands are found in wrappers, inner shells and what is fed to them", () => {
  const found = everyCommand(`env A=1 sh -c 'cat ~/.ssh/id' && echo "$(head /x)" | bash <<< 'tail /y'`).map((words) => words.join(" "));
  for (const command of ["cat ~/.ssh/id", "head /x", "tail /y"]) assert.ok(found.includes(command), `${command} in ${found.join("; ")}`);
  assert.deepEqual(everyCommand(["cat", "a; rm b"]), [["cat", "a; rm b"]]);
});

test("sudo is allowed where the restriction says so", () =>
  assert.equal(refusedCommand("sudo ls", { ...rules, allow_sudo: true }), undefined));

test("any text is read without throwing, and in linear time", async () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 2000, unit: "binary" }), (line) => {
      commandsOf(line);
      refusedCommand(line, rules);
    }),
    { numRuns: 500 },
  );
  const lines = [
    "$(".repeat(20_000) + '"'.repeat(20_000),
    "find . -exec ".repeat(5_000),
    "flock f ".repeat(5_000) + "-c x",
    "echo x | sh <<< 'a;a' ".repeat(3_000),
    `echo '${"a;".repeat(50_000)}' | sh`,
    `"${"$(a)".repeat(30_000)}"`,
    `xargs ${"/..".repeat(50_000)} ${"-u ".repeat(50_000)}`,
  ];
  assert.ok((await computing(() => lines.forEach((line) => refusedCommand(line, rules)))) < 2000);
});

test("S-82 patterns of apps are matched in linear time, and not as regular expressions", async () => {
  assert.equal(glob("fire*", "firefox"), true);
  assert.equal(glob("?ire*x", "firefox"), true);
  assert.equal(glob("fire.*", "firefox"), false);
  const took = await computing(() => assert.equal(glob("*a".repeat(200), "a".repeat(199)), false));
  assert.ok(took < 500, `${took} ms`);
});

test("apps: the block list first, then the allow list, any case", () => {
  const lists = { ...rules, allowed_apps: ["*"], blocked_apps: ["*Terminal*"] };
  assert.match(refusedApp("gnome-terminal", lists) ?? "", /blocked/);
  assert.equal(refusedApp("Firefox", lists), undefined);
  assert.match(refusedApp("Firefox", { ...lists, allowed_apps: ["code"] }) ?? "", /not an allowed/);
});

test("a folder covers itself and what is in it, not its neighbours", () => {
  assert.deepEqual(
    ["/a/.ssh", "/a/.ssh/id", "/a/.sshfoo", "/a"].map((path) => isUnder(path, "/a/.ssh")),
    [true, true, false, false],
  );
  assert.equal(isUnder("/anything", "/"), true);
});

test("macOS compares names without case and in one composition, other systems to the letter", () => {
  const mac = samePath("darwin");
  for (const [one, other] of [
    ["/Users/me/.SSH", "/users/me/.ssh"],
    ["/caf\u00e9", "/CAFE\u0301"],
    ["/stra\u00dfe", "/STRASSE"],
    ["/\u03c3\u03c2", "/\u03a3\u03a3"],
    ["/\u212a", "/k"],
  ])
    assert.equal(mac(one!), mac(other!));
  assert.notEqual(mac("/a"), mac("/b"));
  assert.equal(samePath("linux")("/Caf\u00e9"), "/Caf\u00e9");
});

test("T-086 only commands without effects and with known inputs are cached", () => {
  const known: [string, ReturnType<typeof cacheable>][] = [
    ["cat notes.txt", { paths: ["notes.txt"], of: "file" }],
    ["head -n 5 a 7", { paths: ["a", "7"], of: "file" }],
    ["grep -m 2 needle a b", { paths: ["a", "b"], of: "file" }],
    ["wc -l a", { paths: ["a"], of: "file" }],
    ["ls", { paths: ["."], of: "dir" }],
    ["ls -a1 src", { paths: ["src"], of: "dir" }],
    ["uname -a", { paths: [], of: "file" }],
  ];
  for (const [command, answer] of known) assert.deepEqual(cacheable(command), answer, command);
  for (const command of [
    "echo x >> f",
    "cat > f",
    "find . -delete",
    "cat a | tee b",
    "ls -l",
    "ls -R",
    "ls -t",
    "ls -s",
    "ls *.txt",
    "cat $(rm x)",
    "date",
    "tail -f log",
    "tail -F log",
    "grep -r x src",
    "grep -f patterns a",
    "wc --files0-from=list",
    "stat a",
    "cat /proc/uptime",
    "ls //dev",
    "cat",
    "cat a; rm b",
    "sed -i s/a/b/ f",
    "df -h",
    "ps",
  ])
    assert.equal(cacheable(command), undefined, command);
});

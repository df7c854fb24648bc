// Real mail servers for the tests: postfix and dovecot with folders and ports of their own; nothing of the system's is read or changed.
import { execFile, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "../src/testing/channel-platform.ts";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);
const POSTFIX = "/usr/sbin/postfix";
const DOVECOT = "/usr/sbin/dovecot";
/** The system's user and group "mail". */
const MAIL = 8;
/** So many times is there somebody of each name. */
const MOST = 60;
export const PASSWORD = "right horse";
const everybody = (): string[] =>
  Array.from({ length: MOST }, (_, n) => [`steward${n + 1}@test.local`, `mia${n + 1}@test.local`, `ben${n + 1}@far.local`]).flat();

/** Those that stay hold on to what they were started with, so nothing is read from them. */
function started(program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: "ignore" });
  return new Promise((resolve, reject) =>
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${program} does not start: ${code}`)))),
  );
}

/** Why there are none here. */
export const mailMissing =
  process.platform !== "linux" || !existsSync(POSTFIX) || !existsSync(DOVECOT)
    ? "no mail servers on this machine (postfix, dovecot-imapd)"
    : process.getuid?.() === 0
      ? undefined
      : "postfix runs only as root";

export interface MailPlace {
  /** Where mails from elsewhere come in; where those who sign in send; where mails are read. */
  ports: { mx: number; submission: number; imap: number };
  /** The folder of an address: steward1@test.local, mia1@test.local, ben1@far.local and so on. */
  mailbox(address: string): string;
  /** Both servers are killed where they stand, and start again at the same ports. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function mailPlace(): Promise<MailPlace> {
  const dir = mkdtempSync(join(tmpdir(), "mail-"));
  await run("chmod", ["755", dir]);
  for (const name of ["postfix", "spool", "data", "mail", "run"]) mkdirSync(join(dir, name));
  chownSync(join(dir, "mail"), MAIL, MAIL);
  const { stdout: owner } = await run("id", ["-u", "postfix"]);
  chownSync(join(dir, "data"), Number(owner), 0);
  const ports = { mx: await freePort(), submission: await freePort(), imap: await freePort() };
  writeFileSync(
    join(dir, "users"),
    everybody()
      .map((user) => `${user}:{PLAIN}${PASSWORD}\n`)
      .join(""),
  );
  writeFileSync(join(dir, "dovecot.conf"), dovecotConfig(dir, ports));
  postfixConfig(dir, ports);
  const all = (what: boolean): Promise<unknown> =>
    Promise.all(
      Object.values(ports).map((port) => until(async () => ((await listens(port)) === what ? true : undefined), `${port}: ${what}`)),
    );
  const start = async (): Promise<void> => {
    await started(DOVECOT, "-c", join(dir, "dovecot.conf"));
    await started(POSTFIX, "-c", join(dir, "postfix"), "start");
    await all(true);
  };
  const kill = async (): Promise<void> => {
    // Each leads a group of its own; dovecot alone would take seconds to end in peace.
    for (const file of ["spool/pid/master.pid", "run/master.pid"]) {
      process.kill(-Number(readFileSync(join(dir, file), "utf8").trim()), "SIGKILL");
      rmSync(join(dir, file)); // it would be believed
    }
    await all(false);
  };
  await start();
  return {
    ports,
    mailbox: (address) => join(dir, "mail", address),
    restart: () => kill().then(start),
    async close() {
      await kill();
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(false));
  });

const dovecotConfig = (dir: string, { imap }: MailPlace["ports"]): string => `
base_dir = ${dir}/run
state_dir = ${dir}/run
log_path = ${dir}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:${dir}/mail/%u
first_valid_uid = 1
mail_uid = ${MAIL}
mail_gid = ${MAIL}
default_client_limit = 400
auth_failure_delay = 0
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${imap}
  }
  inet_listener imaps {
    port = 0
  }
}
service auth {
  unix_listener ${dir}/auth {
    mode = 0666
  }
}
passdb {
  driver = passwd-file
  args = username_format=%u ${dir}/users
}
userdb {
  driver = static
  args = uid=${MAIL} gid=${MAIL} home=${dir}/mail/%u allow_all_users=yes
}
`;

/** As a provider does it: what others say of checks is taken out, then the own result is put on top. */
const RESULTS = `
/^Authentication-Results: *mx\\.test\\.local/ IGNORE
/^From:.*@(forged\\.local)/ PREPEND Authentication-Results: mx.test.local; dmarc=fail header.from=$1
/^From:.*@([a-z.]+)>?$/ PREPEND Authentication-Results: mx.test.local; spf=pass smtp.mailfrom=x@$1; dmarc=pass (p=reject) header.from=$1
`;

function postfixConfig(dir: string, { mx, submission }: MailPlace["ports"]): void {
  writeFileSync(join(dir, "postfix", "results"), RESULTS);
  writeFileSync(
    join(dir, "postfix", "boxes"),
    everybody()
      .map((name) => `${name} ${name}/\n`)
      .join(""),
  );
  const settings = {
    ...{ compatibility_level: "3.6", queue_directory: `${dir}/spool`, data_directory: `${dir}/data`, mail_owner: "postfix" },
    ...{ setgid_group: "postdrop", inet_interfaces: "127.0.0.1", inet_protocols: "ipv4", myhostname: "mx.test.local", mydestination: "" },
    ...{ mynetworks: "", local_recipient_maps: "", alias_maps: "", default_transport: "error:elsewhere", smtpd_peername_lookup: "no" },
    ...{ virtual_mailbox_domains: "test.local, far.local", virtual_mailbox_base: `${dir}/mail`, virtual_minimum_uid: "1" },
    ...{ virtual_mailbox_maps: `texthash:${dir}/postfix/boxes`, virtual_uid_maps: `static:${MAIL}`, virtual_gid_maps: `static:${MAIL}` },
    ...{ message_size_limit: "40000000", virtual_mailbox_limit: "0", maillog_file: `${dir}/postfix.log`, maillog_file_prefixes: dir },
    ...{ smtpd_relay_restrictions: "permit_sasl_authenticated, reject_unauth_destination", smtpd_sasl_path: `${dir}/auth` },
    ...{ smtpd_sasl_type: "dovecot", header_size_limit: "400000" },
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
  writeFileSync(join(dir, "postfix", "main.cf"), `${lines.join("\n")}\n`);
  const small = [
    "rewrite trivial-rewrite",
    "bounce bounce",
    "defer bounce",
    "trace bounce",
    "error error",
    "retry error",
    "virtual virtual",
  ];
  const services = [
    `127.0.0.1:${mx} inet n - n - - smtpd -o cleanup_service_name=incoming`,
    `127.0.0.1:${submission} inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject`,
    `incoming unix n - n - 0 cleanup -o header_checks=regexp:${dir}/postfix/results`,
    "cleanup unix n - n - 0 cleanup",
    "qmgr unix n - n 300 1 qmgr",
    "postlog unix-dgram n - n - 1 postlogd",
    "anvil unix - - n - 1 anvil",
    "proxymap unix - - n - - proxymap",
    "verify unix - - n - 1 verify",
    ...small.map(
      (one) =>
        `${one.split(" ")[0]} unix - ${one.startsWith("virtual") ? "n" : "-"} n - ${/bounce$/.test(one) ? 0 : "-"} ${one.split(" ")[1]}`,
    ),
  ];
  writeFileSync(join(dir, "postfix", "master.cf"), `${services.join("\n")}\n`);
}

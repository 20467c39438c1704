// Starts the built `egret` and a real browser for one test, and ends both.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const binary = fileURLToPath(new URL("../../target/debug/egret", import.meta.url));

/** Runs `egret` until it says where its dashboard is; resolves to that address and `end()`. */
export async function startEgret(args, folder) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const address = await new Promise((resolve, reject) => {
    const listen = (chunk) => {
      said += chunk;
      const found = said.match(/the dashboard (?:is|and the API are) at (http:\/\/[^/\s]+\/)/);
      if (found) resolve(found[1]);
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("exit", (code) => reject(new Error(`egret ended with ${code}:\n${said}`)));
  });
  const end = async () => {
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  return { address, end, said: () => said };
}

/** A line of an Envoy log: the executor of this number uploads 8 MiB; `fields` say when, where to, and as whom. */
export function uploadLine(number, fields) {
  return JSON.stringify({
    method: "POST",
    protocol: "HTTP/1.1",
    response_code: 200,
    response_flags: "-",
    bytes_received: 8 << 20,
    bytes_sent: 100,
    duration: 50,
    upstream_host: "203.0.113.5:443",
    downstream_remote_address: `10.20.0.${number + 1}:41000`,
    ...fields,
  });
}

/** `egret run` on an Envoy log with these lines, in a folder of its own. `more` goes on with `[store]`. */
export async function startOnLog(name, lines, more = "") {
  const folder = await mkdtemp(join(tmpdir(), `egret-${name}-`));
  await writeFile(join(folder, "envoy.jsonl"), lines);
  await writeFile(
    join(folder, "egret.toml"),
    `[[collector.segments]]\nname = "a"\nranges = ["10.20.0.0/16"]\n` +
      `[[collector.sources]]\nkind = "log"\npath = "${folder}/envoy.jsonl"\nfollow = false\n` +
      `[store]\npath = "${folder}/egret.db"\n${more}[api]\nlisten = "127.0.0.1:0"\n`,
  );
  return startEgret(["run", "--config", join(folder, "egret.toml")], folder);
}

/** `egret demo` on a free port, with a folder of its own. */
export async function startDemo() {
  const folder = await mkdtemp(join(tmpdir(), "egret-browser-"));
  return startEgret(["demo", "--listen", "127.0.0.1:0", "--dir", folder], folder);
}

/** Debian's Chromium, with nothing of its own on the network. */
export function launchBrowser() {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

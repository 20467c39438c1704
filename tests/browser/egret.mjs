// Starts the built `egret` and a real browser for one test, and ends both.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
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

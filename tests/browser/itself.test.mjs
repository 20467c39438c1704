// What keeps Egret from doing its work is an incident, and its page does not speak of executors.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { launchBrowser, startOnLog, uploadLine } from "./egret.mjs";

/** A receiver that wants nothing. */
async function startGone() {
  const server = createServer((_, response) => response.writeHead(410).end());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/x`, end: () => server.close() };
}

test("an incident about Egret itself says what it is about, and nothing of egress", async () => {
  const gone = await startGone();
  const folder = await mkdtemp(join(tmpdir(), "egret-secret-"));
  const secret = join(folder, "secret");
  await writeFile(secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const upload = uploadLine(0, { start_time: "2026-01-05T09:00:00Z", path: "/upload", authority: "drop.bad.example", user_agent: "curl/8" });
  const egret = await startOnLog("itself", `${upload}\n`, `keep_events = "9999d"\n[[notify.targets]]\nkind = "webhook"\nname = "chat"\nurl = "${gone.url}"\nsecret_file = "${secret}"\nallow_private = true\n`);
  const browser = await launchBrowser();
  try {
    const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    // The watchdog looks every ten seconds; the page hears of it by itself.
    await page.goto(`${egret.address}incidents`);
    const own = page.getByRole("row").filter({ hasText: 'Egret itself: Target "chat" wants no more alerts' });
    await page.getByRole("button", { name: "1 new — show" }).click({ timeout: 40_000 });
    await own.waitFor();
    assert.match(await own.innerText(), /Egret itself\t/, "where others have their executor");

    await own.getByRole("link", { name: /Egret itself/ }).click();
    const facts = page.getByRole("region", { name: "What it is about" });
    await facts.waitFor();
    assert.match(await facts.innerText(), /About\s+target chat/);
    await page.getByText("egret dlq replay --target chat").waitFor();
    const all = await page.locator("main").innerText();
    for (const word of ["many destinations", "Strongest events", "baseline", "Executor", "0 B"]) {
      assert.ok(!all.includes(word), `${word} in:\n${all}`);
    }
    if (process.env.EGRET_SCREENSHOTS) await page.screenshot({ path: join(process.env.EGRET_SCREENSHOTS, "itself.png"), fullPage: true });
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
    await egret.end();
    gone.end();
    await rm(folder, { recursive: true });
  }
});
